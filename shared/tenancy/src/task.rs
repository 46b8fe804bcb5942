//! What has to be looked at when its time has come.

use kernel::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// A moment at which a tenant has to be looked at. It may turn out that there is nothing left to
/// do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ScheduledTask {
    /// When.
    pub at: Timestamp,
    /// What for.
    pub kind: TaskKind,
    /// Whom.
    pub tenant: TenantId,
}

/// What a tenant is looked at for.
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
    /// A sign-up that may not be confirmed yet.
    Expiry,
    /// A request to make resources that may not be answered yet.
    Provisioning,
    /// The end of a closure's grace period.
    Grace,
    /// A closing tenant whose last usage may be settled.
    Drain,
    /// A closed tenant whose data is no longer kept.
    Erasure,
    /// A request to remove resources that may not be answered yet.
    Deprovisioning,
    /// Machine clients that have ended.
    Clients,
    /// A claim to a subdomain that home may not have answered yet.
    Subdomains,
    /// Mails that addresses had to wait for.
    Mail,
}

impl TaskKind {
    /// The kind as it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
