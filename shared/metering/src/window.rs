//! Windows of time that meters are totalled over.

use crate::Value;
use contract::catalogue::Aggregation;
use jiff::Timestamp;
use kernel::MeterCode;

/// How long a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum WindowSize {
    /// A day in UTC.
    #[default]
    Day,
}

impl WindowSize {
    /// The first moment of the window that a moment is in.
    #[must_use]
    pub fn start(self, moment: Timestamp) -> Timestamp {
        let length_s = match self {
            Self::Day => 86_400,
        };
        // `Timestamp::as_second` rounds towards zero, which is up for what came before 1970.
        let second = moment.as_nanosecond().div_euclid(1_000_000_000);
        let start = second - second.rem_euclid(length_s);
        i64::try_from(start).ok().and_then(|start| Timestamp::from_second(start).ok()).unwrap_or(Timestamp::MIN)
    }
}

/// Which window of which meter, within a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowKey {
    /// The meter.
    pub meter: MeterCode,
    /// The window's first moment.
    pub start: Timestamp,
}

/// A window's total so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// The meter's value.
    pub value: Value,
    /// How many events it is made of.
    pub events: u64,
    /// Grows with every change.
    pub revision: u64,
}

impl Window {
    /// Takes one more event's value in. False, and nothing changes, when the total would not fit.
    #[must_use]
    pub(crate) fn add(&mut self, aggregation: Aggregation, value: Value) -> bool {
        let folded = match aggregation {
            Aggregation::Count | Aggregation::Sum => self.value.plus(value),
            Aggregation::Max if self.events == 0 => Some(value),
            Aggregation::Max => Some(self.value.max(value)),
        };
        if let Some(total) = folded {
            self.value = total;
            self.events += 1;
        }
        folded.is_some()
    }
}
