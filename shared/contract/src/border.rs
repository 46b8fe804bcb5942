//! The facts. Values are absolute and carry a revision, never a delta: a consumer keeps the
//! highest.

use crate::SealDigest;
use crate::envelope::Moment;
use kernel::{
    Alias, BillingPeriod, ClaimDigest, EntitlementCode, Jurisdiction, Location, MeterCode, Mode,
    Money, OnboardingId, PlanCode, PublicUrl, Quantity, ReasonCode, RegionName, StatusReason,
    Suspension, TenantId, TenantStatus, Timestamp, UsageGroup, WindowSize,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Declares a fact's type, version and source.
macro_rules! fact {
    ($name:ident, $version:literal, $source:literal) => {
        impl $crate::Fact for $name {
            const TYPE: &'static str = concat!(stringify!($name), ".v", $version);
            const SOURCE: &'static str = $source;
        }
    };
}
pub(crate) use fact;

/// A tenant's status changed. Stream: the tenant's; the sequence is the tenant's revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantStatusChanged {
    /// The tenant.
    pub tenant: TenantId,
    /// Its public label.
    pub alias: Alias,
    /// Its plan.
    pub plan: PlanCode,
    /// Its status from now on.
    pub status: TenantStatus,
    /// Why.
    pub reason: StatusReason,
    /// The tenant's version: the highest wins.
    pub revision: u64,
}
fact!(TenantStatusChanged, 1, "meridian.tenancy");

/// Which part of a window's usage a total is.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
    ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum WindowPart {
    /// What came before the window was sealed.
    #[default]
    Window,
    /// What came after it was sealed, or was taken back then: it adds to the sealed total.
    Adjustment,
}

/// One total so far, of a day or, where days do not add up, of a billing period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageWindow {
    /// The meter.
    pub meter: MeterCode,
    /// The values of its dimensions.
    #[serde(default)]
    pub group: UsageGroup,
    /// How long the window is.
    pub size: WindowSize,
    /// The window's first moment, UTC.
    #[schemars(with = "Moment")]
    pub start: Timestamp,
    /// Which part of its usage this is.
    #[serde(default)]
    pub part: WindowPart,
    /// The meter's value over the window; of a mean, the sum that is yet to be divided by the
    /// number of events.
    pub value: Quantity,
    /// How many events it is made of; negative in an adjustment that takes back more than came
    /// late.
    pub events: i64,
    /// The time of the event whose value is the latest, UTC: of meters that keep the latest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Moment>")]
    pub latest_at: Option<Timestamp>,
    /// Grows with every change of the total: the highest wins.
    pub revision: u64,
}

/// Totals of one tenant changed. Stream: the tenant's usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageWindowUpdated {
    /// The tenant.
    pub tenant: TenantId,
    /// The totals that changed, each as it is now. At most 60.
    pub windows: Vec<UsageWindow>,
}
fact!(UsageWindowUpdated, 1, "meridian.metering");

/// What home wants to hold for a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct TenantPolicy {
    /// Grows with every change: the highest wins.
    pub version: u64,
    /// The plan that the entitlements come from.
    pub plan: PlanCode,
    /// Who wants the tenant suspended; absent when nobody does.
    pub suspension: Option<Suspension>,
    /// What the tenant is entitled to.
    pub entitlements: Vec<EntitlementCode>,
}

/// Home published a tenant's policy; the envelope's region is the addressee. Stream: the tenant's;
/// the sequence is the policy's version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantPolicyPublished {
    /// The tenant.
    pub tenant: TenantId,
    /// Its policy, in full.
    pub policy: TenantPolicy,
}
fact!(TenantPolicyPublished, 1, "meridian.central");

/// A region applied a tenant's policy. Stream: the tenant's; the sequence is the policy's version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantPolicyApplied {
    /// The tenant.
    pub tenant: TenantId,
    /// The version that now holds in the region.
    pub version: u64,
}
fact!(TenantPolicyApplied, 1, "meridian.policy");

