//! The operator's settings for a region's tenants.

use jiff::SignedDuration;
use kernel::{Invalid, Timestamp};
use std::str::FromStr;

/// How a tenant's resources are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(
    serialize_all = "lowercase",
    parse_err_ty = Invalid,
    parse_err_fn = no_provisioning_mode
)]
pub enum ProvisioningMode {
    /// No resources are needed: a confirmed tenant is active at once.
    Auto,
    /// The application plane makes them, and the tenant becomes active when it reports success.
    External,
}

fn no_provisioning_mode(_: &str) -> Invalid {
    Invalid {
        kind: "provisioning mode",
        rule: "auto or external",
    }
}

/// The deadlines and modes of a region.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Who makes a tenant's resources.
    pub provisioning: ProvisioningMode,
    /// Whether events for AWS SaaS Builder Toolkit are published as well.
    pub builder_toolkit: bool,
    /// The time within which the application has to answer.
    pub answer_within: SignedDuration,
    /// The time within which a sign-up has to be confirmed.
    pub confirm_within: SignedDuration,
    /// The time within which a closure can be undone.
    pub grace: SignedDuration,
    /// How long the data of a closed tenant is retained.
    pub retention: SignedDuration,
    /// Whether a tenant's address needs a record in a hosted zone.
    pub is_routed: bool,
}

impl FromStr for Settings {
    type Err = Invalid;

    /// Parses the settings, each given exactly once, as in `provisioning=auto builder_toolkit=false
    /// answer_minutes=60 confirm_hours=24 grace_days=30 retention_days=30 hosted_zone=`. An empty
    /// hosted zone means none.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = Invalid {
            kind: "tenant settings",
            rule: "provisioning, builder_toolkit, answer_minutes, confirm_hours, grace_days, retention_days and \
                   hosted_zone, each as name=value, separated by blanks",
        };
        let value = |name: &str| {
            let mut values = text
                .split_ascii_whitespace()
                .filter_map(|setting| setting.split_once('='));
            values
                .find(|(given, _)| *given == name)
                .map(|(_, value)| value)
                .ok_or(invalid)
        };
        let count = |name: &str| {
            value(name)?
                .parse::<i32>()
                .ok()
                .filter(|count| *count >= 0)
                .ok_or(invalid)
        };
        if text.split_ascii_whitespace().count() != 7 {
            return Err(invalid);
        }
        Ok(Self {
            provisioning: value("provisioning")?.parse()?,
            builder_toolkit: value("builder_toolkit")?.parse().map_err(|_| invalid)?,
            answer_within: SignedDuration::from_mins(count("answer_minutes")?.into()),
            confirm_within: SignedDuration::from_hours(count("confirm_hours")?.into()),
            grace: SignedDuration::from_hours(i64::from(count("grace_days")?) * 24),
            retention: SignedDuration::from_hours(i64::from(count("retention_days")?) * 24),
            is_routed: !value("hosted_zone")?.is_empty(),
        })
    }
}

/// The time between the end of a tenant's grace period and the first check of its backlog of usage.
/// It is longer than usage-ingest caches a tenant, and than a poll of the backlog takes.
pub const DRAIN: SignedDuration = SignedDuration::from_mins(5);
/// The longest time that a closing tenant waits for its last usage. Usage that cannot be rolled up
/// by then raises its own alarm.
pub const DRAIN_MAX: SignedDuration = SignedDuration::from_hours(24);
/// How long a tenant is retained after its provisioning failed, if nobody retries.
pub(crate) const ABANDONED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// The interval between checks of a backlog that is not empty yet.
pub const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// The most requests to the application to remove a tenant's resources.
pub(crate) const DEPROVISIONINGS_MAX: u64 = 5;

/// Adds a duration, up to the latest representable time.
#[must_use]
pub(crate) fn after(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}
