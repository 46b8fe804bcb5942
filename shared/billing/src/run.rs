//! A billing run: how far it is, and what a sovereign region states when it is complete.

use crate::{Draft, Invoice, InvoiceNumber, InvoiceState, UnroundedAmount};
use contract::RegionBillingTotaled;
use kernel::{BillingPeriod, Currency, Mode, Money, TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// The billing of one period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// The period.
    pub period: BillingPeriod,
    /// The billing clock when the run was first started.
    pub started_at: Timestamp,
    /// How many tenants have or will have an invoice.
    pub expected: u64,
    /// How many have.
    pub done: u64,
    /// What the invoices add up to, per currency.
    pub tallies: BTreeMap<Currency, Tally>,
    /// Whether the run has been complete once. What it then published, or withheld, is final: two
    /// statements of one period would differ by the tenants between them.
    pub completed: bool,
}

/// What a run asks for: one tenant's invoice.
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
    /// How many.
    pub invoices: u64,
    /// Their sum.
    pub total: Money,
    /// How many usage events they bill.
    pub events: u64,
}

/// What issuing an invoice changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// The invoice.
    pub invoice: Invoice,
    /// The run with the invoice in it.
    pub run: Run,
    /// What the region states, when this was the run's last invoice.
    pub totals_event: Option<RegionBillingTotaled>,
}

impl Run {
    /// A run that starts.
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

/// What a region may state about its billing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DisclosureThreshold {
    /// The region's mode: only a sovereign region states totals, since home has every other
    /// invoice.
    pub mode: Mode,
    /// How many tenants a total must cover at least.
    pub tenants_min: u64,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunCompletion {
    /// The run, completed.
    pub run: Run,
    /// What the region states, if it may.
    pub totals_event: Option<RegionBillingTotaled>,
}

/// Decides the issue of an invoice: its number, the run's progress, and the totals_event of the last
/// one. Whatever the amounts, none is refused: a tally is as wide as all of them together, see
/// [`kernel::Amount`].
#[must_use]
pub fn decide_issue(
    draft: Draft,
    mut run: Run,
    number: InvoiceNumber,
    disclosure: DisclosureThreshold,
) -> Issue {
    run.add(&draft);
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

/// Decides the end of a run, when it is complete for the first time.
///
/// Currencies with too few tenants are left out, of the number of invoices and events too.
#[must_use]
pub fn decide_completion(run: &Run, disclosure: DisclosureThreshold) -> Option<RunCompletion> {
    if run.completed || !run.is_complete() {
        return None;
    }
    let may_state =
        |tally: &&Tally| disclosure.mode.bills_itself() && tally.invoices >= disclosure.tenants_min;
    let published: Vec<&Tally> = run.tallies.values().filter(may_state).collect();
    let totals_event = (!published.is_empty()).then(|| RegionBillingTotaled {
        period: run.period,
        invoices: published.iter().map(|tally| tally.invoices).sum(),
        totals: published.iter().map(|tally| tally.total.clone()).collect(),
        // No clock counts so many events: a number that is, is a lie of its region, and harms
        // nothing but itself.
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
