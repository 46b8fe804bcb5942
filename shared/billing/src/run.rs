//! A billing run: its progress, and the totals that a sovereign region publishes at its end.

use crate::invoice::{Draft, Invoice, InvoiceNumber, InvoiceState};
use crate::unrounded::UnroundedAmount;
use contract::RegionBillingTotaled;
use kernel::{BillingPeriod, Currency, Mode, Money, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The billing run of one period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The period.
    pub period: BillingPeriod,
    /// The time of the schedule that first started the run. It is the billing clock.
    pub started_at: Timestamp,
    /// The number of tenants that have or will have an invoice.
    pub expected: u64,
    /// The number of issued invoices.
    pub done: u64,
    /// The sums of the invoices, by currency.
    pub tallies: BTreeMap<Currency, Tally>,
    /// Whether the run was complete once. The totals that it then published or withheld are final:
    /// two publications of one period would differ by exactly the tenants between them, and so
    /// disclose them.
    pub completed: bool,
}

/// A request of a run for one tenant's invoice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvoiceRequest {
    /// The tenant.
    pub tenant: TenantId,
    /// The period.
    pub period: BillingPeriod,
}

/// The invoices of one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tally {
    /// The number of invoices.
    pub invoices: u64,
    /// The sum of their totals.
    pub total: Money,
    /// The number of usage events that they bill.
    pub events: u64,
}

/// The changes of issuing an invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The invoice.
    pub invoice: Invoice,
    /// The run, with the invoice counted.
    pub run: Run,
    /// The region's totals, if this was the run's last invoice.
    pub totals_event: Option<RegionBillingTotaled>,
}

impl Run {
    /// Starts a run.
    #[must_use]
    pub const fn new(period: BillingPeriod, started_at: Timestamp, expected: u64) -> Self {
        Self {
            period,
            started_at,
            expected,
            done: 0,
            tallies: BTreeMap::new(),
            completed: false,
        }
    }

    /// Whether every expected invoice is issued.
    #[must_use]
    pub const fn is_complete(&self) -> bool {
        self.done >= self.expected
    }

    fn add(&mut self, draft: &Draft) {
        let currency = draft.total.currency;
        let (invoices, total, events) = match self.tallies.get(&currency) {
            Some(tally) => (
                tally.invoices,
                UnroundedAmount::from(&tally.total.amount),
                tally.events,
            ),
            None => (0, UnroundedAmount::zero(), 0),
        };
        let total = total + &UnroundedAmount::from(&draft.total.amount);
        let total = total.rounded(currency);
        let tally = Tally {
            invoices: invoices + 1,
            total,
            events: events.saturating_add(draft.events),
        };
        self.tallies.insert(currency, tally);
        self.done += 1;
    }
}

/// The rule for publishing a region's billing totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisclosureThreshold {
    /// The region's mode. Only a sovereign region publishes totals, since home issues all other
    /// invoices itself.
    pub mode: Mode,
    /// The least number of tenants that a total must cover.
    pub tenants_min: u64,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunCompletion {
    /// The completed run.
    pub run: Run,
    /// The region's totals, if it may publish any.
    pub totals_event: Option<RegionBillingTotaled>,
}

/// Decides the issue of an invoice: its number, the run's progress, and the region's totals after
/// the last one. No amount is refused: a tally is wide enough for the sum of all invoices, see
/// [`kernel::Amount`].
#[must_use]
pub fn decide_issue(
    draft: Draft,
    mut run: Run,
    number: InvoiceNumber,
    disclosure: DisclosureThreshold,
) -> Issue {
    run.add(&draft);
    // The billing clock and not the time of day, so that a replay issues the same invoice.
    let issued_at = run.started_at;
    let invoice = Invoice {
        id: draft.id(),
        number,
        state: InvoiceState::Issued,
        issued_at,
        draft,
    };
    let completion = decide_completion(&run, disclosure);
    let (run, totals_event) = completion.map_or((run, None), |completion| {
        (completion.run, completion.totals_event)
    });
    Issue {
        invoice,
        run,
        totals_event,
    }
}

/// Decides the completion of a run. Returns nothing unless the run is complete for the first time.
///
/// Currencies with too few tenants are left out of the totals, and of the numbers of invoices and
/// events.
#[must_use]
pub fn decide_completion(run: &Run, disclosure: DisclosureThreshold) -> Option<RunCompletion> {
    if run.completed || !run.is_complete() {
        return None;
    }
    let may_publish =
        |tally: &&Tally| disclosure.mode.bills_itself() && tally.invoices >= disclosure.tenants_min;
    let published: Vec<&Tally> = run.tallies.values().filter(may_publish).collect();
    let totals_event = (!published.is_empty()).then(|| RegionBillingTotaled {
        period: run.period,
        invoices: published.iter().map(|tally| tally.invoices).sum(),
        totals: published.iter().map(|tally| tally.total.clone()).collect(),
        // No real usage reaches the bound of a `u64`. A region that reports such a number must not
        // make the run fail.
        events: published
            .iter()
            .fold(0, |sum: u64, tally| sum.saturating_add(tally.events)),
    });
    Some(RunCompletion {
        run: Run {
            completed: true,
            ..run.clone()
        },
        totals_event,
    })
}
