//! What an operator sets of a region's tenants.

use jiff::SignedDuration;
use kernel::{Invalid, Timestamp};
use std::str::FromStr;

/// Who makes a tenant's resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::EnumString)]
#[strum(
    serialize_all = "lowercase",
    parse_err_ty = Invalid,
    parse_err_fn = no_provisioning_mode
)]
pub enum ProvisioningMode {
    /// Nobody needs to: a confirmed tenant can be used at once.
    Auto,
    /// The application plane is asked, and its answer decides.
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
    /// Whether the events of AWS SaaS Builder Toolkit are published too.
    pub builder_toolkit: bool,
    /// How long the application may take for an answer.
    pub answer_within: SignedDuration,
    /// How long a sign-up waits for its confirmation.
    pub confirm_within: SignedDuration,
    /// How long a closure can be undone.
    pub grace: SignedDuration,
    /// How long the data of a closed tenant is kept.
    pub retention: SignedDuration,
    /// Whether a tenant's address leads nowhere until a record is made in a hosted zone.
    pub is_routed: bool,
}

impl FromStr for Settings {
    type Err = Invalid;

    /// Every setting once, as in `provisioning=auto builder_toolkit=false answer_minutes=60
    /// confirm_hours=24 grace_days=30 retention_days=30 hosted_zone=`; no zone is one too.
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

/// How long a tenant whose grace has ended is left until its last usage is settled: longer than the
/// intake remembers a tenant, and than the sweep takes.
pub const DRAIN: SignedDuration = SignedDuration::from_mins(5);
/// How long a closing tenant waits for its last usage. What cannot be settled by then raises its
/// own alarm.
pub const DRAIN_MAX: SignedDuration = SignedDuration::from_hours(24);
/// How long a tenant is kept whose resources could not be made and that nobody asks for any more.
pub(crate) const ABANDONED: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How soon is looked again at something that was not ready.
pub const LOOK_AGAIN: SignedDuration = SignedDuration::from_mins(1);
/// How often the application is asked to remove a tenant's resources.
pub(crate) const DEPROVISIONINGS_MAX: u64 = 5;

/// A moment later, or the last moment that there is.
#[must_use]
pub(crate) fn after(now: Timestamp, wait: SignedDuration) -> Timestamp {
    now.saturating_add(wait).unwrap_or(Timestamp::MAX)
}