/// Usage events of a region, since it was set up.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema,
)]
pub struct EventCounts {
    /// Counted once in a window.
    pub accepted: u64,
    /// Seen before with the same content.
    pub duplicates: u64,
    /// Seen before with other content.
    pub conflicts: u64,
    /// Refused at the edge, by sender: what tenants send wrongly hides nothing of what the
    /// provider's services do.
    pub rejected: RejectedCounts,
    /// In requests that the region could not take, since it was too busy or failed. Each attempt
    /// counts, and an event that is sent again is stored all the same.
    pub not_stored: u64,
}

/// Usage events that a region refused, by who sent them.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema,
)]
pub struct RejectedCounts {
    /// Of tenants' own clients.
    pub tenants: ReasonCounts,
    /// Of the provider's services.
    pub provider: ReasonCounts,
}

impl RejectedCounts {
    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        [self.tenants, self.provider]
            .iter()
            .map(ReasonCounts::total)
            .sum()
    }
}

/// The kinds of reasons that usage events are refused for. A closed list: what was refused for one
/// never counts as another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum RejectionKind {
    /// It is not shaped as an event has to be.
    Malformed,
    /// Its type belongs to no meter.
    UnknownMeter,
    /// Its tenant is not in use in the region, or not the sender's.
    UnknownTenant,
    /// Its time is too late, too early, or before the tenant's first billing period.
    OutOfTime,
    /// What it says of its meter is not what the meter reads.
    InvalidValue,
    /// It contradicts an event before it in the request.
    Conflict,
    /// It is a correction that cannot be made.
    Correction,
}

impl RejectionKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Malformed,
        Self::UnknownMeter,
        Self::UnknownTenant,
        Self::OutOfTime,
        Self::InvalidValue,
        Self::Conflict,
        Self::Correction,
    ];

    /// The kind's name, which is that of its count.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Usage events that were refused, by kind of reason.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema,
)]
pub struct ReasonCounts {
    /// Not shaped as an event has to be.
    pub malformed: u64,
    /// Of a type that belongs to no meter.
    pub unknown_meter: u64,
    /// Of a tenant that is not in use in the region, or not the sender's.
    pub unknown_tenant: u64,
    /// Of a time that is too late, too early, or before the tenant's first billing period.
    pub out_of_time: u64,
    /// With data that is not what the meter reads.
    pub invalid_value: u64,
    /// Contradicting an event before it in the request.
    pub conflict: u64,
    /// Corrections that cannot be made.
    pub correction: u64,
}

impl ReasonCounts {
    /// The count of a kind.
    pub const fn of_mut(&mut self, kind: RejectionKind) -> &mut u64 {
        match kind {
            RejectionKind::Malformed => &mut self.malformed,
            RejectionKind::UnknownMeter => &mut self.unknown_meter,
            RejectionKind::UnknownTenant => &mut self.unknown_tenant,
            RejectionKind::OutOfTime => &mut self.out_of_time,
            RejectionKind::InvalidValue => &mut self.invalid_value,
            RejectionKind::Conflict => &mut self.conflict,
            RejectionKind::Correction => &mut self.correction,
        }
    }

    /// All of them.
    #[must_use]
    pub fn total(&self) -> u64 {
        let mut counts = *self;
        RejectionKind::ALL
            .into_iter()
            .map(|kind| *counts.of_mut(kind))
            .sum()
    }
}

/// Tenants of a region by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantCounts {
    /// Signed up and not yet confirmed.
    pub pending: u64,
    /// In use.
    pub active: u64,
    /// Everything else that is not closed.
    pub other: u64,
}

/// What a region depends on.
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
    JsonSchema,
    ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Dependency {
    /// The table of tenants.
    RegionalTable,
    /// The table of usage.
    UsageTable,
    /// The table of events to publish.
    OutboxTable,
}

/// How a dependency answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DependencyState {
    /// It answered.
    Up,
    /// It did not.
    Down,
}

