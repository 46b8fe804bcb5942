//! A deployment of Meridian: the fleet as declared in `regions.toml`, and the addresses, user
//! pools, ids and secrets that its stacks have.
//!
//! Everything here holds for a deployment to AWS. Code for the local stack alone is in `local-aws`,
//! which this crate may not import. Only the command line and tests use it; no function depends on
//! it.

pub mod clients;
pub mod described;
pub mod file;
pub mod regions;
pub mod stack;

pub use described::{Addresses, DeployedRegion, Deployment, MachineClient, TenantNames};
