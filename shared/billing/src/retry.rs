//! Retries of the reconciliation, with growing pauses, until the ledger agrees with a region.

use jiff::SignedDuration;
use kernel::{Invalid, RegionCode, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// The state of the retries for a subject that is not reconciled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryState {
    /// The time at which the difference was found.
    pub since: Timestamp,
    /// The number of requests for its totals.
    pub requests: u32,
    /// The time of the next check.
    pub due_at: Timestamp,
    /// The time at which it became an incident.
    pub incident_since: Option<Timestamp>,
}

/// The time before the first check. Events overtake each other by minutes, so most differences
/// vanish by themselves.
const FIRST_LOOK: SignedDuration = SignedDuration::from_mins(15);
/// The pause after the first request. It doubles with each further request, up to the incident.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(30);
/// The pause between the requests of an incident.
const PAUSE_MAX: SignedDuration = SignedDuration::from_hours(24);

impl RetryState {
    /// The number of requests before an incident is raised. After that, there is one request a day.
    pub const REQUESTS_MAX: u32 = 3;

    /// Starts the retries for a difference that was just found.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            since: now,
            requests: 0,
            due_at: after(now, FIRST_LOOK),
            incident_since: None,
        }
    }

    /// Whether the next check is due.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due_at <= now
    }

    /// The state after one more request. It is an incident once [`Self::REQUESTS_MAX`] requests
    /// were in vain.
    pub(crate) fn after_request(self, now: Timestamp) -> Self {
        let in_vain = self.requests >= Self::REQUESTS_MAX;
        let requests = self.requests.saturating_add(1);
        let pause = if in_vain {
            PAUSE_MAX
        } else {
            FIRST_PAUSE * (1 << self.requests)
        };
        let incident_since = self.incident_since.or(in_vain.then_some(now));
        Self {
            requests,
            due_at: after(now, pause),
            incident_since,
            ..self
        }
    }

    /// The state as an incident at once, for a difference that no request can resolve.
    pub(crate) fn escalated(self, now: Timestamp) -> Self {
        Self {
            incident_since: self.incident_since.or(Some(now)),
            ..self
        }
    }
}

fn after(moment: Timestamp, pause: SignedDuration) -> Timestamp {
    moment.saturating_add(pause).unwrap_or(Timestamp::MAX)
}

/// A subject of the reconciliation: a sealed day of a tenant, or the reports of its usage from a
/// region.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeDisplay, DeserializeFromStr,
)]
pub enum Subject {
    /// A sealed day, by its start.
    Day(TenantId, Timestamp),
    /// The reports from a region.
    Reports(TenantId, RegionCode),
}

impl Subject {
    /// The tenant.
    #[must_use]
    pub const fn tenant(&self) -> TenantId {
        match self {
            Self::Day(tenant, _) | Self::Reports(tenant, _) => *tenant,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Day(tenant, day) => write!(f, "{tenant}/day/{day}"),
            Self::Reports(tenant, region) => write!(f, "{tenant}/reports/{region}"),
        }
    }
}

impl FromStr for Subject {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid {
            kind: "subject",
            rule: "<tenant>/day/<moment> or <tenant>/reports/<region>",
        };
        let mut parts = text.splitn(3, '/');
        let mut part = || parts.next().ok_or(invalid);
        let tenant = part()?.parse()?;
        match part()? {
            "day" => Ok(Self::Day(tenant, part()?.parse().map_err(|_| invalid)?)),
            "reports" => Ok(Self::Reports(tenant, part()?.parse()?)),
            _ => Err(invalid),
        }
    }
}

/// What is wrong with the ledger, and did not mend by asking.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema, strum::IntoStaticStr,
)]
#[serde(rename_all = "snake_case")]
#[schema(as = UsageIncidentKind)]
#[strum(serialize_all = "snake_case")]
pub enum IncidentKind {
    /// The ledger's totals of a sealed day differ from the sealed ones.
    TotalsDiffer,
    /// The region sealed the day twice, with different totals.
    SealDisputed,
    /// Reports of usage have not arrived.
    ReportsMissing,
}

impl IncidentKind {
    /// The kind's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A fault of a tenant's usage in the ledger that repeated requests did not resolve. It is listed
/// until it is resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UsageIncident)]
pub struct Incident {
    /// The tenant.
    pub tenant: TenantId,
    /// The region that publishes the tenant's usage.
    pub region: RegionCode,
    /// The kind of fault.
    pub kind: IncidentKind,
    /// The start of the day, in UTC; absent for missing reports.
    pub day: Option<Timestamp>,
    /// The number of missing reports; absent for days.
    pub missing_reports: Option<u64>,
    /// The time at which it became an incident.
    pub since: Timestamp,
    /// The number of requests for its totals.
    pub requests: u32,
}

impl Incident {
    /// The subject of the incident.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self.day {
            Some(day) => Subject::Day(self.tenant, day),
            None => Subject::Reports(self.tenant, self.region.clone()),
        }
    }
}