/// A dependency's state when the region looked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct DependencyHealth {
    /// Which dependency.
    pub dependency: Dependency,
    /// How it answered.
    pub state: DependencyState,
    /// How long it took.
    pub latency_ms: u64,
}

/// A region's health. Stream: the region's; the sequence is the heartbeat's number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HeartbeatReported {
    /// The region's mode.
    pub mode: Mode,
    /// Tenants by status. Absent where there are too few to be named in total.
    pub tenants: Option<TenantCounts>,
    /// Usage events. Absent in a sovereign region with too few tenants to hide one.
    pub events: Option<EventCounts>,
    /// Events waiting to be published.
    pub outbox_waiting: u64,
    /// How long the oldest of them has been waiting.
    pub outbox_lag_ms: u64,
    /// Usage segments waiting to be settled.
    pub usage_waiting: u64,
    /// How long the oldest of them has been waiting.
    pub usage_lag_ms: u64,
    /// What the region depends on.
    pub dependencies: Vec<DependencyHealth>,
}
fact!(HeartbeatReported, 1, "meridian.fleet");

/// A sovereign region billed a period. Stated once per run, and only over a minimum number of
/// tenants, so that no tenant's total can be told from two statements. Stream: the region's
/// billing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct RegionBillingTotaled {
    /// The period that was billed.
    pub period: BillingPeriod,
    /// How many invoices.
    pub invoices: u64,
    /// Their sum, one per currency.
    pub totals: Vec<Money>,
    /// How many usage events they bill.
    pub events: u64,
}
fact!(RegionBillingTotaled, 1, "meridian.billing");

/// A tenant's administrator asks for another plan. Stream: the tenant's; the sequence counts the
/// tenant's requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanChangeRequested {
    /// The tenant.
    pub tenant: TenantId,
    /// The plan that it wants.
    pub plan: PlanCode,
    /// How many such requests the tenant has made: the highest wins.
    pub revision: u64,
}
fact!(PlanChangeRequested, 1, "meridian.tenancy");

/// A region erased all that it held of a closed tenant. Stream: the tenant's; the sequence is the
/// tenant's last version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TenantErased {
    /// The tenant.
    pub tenant: TenantId,
}
fact!(TenantErased, 1, "meridian.tenancy");

/// The steps of a sign-up.
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
    JsonSchema,
    ToSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum StepName {
    /// The registration is stored in the region.
    Registration,
    /// The identity provider has the administrator's account, and mailed the code.
    Identity,
    /// The administrator confirmed the address.
    Confirmation,
    /// The application made the tenant's resources.
    Provisioning,
    /// The tenant's alias leads to the region.
    Routing,
    /// The tenant can be used.
    Activation,
}

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StepState {
    /// Not yet.
    Waiting,
    /// Done.
    Done,
    /// Failed. The operation says whether it can be repeated.
    Failed,
}

/// One step of a sign-up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema, ToSchema)]
pub struct Step {
    /// Which.
    pub name: StepName,
    /// How far it is.
    pub state: StepState,
    /// When it was done or failed, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Moment>")]
    pub at: Option<Timestamp>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReasonCode>,
}

/// How far a region is with an onboarding that home handed over. Stream: the tenant's; the sequence
/// is the revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OnboardingProgressed {
    /// Home's operation.
    pub onboarding: OnboardingId,
    /// The tenant that it makes.
    pub tenant: TenantId,
    /// The tenant's public label.
    pub alias: Alias,
    /// Every step, in order.
    pub steps: Vec<Step>,
    /// Grows with every change of the sign-up: the highest wins.
    pub revision: u64,
}
fact!(OnboardingProgressed, 1, "meridian.tenancy");

