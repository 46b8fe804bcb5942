//! A deployment of Meridian: the fleet as `regions.toml` declares it, and what its stacks say of
//! addresses, user pools, ids and secrets.
//!
//! Everything here is true of a deployment to AWS; what only the local stack has is in `local-aws`,
//! which this crate may not import. For the command line and tests: no function depends on it.

pub mod clients;
pub mod described;
pub mod file;
pub mod regions;
pub mod stack;

pub use described::{Addresses, DeployedRegion, Deployment, MachineClient, TenantNames};
