//! A tenant's status, a user's role and a machine client's scopes: words that tokens and events
//! carry.

/// The status of a tenant.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum TenantStatus {
    /// Signed up, address not yet confirmed.
    Pending,
    /// Confirmed; resources are being made.
    Provisioning,
    /// In use.
    Active,
    /// Its data is retained, but nobody can sign in.
    Suspended,
    /// Being closed: within the grace period.
    Closing,
    /// Closed for good.
    Closed,
    /// Moving to another region.
    Relocating,
}

impl TenantStatus {
    /// Every status, in the order of the lifecycle.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Provisioning,
        Self::Active,
        Self::Suspended,
        Self::Closing,
        Self::Closed,
        Self::Relocating,
    ];

    /// The status as stored and sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Why a tenant's status changed.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StatusReason {
    /// A sign-up was accepted.
    SignedUp,
    /// The administrator confirmed the address.
    Confirmed,
    /// The application made the resources.
    Provisioned,
    /// An operator's decision.
    Operator,
    /// The dunning policy's decision.
    Dunning,
    /// The address was not confirmed in time.
    Expired,
    /// The tenant's administrator requested the closure.
    ClosureRequested,
    /// The administrator or an operator undid the closure within the grace period.
    ClosureUndone,
    /// The grace period is over.
    GraceEnded,
    /// The plan changed and the status did not.
    PlanChanged,
}

/// The reason for a suspension that home wants.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Suspension {
    /// An operator's decision.
    Operator,
    /// The dunning policy's decision.
    Dunning,
}

/// Whether a tenant's resources are shared or its own.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
    strum::IntoStaticStr,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Tier {
    /// Resources that many tenants share.
    Pool,
    /// Resources of the tenant's own.
    Silo,
}

impl Tier {
    /// The tier as stored and sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The role of a user within a tenant.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
    utoipa::ToSchema,
    strum::IntoStaticStr,
    strum::Display,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Role {
    /// Manages the tenant.
    Admin,
    /// Uses the product.
    Member,
}

impl Role {
    /// The role as in tokens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What a machine client may do, by the name that the identity provider knows.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
pub enum MachineScope {
    /// To report the tenant's usage.
    #[serde(rename = "usage/write")]
    UsageWrite,
    /// To read the tenant's usage.
    #[serde(rename = "usage/read")]
    UsageRead,
    /// To read what the tenant is and what it is entitled to.
    #[serde(rename = "tenant/read")]
    TenantRead,
}

impl MachineScope {
    /// The scope as a token names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UsageWrite => "usage/write",
            Self::UsageRead => "usage/read",
            Self::TenantRead => "tenant/read",
        }
    }
}
