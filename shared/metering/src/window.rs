//! Windows of usage and their totals.

use crate::aggregate::Aggregate;
use crate::page::PageKey;
use crate::value::Value;
use catalogue::Aggregation;
use contract::{UsageWindow, WindowPart};
use jiff::Timestamp;
use kernel::{MeterCode, UsageGroup, WindowSize};
use std::mem::take;

/// The value that a meter reads of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// A number. It is one for a meter that counts events.
    Number(Value),
    /// The key of a value, for a meter that counts distinct values.
    Distinct(dedupe::DedupeKey),
}

/// The key of a total within a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowKey {
    /// The meter.
    pub meter: MeterCode,
    /// The values of its dimensions.
    pub group: UsageGroup,
    /// The length of the window.
    pub size: WindowSize,
    /// The start of the window.
    pub start: Timestamp,
    /// The part: usage before the seal, or its adjustment after it.
    pub part: WindowPart,
}

/// The total of a window.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Window {
    /// The meter's value. For a mean it is the sum.
    pub value: Aggregate,
    /// The number of events. It is negative in an adjustment from which more was taken back than
    /// arrived late.
    pub events: i64,
    /// The time of the event with the latest value.
    pub latest_at: Option<Timestamp>,
    /// Increases with every change.
    pub revision: u64,
}

impl WindowKey {
    /// The page that holds the total.
    #[must_use]
    pub fn page(&self) -> PageKey {
        PageKey::of(&self.meter, self.size, self.start)
    }

    /// The total in the form of the contract.
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
    /// Adds an event's number.
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

    /// Subtracts an event's number. Only for reversible meters.
    pub(crate) fn subtract(&mut self, value: Value) {
        self.value.add(&value.negated().into());
        self.events -= 1;
    }
}