/// What a region says of itself to who looks for one. Stream: the region's; the sequence is that of
/// the heartbeat it was stated with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegionDescribed {
    /// What it is called.
    pub name: RegionName,
    /// Whose law applies there.
    pub jurisdiction: Jurisdiction,
    /// Its residency mode.
    pub mode: Mode,
    /// Where its sign-ups are posted.
    pub signup_url: PublicUrl,
    /// Whether it takes new tenants.
    pub accepts_new_tenants: bool,
    /// How many tenants it has room for; absent for any number.
    pub capacity_tenants: Option<u64>,
    /// Where it is.
    pub location: Option<Location>,
}
fact!(RegionDescribed, 1, "meridian.fleet");

/// What a region says of a tenant's claim to a label.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ClaimPhase {
    /// The tenant asks for it.
    Requested,
    /// The region keeps the label free for the tenant, and asks for the claim to be made permanent.
    Confirmed,
    /// The tenant gives it up.
    Released,
}

/// How far a tenant's claim to a label is that the tenant chose. The label itself does not leave
/// the region. Stream: the tenant's; the sequence is the revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VanityClaimed {
    /// The tenant.
    pub tenant: TenantId,
    /// What the label is known by.
    pub claim: ClaimDigest,
    /// How far the claim is.
    pub phase: ClaimPhase,
    /// Grows with everything that is said of any claim of the tenant: of one claim the highest
    /// wins.
    pub revision: u64,
}
fact!(VanityClaimed, 1, "meridian.tenancy");

/// What home decides of a tenant's claim to a label.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum ClaimDecision {
    /// Nobody else gets the label for a quarter of an hour.
    Leased,
    /// The label is the tenant's.
    Confirmed,
    /// Another tenant has it, or had it a short while ago.
    Refused,
    /// The label is the tenant's no longer.
    Released,
}

/// Home decided on a claim; the envelope's region is the addressee. Stream: the tenant's; the
/// sequence is the revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VanityDecided {
    /// The tenant.
    pub tenant: TenantId,
    /// What the label is known by.
    pub claim: ClaimDigest,
    /// What is decided.
    pub decision: ClaimDecision,
    /// The revision of what it answers.
    pub revision: u64,
}
fact!(VanityDecided, 1, "meridian.central");

/// A day of a tenant's usage is sealed: what comes for it from now on is an adjustment. Stream: the
/// tenant's usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageSealed {
    /// The tenant.
    pub tenant: TenantId,
    /// The day's first moment, UTC.
    #[schemars(with = "Moment")]
    pub day: Timestamp,
    /// How many totals are sealed: those of the day and, with the last day of a billing period,
    /// those of the period.
    pub totals: u64,
    /// The digest of those totals, see [`SealDigest::of`].
    pub digest: SealDigest,
}
fact!(UsageSealed, 1, "meridian.metering");

/// Whoever keeps the ledger lacks totals of a tenant's day, or has others than were sealed, and
/// asks for them again; the envelope's region is the addressee. Stream: the tenant's usage; the
/// sequence is the request's number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageResendRequested {
    /// The tenant.
    pub tenant: TenantId,
    /// The day's first moment, UTC.
    #[schemars(with = "Moment")]
    pub day: Timestamp,
}
fact!(UsageResendRequested, 1, "meridian.billing");

/// Whoever keeps the ledger asks where the stream of a tenant's usage ends: of what was lost at its
/// end, nothing that follows tells. The envelope's region is the addressee. Stream: the tenant's
/// usage; the sequence is the number of the day, of which each has one such request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageStreamRequested {
    /// The tenant.
    pub tenant: TenantId,
}
fact!(UsageStreamRequested, 1, "meridian.billing");

/// The stream of a tenant's usage ends here: what was stated before has a lower number than this.
/// Stream: the tenant's usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageStreamStated {
    /// The tenant.
    pub tenant: TenantId,
    /// Days that end by then are sealed, UTC: the first moment of the first day that is not. Absent
    /// when none is sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Moment>")]
    pub sealed_until: Option<Timestamp>,
}
fact!(UsageStreamStated, 1, "meridian.metering");
