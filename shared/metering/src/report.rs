//! Usage reports: totals by window and group, computed from pages.

use crate::page::{Page, PageKey};
use crate::window::Window;
use catalogue::{Aggregation, Meter};
use contract::WindowPart;
use jiff::Timestamp;
use kernel::{BillingAnchor, DimensionCode, Quantity, UsageGroup, WindowSize};
use std::collections::BTreeMap;
use std::mem::take;

/// How final a total is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Finality {
    /// The total may still change.
    Provisional,
    /// The total is sealed.
    Sealed,
    /// The total is sealed, and includes adjustments for usage after the seal.
    Adjusted,
}

/// A total of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// The start of the window.
    pub start: Timestamp,
    /// The end of the window, exclusive.
    pub end: Timestamp,
    /// The values of the requested dimensions.
    pub group: UsageGroup,
    /// The meter's value. A mean is stored as a sum, and divided here.
    pub value: Quantity,
    /// The number of events.
    pub events: i64,
    /// The finality of the total.
    pub finality: Finality,
}

/// The reasons why a question cannot be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// The meter keeps no windows as short as requested.
    #[error("the meter's shortest window is {shortest}")]
    TooShort {
        /// The meter's shortest window.
        shortest: WindowSize,
    },
    /// Counts of distinct values of several windows or groups cannot be added: a value may be in
    /// several.
    #[error("counts of distinct values cannot be added over windows or groups: request each")]
    NotAdditive,
}

/// A question about a meter's usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question<'c> {
    /// The meter.
    pub meter: &'c Meter,
    /// The length of the windows to return.
    pub size: WindowSize,
    /// Windows start at or after this time.
    pub from: Timestamp,
    /// Windows start before this time.
    pub to: Timestamp,
    /// The start of the tenant's days.
    pub anchor: BillingAnchor,
    /// The dimensions that divide the totals. Values of other dimensions are added up.
    pub group_by: Vec<DimensionCode>,
    /// The required values of dimensions.
    pub filter: UsageGroup,
}

impl Question<'_> {
    /// The size of the stored windows that answer the question: the requested size, or a shorter
    /// one that adds up to it.
    ///
    /// # Errors
    /// [`Unanswerable`] when no stored windows answer it.
    pub fn source(&self) -> Result<WindowSize, Unanswerable> {
        let is_unique = self.meter.aggregation == Aggregation::UniqueCount;
        let shortest = self.meter.window;
        if is_unique && self.group_by.len() < self.meter.dimensions.len() {
            return Err(Unanswerable::NotAdditive);
        }
        match self.size {
            size if size < shortest => Err(Unanswerable::TooShort { shortest }),
            WindowSize::Month if is_unique => Ok(WindowSize::Month),
            WindowSize::Day | WindowSize::Month => Ok(WindowSize::Day),
            size if size == shortest => Ok(size),
            _ if is_unique => Err(Unanswerable::NotAdditive),
            _ => Ok(shortest),
        }
    }

    /// Computes the totals by window and group. `sealed_until` is the end of the last sealed day.
    ///
    /// # Errors
    /// [`Unanswerable`] when no stored windows answer it.
    pub fn answer(
        &self,
        pages: &BTreeMap<PageKey, Page>,
        sealed_until: Option<Timestamp>,
    ) -> Result<Vec<Total>, Unanswerable> {
        let source = self.source()?;
        let mut totals: BTreeMap<(Timestamp, UsageGroup), (Window, bool)> = BTreeMap::new();
        let windows = pages.iter().filter(|(key, _)| key.meter == self.meter.code);
        for (key, window) in windows.flat_map(|(key, page)| page.windows(key)) {
            let start = self.size.start(key.start, self.anchor);
            if key.size != source
                || start < self.from
                || start >= self.to
                || !key.group.includes(&self.filter)
            {
                continue;
            }
            let (total, is_adjusted) = totals
                .entry((start, key.group.narrowed(&self.group_by)))
                .or_default();
            total.join(self.meter.aggregation, &window);
            *is_adjusted |= key.part == WindowPart::Adjustment;
        }
        let total =
            |((start, group), (window, is_adjusted)): ((Timestamp, UsageGroup), (Window, bool))| {
                let end = self.size.end(start);
                let finality = match sealed_until {
                    Some(until) if end <= until && is_adjusted => Finality::Adjusted,
                    Some(until) if end <= until => Finality::Sealed,
                    _ => Finality::Provisional,
                };
                let value = window.result(self.meter.aggregation);
                Total {
                    start,
                    end,
                    group,
                    value,
                    events: window.events,
                    finality,
                }
            };
        Ok(totals.into_iter().map(total).collect())
    }
}

impl Window {
    /// Adds the total of another window by the rule of the aggregation.
    fn join(&mut self, aggregation: Aggregation, other: &Self) {
        // Only an untouched total has no revision: its zero is not a value to compare with.
        let is_first = self.events == 0 && self.revision == 0;
        match aggregation {
            Aggregation::Count | Aggregation::Sum | Aggregation::Avg | Aggregation::UniqueCount => {
                self.value.add(&other.value);
            }
            Aggregation::Min | Aggregation::Max | Aggregation::Latest if is_first => {
                (self.latest_at, self.value) = (other.latest_at, other.value.clone());
            }
            Aggregation::Min => self.value = take(&mut self.value).min(other.value.clone()),
            Aggregation::Max => self.value = take(&mut self.value).max(other.value.clone()),
            Aggregation::Latest => {
                let (mine, theirs) = (take(&mut self.value), other.value.clone());
                (self.latest_at, self.value) =
                    (self.latest_at, mine).max((other.latest_at, theirs));
            }
        }
        self.revision = self.revision.max(other.revision);
        self.events += other.events;
    }

    /// The meter's value. A mean is stored as a sum, and divided here.
    fn result(&self, aggregation: Aggregation) -> Quantity {
        let value = self.value.to_quantity();
        match aggregation {
            Aggregation::Avg => value.mean(u64::try_from(self.events).unwrap_or_default()),
            _ => value,
        }
    }
}
