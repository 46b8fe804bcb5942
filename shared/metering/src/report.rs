//! Totals as people ask for them: by window, from pages.

use crate::{Page, PageKey, Window};
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
    /// It may still change.
    Provisional,
    /// It is sealed.
    Sealed,
    /// It is sealed, and what came after that is added.
    Adjusted,
}

/// A total of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Total {
    /// The window's first moment.
    pub start: Timestamp,
    /// The first moment after it.
    pub end: Timestamp,
    /// The values of the dimensions that were asked for.
    pub group: UsageGroup,
    /// The meter's value.
    pub value: Quantity,
    /// How many events it is made of.
    pub events: i64,
    /// How final it is.
    pub finality: Finality,
}

/// Why a meter cannot be totalled as asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// The meter has no windows that short.
    #[error("the meter's shortest window is {shortest}")]
    TooShort {
        /// Its shortest window.
        shortest: WindowSize,
    },
    /// Different values in two windows, or in two groups, do not add up.
    #[error("different values of several windows or groups do not add up: ask for each")]
    NotAdditive,
}

/// What is asked of a meter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question<'c> {
    /// The meter.
    pub meter: &'c Meter,
    /// How long the windows are to be.
    pub size: WindowSize,
    /// The first moment; windows begin at or after it.
    pub from: Timestamp,
    /// Windows begin before it.
    pub to: Timestamp,
    /// When the tenant's days begin.
    pub anchor: BillingAnchor,
    /// The dimensions that divide the totals; of others, all values are totalled together.
    pub group_by: Vec<DimensionCode>,
    /// The values that dimensions are to have.
    pub filter: UsageGroup,
}

impl Question<'_> {
    /// The windows that answer it: those of the size that is asked for, or the shorter ones that
    /// add up to them.
    ///
    /// # Errors
    /// When none do.
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

    /// The totals that pages hold, by window and group, as it is sealed until a moment.
    ///
    /// # Errors
    /// When the pages cannot answer it.
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
    /// Adds another window's total.
    fn join(&mut self, aggregation: Aggregation, other: &Self) {
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

    /// The meter's value.
    fn result(&self, aggregation: Aggregation) -> Quantity {
        let value = self.value.to_quantity();
        match aggregation {
            Aggregation::Avg => value.mean(u64::try_from(self.events).unwrap_or_default()),
            _ => value,
        }
    }
}
