//! A tenant's status, a user's role and a machine client's scopes: words that tokens and events
//! carry.

/// Where a tenant is in its life.
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
    /// Kept, but nobody signs in.
    Suspended,
    /// Being closed: within the grace period.
    Closing,
    /// Closed for good.
    Closed,
    /// Moving to another region.
    Relocating,
}

impl TenantStatus {
    /// Every status, in the order of a tenant's life.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Provisioning,
        Self::Active,
        Self::Suspended,
        Self::Closing,
        Self::Closed,
        Self::Relocating,
    ];

    /// The status as it is stored and sent.
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
    /// Provisioning ended well.
    Provisioned,
    /// An operator's decision.
    Operator,
    /// The dunning policy's decision.
    Dunning,
    /// The address was not confirmed in time.
    Expired,
    /// The tenant's administrator asked for the end.
    ClosureRequested,
    /// The administrator, or an operator, took that back within the grace period.
    ClosureUndone,
    /// The grace period is over.
    GraceEnded,
    /// The status is the same; the plan is another.
    PlanChanged,
}

/// Who wants a tenant to be suspended.
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
    /// An operator.
    Operator,
    /// The dunning policy.
    Dunning,
}

/// How a tenant's resources are made: shared with others, or its own.
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
    /// The tier as it is stored and sent.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What a user may do within a tenant.
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
    /// The role as tokens carry it.
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
