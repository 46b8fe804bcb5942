//! The DynamoDB adapter of the regional set.
//!
//! Invariants: state and the event that tells of it are written in one transaction, under a
//! condition on what the decision was made on. Personal data is written to the regional table only.
//! Decides nothing: what changes, the pure crates say.

mod heartbeat;
mod tenancy;
mod usage;

pub use self::heartbeat::{HeartbeatStore, HeartbeatStoreError, LastHeartbeat};
pub use self::tenancy::{
    Destination, Erasure, Leaving, Limit, LoadOptions, MailTally, Membership, Page, RegionAddress,
    Registered, Remembered, Resolved, Taken, Tally, TenantReader, TenantStore, TenantStoreError,
    TenantView, UsageTerms, Workspace,
};
pub use self::usage::{
    CorrectedEvent, CorrectionNote, CorrectionOutcome, CorrectionRecord, FoundSegment, Pending,
    Resent, RolledUp, RollupWriter, SEARCH_BYTES_MAX, STORE_TIME_MAX, SealTask, SearchBudget,
    SegmentWriter, StoredTotals, UsageAlerts, UsageBacklog, UsageEraser, UsageMonitor, UsageReader,
    UsageStoreError, segment_of_image,
};
