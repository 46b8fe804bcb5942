//! Tasks that are scheduled for a tenant.

use kernel::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// A task for a tenant at a given time. It may turn out that nothing is left to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScheduledTask {
    /// When it is due.
    pub at: Timestamp,
    /// The kind of task.
    pub kind: TaskKind,
    /// The tenant.
    pub tenant: TenantId,
}

/// The kinds of tasks.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum TaskKind {
    /// Expires a sign-up that is not confirmed.
    Expiry,
    /// Fails a provisioning request that is not answered.
    Provisioning,
    /// Ends the grace period of a closure.
    Grace,
    /// Closes a tenant whose usage is rolled up.
    Drain,
    /// Erases the data of a closed tenant after its retention.
    Erasure,
    /// Repeats a deprovisioning request that is not answered.
    Deprovisioning,
    /// Deletes machine clients that have ended.
    Clients,
    /// Repeats a request for a subdomain that home has not answered.
    Subdomains,
    /// Sends mails that had to wait for their address's limit.
    Mail,
}

impl TaskKind {
    /// The kind as it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
