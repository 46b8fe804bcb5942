//! What of the measured may cross the border.

use crate::measure::Measured;
use contract::HeartbeatReported;
use jiff::SignedDuration;
use kernel::{Mode, Timestamp};

/// How much the region tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DisclosureThreshold {
    pub(crate) mode: Mode,
    /// In a sovereign region, counts over fewer active tenants stay at home.
    pub(crate) tenants_min: u64,
}

impl DisclosureThreshold {
    /// A gauge that did not answer reports nothing waiting: the dependency is reported down beside
    /// it.
    pub(crate) fn report(self, measured: &Measured, now: Timestamp) -> HeartbeatReported {
        let may_count = self.may_count(measured);
        let outbox = measured.outbox.unwrap_or_default();
        let usage = measured.usage.unwrap_or_default();
        HeartbeatReported {
            mode: self.mode,
            tenants: measured.tenants.filter(|_| may_count),
            events: measured.events.filter(|_| may_count),
            outbox_waiting: outbox.waiting,
            outbox_lag_ms: lag_ms(outbox.oldest, now),
            usage_waiting: usage.pending,
            usage_lag_ms: lag_ms(usage.oldest, now),
            dependencies: measured.dependencies.clone(),
        }
    }

    /// Where the number of tenants is not known, it counts as too small.
    fn may_count(self, measured: &Measured) -> bool {
        let active = measured.tenants.map_or(0, |tenants| tenants.active);
        self.mode != Mode::Sovereign || active >= self.tenants_min
    }
}

fn lag_ms(oldest: Option<Timestamp>, now: Timestamp) -> u64 {
    let waited = oldest.map_or(SignedDuration::ZERO, |oldest| now.duration_since(oldest));
    u64::try_from(waited.as_millis()).unwrap_or_default()
}
