//! What does not hold is looked at again, with growing pauses, until it does.

use jiff::SignedDuration;
use kernel::{Invalid, RegionCode, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// How far it is with something that does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RetryState {
    /// When that was noticed.
    pub since: Timestamp,
    /// How often totals were asked for again.
    pub requests: u32,
    /// When it is looked at next.
    pub due_at: Timestamp,
    /// Since when it is an incident.
    pub incident_since: Option<Timestamp>,
}

/// Events overtake each other by minutes: so long nobody is asked for anything.
const FIRST_LOOK: SignedDuration = SignedDuration::from_mins(15);
const FIRST_PAUSE: SignedDuration = SignedDuration::from_mins(30);
const PAUSE_MAX: SignedDuration = SignedDuration::from_hours(24);

impl RetryState {
    /// How often totals are asked for before it is an incident; after that, once a day.
    pub const REQUESTS_MAX: u32 = 3;

    /// What was just noticed.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            since: now,
            requests: 0,
            due_at: after(now, FIRST_LOOK),
            incident_since: None,
        }
    }

    /// Whether it is time to look.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        self.due_at <= now
    }

    /// The retry after one more request; an incident when as many as may be were in vain.
    pub(crate) fn asked(self, now: Timestamp) -> Self {
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

    /// The retry as an incident at once: there is nothing that asking could bring.
    pub(crate) fn raised(self, now: Timestamp) -> Self {
        Self {
            incident_since: self.incident_since.or(Some(now)),
            ..self
        }
    }
}

fn after(moment: Timestamp, pause: SignedDuration) -> Timestamp {
    moment.saturating_add(pause).unwrap_or(Timestamp::MAX)
}

/// What is unreconciled: a sealed day of a tenant, or the reports of its usage from a region.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeDisplay, DeserializeFromStr,
)]
pub enum Subject {
    /// A sealed day, by its first moment.
    Day(TenantId, Timestamp),
    /// The reports from a region.
    Reports(TenantId, RegionCode),
}

impl Subject {
    /// Whose usage it is.
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
    /// The ledger's totals of a sealed day are not those that were sealed.
    TotalsDiffer,
    /// The region sealed a day twice, with different totals.
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

/// Something wrong with a tenant's usage in the ledger. It is there as long as it is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = UsageIncident)]
pub struct Incident {
    /// The tenant.
    pub tenant: TenantId,
    /// The region that states the tenant's usage.
    pub region: RegionCode,
    /// What is wrong.
    pub kind: IncidentKind,
    /// The day's first moment, UTC; absent of reports.
    pub day: Option<Timestamp>,
    /// How many reports are missing; absent of days.
    pub missing_reports: Option<u64>,
    /// Since when it is an incident.
    pub since: Timestamp,
    /// How often totals were asked for again.
    pub requests: u32,
}

impl Incident {
    /// What it is about.
    #[must_use]
    pub fn subject(&self) -> Subject {
        match self.day {
            Some(day) => Subject::Day(self.tenant, day),
            None => Subject::Reports(self.tenant, self.region.clone()),
        }
    }
}
