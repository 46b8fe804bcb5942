//! Windows: which there are, and their totals.

use crate::{Aggregate, PageKey, Value};
use catalogue::Aggregation;
use contract::{UsageWindow, WindowPart};
use jiff::Timestamp;
use kernel::{MeterCode, UsageGroup, WindowSize};
use std::mem::take;

/// What an event says of its meter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// A number; one when the meter counts.
    Number(Value),
    /// The key of a value of which the meter counts the distinct ones.
    Distinct(dedupe::DedupeKey),
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
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window {
    /// The meter's value; of a mean, the sum.
    pub value: Aggregate,
    /// How many events it is made of. Below zero in an adjustment that takes back more than came
    /// late.
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

    /// The total as it is published.
    #[must_use]
    pub fn published(&self, window: &Window) -> UsageWindow {
        UsageWindow {
            meter: self.meter.clone(),
            group: self.group.clone(),
            size: self.size,
            start: self.start,
            part: self.part,
            value: window.value.to_quantity(),
            events: window.events,
            latest_at: window.latest_at,
            revision: window.revision,
        }
    }
}

impl Window {
    /// Adds one more event's number.
    pub(crate) fn add(&mut self, aggregation: Aggregation, value: Value, at: Timestamp) {
        let (value, is_first) = (Aggregate::from(value), self.events == 0);
        match aggregation {
            Aggregation::Count | Aggregation::Sum | Aggregation::Avg | Aggregation::UniqueCount => {
                self.value.add(&value);
            }
            Aggregation::Min | Aggregation::Max if is_first => self.value = value,
            Aggregation::Min => self.value = take(&mut self.value).min(value),
            Aggregation::Max => self.value = take(&mut self.value).max(value),
            Aggregation::Latest => {
                (self.latest_at, self.value) =
                    (self.latest_at, take(&mut self.value)).max((Some(at), value));
            }
        }
        self.events += 1;
    }

    /// Takes one event's number off. Of meters that are reversible.
    pub(crate) fn subtract(&mut self, value: Value) {
        self.value.add(&value.negated().into());
        self.events -= 1;
    }
}
