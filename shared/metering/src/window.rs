//! Windows: which there are, and their totals.

use crate::{PageKey, Value};
use contract::catalogue::Aggregation;
use contract::{UsageWindow, WindowPart};
use jiff::Timestamp;
use kernel::{Invalid, MeterCode, UsageGroup, WindowSize};

/// What an event says of its meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// A number; one when the meter counts.
    Number(Value),
    /// One of the values that the meter counts the different ones of.
    Member(crate::Identity),
}

/// Which total, within a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowKey {
    /// The meter.
    pub meter: MeterCode,
    /// The values of its dimensions.
    pub group: UsageGroup,
    /// How long the window is.
    pub size: WindowSize,
    /// The window's first moment.
    pub start: Timestamp,
    /// Which part of its usage.
    pub part: WindowPart,
}

/// A total so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    /// The meter's value; of a mean, the sum.
    pub value: Value,
    /// How many events it is made of. Below zero in an adjustment that takes back more than came late.
    pub events: i64,
    /// When the event was whose value is the latest.
    pub latest_at: Option<Timestamp>,
    /// Grows with every change.
    pub revision: u64,
}

impl WindowKey {
    /// The page that holds the total.
    #[must_use]
    pub fn page(&self) -> PageKey {
        PageKey::of(&self.meter, self.size, self.start)
    }

    /// The total, as it is stated.
    ///
    /// # Errors
    /// Never for totals that settling made.
    pub fn stated(&self, window: &Window) -> Result<UsageWindow, Invalid> {
        Ok(UsageWindow {
            meter: self.meter.clone(),
            group: self.group.clone(),
            size: self.size,
            start: self.start,
            part: self.part,
            value: window.value.to_quantity()?,
            events: window.events,
            latest_at: window.latest_at,
            revision: window.revision,
        })
    }
}

impl Window {
    /// The total with one more event's number, or nothing when it would not fit.
    pub(crate) fn with(self, aggregation: Aggregation, value: Value, at: Timestamp) -> Option<Self> {
        let is_first = self.events == 0;
        let mut latest_at = self.latest_at;
        let value = match aggregation {
            Aggregation::Count | Aggregation::Sum | Aggregation::Avg | Aggregation::UniqueCount => {
                self.value.plus(value)?
            }
            Aggregation::Min if is_first => value,
            Aggregation::Min => self.value.min(value),
            Aggregation::Max if is_first => value,
            Aggregation::Max => self.value.max(value),
            Aggregation::Latest => {
                let newest = latest_at.map_or((at, value), |before| (before, self.value).max((at, value)));
                latest_at = Some(newest.0);
                newest.1
            }
        };
        Some(Self { value, events: self.events + 1, latest_at, ..self })
    }

    /// The total without one event's number, or nothing when it would not fit. Of meters that are reversible.
    pub(crate) fn without(self, value: Value) -> Option<Self> {
        Some(Self { value: self.value.plus(value.negated())?, events: self.events - 1, ..self })
    }
}
