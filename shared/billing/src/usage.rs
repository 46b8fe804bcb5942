//! A period's usage: the totals of its windows.

use crate::{Exact, InvoiceRefusal};
use contract::UsageWindow;
use contract::catalogue::{Aggregation, Catalogue};
use kernel::MeterCode;
use std::collections::BTreeMap;

/// One meter's usage over a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MeterUsage {
    /// The period's value.
    pub quantity: Exact,
    /// How many usage events it is made of.
    pub events: u64,
}

/// A tenant's usage over a period, per meter that has any.
pub type PeriodUsage = BTreeMap<MeterCode, MeterUsage>;

/// Totals the windows of one period: counts and sums add up, a maximum is the greatest of its windows.
///
/// Each window is given once, at its highest revision; their order does not matter.
///
/// # Errors
/// When a window's meter is not in the catalogue.
pub fn total_usage(catalogue: &Catalogue, windows: &[UsageWindow]) -> Result<PeriodUsage, InvoiceRefusal> {
    let mut usage = PeriodUsage::new();
    for window in windows {
        let unknown = || InvoiceRefusal::UnknownMeter { meter: window.meter.clone() };
        let meter = catalogue.meter(&window.meter).ok_or_else(unknown)?;
        let value = Exact::from(&window.value);
        match usage.remove(&window.meter) {
            None => usage.insert(window.meter.clone(), MeterUsage { quantity: value, events: window.events }),
            Some(sum) => {
                let quantity = aggregate(meter.aggregation, sum.quantity, &value);
                let events = sum.events.saturating_add(window.events);
                usage.insert(window.meter.clone(), MeterUsage { quantity, events })
            }
        };
    }
    Ok(usage)
}

fn aggregate(aggregation: Aggregation, sum: Exact, value: &Exact) -> Exact {
    match aggregation {
        Aggregation::Count | Aggregation::Sum => sum + value,
        Aggregation::Max => sum.max(value.clone()),
    }
}
