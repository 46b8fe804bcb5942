//! The DynamoDB adapter of the regional set.
//!
//! Invariants: state and the fact that tells of it are written in one transaction, under a condition on
//! what the decision was made on. Personal data is written to the regional table only. Decides nothing:
//! what changes, the pure crates say.

mod heartbeat;
mod tenancy;
mod usage;

pub use self::heartbeat::{HeartbeatStore, HeartbeatStoreError, LastHeartbeat};
pub use self::tenancy::{
    Erasure, Lead, Leaving, Limit, Loaded, Membership, Page, Place, Reach, Registered, Remembered, Resolved, Taken,
    Tally, TenantReader, TenantStore, TenantStoreError, Workspace,
};
pub use self::usage::{
    FoundSegment, Intake, Pending, Settled, Settler, UsageBacklog, UsageEraser, UsageMonitor, UsageStoreError,
    segment_of_image,
};
