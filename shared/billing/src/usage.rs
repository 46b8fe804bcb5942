//! Totalling a period's usage from its windows.

use crate::invoice::InvoiceRefusal;
use crate::unrounded::UnroundedAmount;
use catalogue::{Aggregation, Catalogue};
use contract::UsageWindow;
use kernel::{MeterCode, Quantity, Timestamp, WindowSize};
use std::collections::BTreeMap;

/// One meter's usage over a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterUsage {
    /// The meter's value over the period.
    pub quantity: UnroundedAmount,
    /// The number of usage events.
    pub events: u64,
}

/// A tenant's usage over a period, by meter. Meters without usage are absent.
pub type PeriodUsage = BTreeMap<MeterCode, MeterUsage>;

/// Totals the windows of one period, with all groups of a meter and all adjustments.
///
/// Days are added up, except for distinct values: a value that returns on another day is not a new
/// one, so the window of the period itself is taken. Each window is given once, at its highest
/// revision, in any order.
///
/// # Errors
/// [`InvoiceRefusal::UnknownMeter`] when a window's meter is not in the catalogue.
pub fn total_usage(
    catalogue: &Catalogue,
    windows: &[UsageWindow],
) -> Result<PeriodUsage, InvoiceRefusal> {
    let mut sums: BTreeMap<&MeterCode, Sum<'_>> = BTreeMap::new();
    for window in windows {
        let unknown = || InvoiceRefusal::UnknownMeter {
            meter: window.meter.clone(),
        };
        let aggregation = catalogue
            .meter(&window.meter)
            .ok_or_else(unknown)?
            .aggregation;
        if window.size == counted_size(aggregation) {
            sums.entry(&window.meter)
                .or_insert_with(|| Sum::new(aggregation))
                .add(window);
        }
    }
    Ok(sums
        .into_iter()
        .map(|(meter, sum)| (meter.clone(), sum.usage()))
        .collect())
}

/// The size of the windows that make up a period.
const fn counted_size(aggregation: Aggregation) -> WindowSize {
    match aggregation {
        Aggregation::UniqueCount => WindowSize::Month,
        Aggregation::Count
        | Aggregation::Sum
        | Aggregation::Min
        | Aggregation::Max
        | Aggregation::Avg
        | Aggregation::Latest => WindowSize::Day,
    }
}

/// The running total of a meter's windows.
struct Sum<'w> {
    aggregation: Aggregation,
    added: UnroundedAmount,
    least: Option<&'w Quantity>,
    greatest: Option<&'w Quantity>,
    latest: Option<(Option<Timestamp>, &'w Quantity)>,
    events: i128,
}

impl<'w> Sum<'w> {
    fn new(aggregation: Aggregation) -> Self {
        Self {
            aggregation,
            added: UnroundedAmount::zero(),
            least: None,
            greatest: None,
            latest: None,
            events: 0,
        }
    }

    fn add(&mut self, window: &'w UsageWindow) {
        let value = &window.value;
        self.added = std::mem::take(&mut self.added) + &UnroundedAmount::from(value);
        self.least = Some(self.least.map_or(value, |least| least.min(value)));
        self.greatest = self.greatest.max(Some(value));
        self.latest = self.latest.max(Some((window.latest_at, value)));
        self.events += i128::from(window.events);
    }

    /// The usage so far. The number of events is at least zero, even if more events were taken back
    /// than arrived.
    fn usage(self) -> MeterUsage {
        let events = u64::try_from(self.events.max(0)).unwrap_or(u64::MAX);
        let value = |found: Option<&Quantity>| {
            found.map_or_else(UnroundedAmount::zero, UnroundedAmount::from)
        };
        let quantity = match self.aggregation {
            Aggregation::Count | Aggregation::Sum | Aggregation::UniqueCount => self.added,
            Aggregation::Min => value(self.least),
            Aggregation::Max => value(self.greatest),
            Aggregation::Latest => value(self.latest.map(|(_, value)| value)),
            Aggregation::Avg => self.added.mean(events),
        };
        MeterUsage { quantity, events }
    }
}
