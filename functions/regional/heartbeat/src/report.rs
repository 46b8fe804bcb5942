//! Selects the measurements that may cross the border.

use crate::measure::Measured;
use contract::HeartbeatReported;
use jiff::SignedDuration;
use kernel::{Mode, Timestamp};

/// The condition under which the region reports its counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DisclosureThreshold {
    pub(crate) mode: Mode,
    /// In a sovereign region, counts over fewer active tenants do not leave the region.
    pub(crate) tenants_min: u64,
}

impl DisclosureThreshold {
    /// The heartbeat of a measurement. A gauge without an answer reports an empty backlog; its
    /// dependency is reported down in the same heartbeat.
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

    /// Whether counts may be reported. An unknown number of tenants counts as too small.
    fn may_count(self, measured: &Measured) -> bool {
        let active = measured.tenants.map_or(0, |tenants| tenants.active);
        self.mode != Mode::Sovereign || active >= self.tenants_min
    }
}

fn lag_ms(oldest: Option<Timestamp>, now: Timestamp) -> u64 {
    let lag = oldest.map_or(SignedDuration::ZERO, |oldest| now.duration_since(oldest));
    // Clocks differ: an oldest entry of the future has no lag.
    u64::try_from(lag.as_millis()).unwrap_or_default()
}
