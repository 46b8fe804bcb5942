//! Rating, invoices, billing runs and the completeness of usage as pure functions.
//!
//! Invariant: no money is made or lost. An amount is exact until the one rounding of its line
//! ([`UnroundedAmount::rounded`]). An invoice's total is the sum of its lines. An adjustment is the
//! difference of two lines, each rounded as if it had been billed alone. Imports `kernel`,
//! `catalogue` and `contract` only; does no I/O, reads no clock, makes no random ids.
//!
//! # Who is billed
//! A tenant that was in use at any moment of the period pays the plan's full fixed fee: one that
//! became active on the last day, one that was suspended all month, and one that closed on the
//! first day. A tenant that was only pending or provisioning, or was already closed, is not billed,
//! with one exception: if usage of one of the [`LOOK_BACK_PERIODS`] before arrived after its
//! invoice, the tenant gets an invoice of that adjustment alone, without a fee.

mod account;
mod invoice;
mod rating;
mod received;
mod retry;
mod run;
mod seal;
mod tracker;
mod unrounded;
mod usage;

pub use account::{Account, Billability, Change};
pub use invoice::{
    Adjustment, Billing, ChargeLine, Draft, Invoice, InvoiceNumber, InvoiceRefusal, InvoiceState,
    InvoiceSummary, Item, LOOK_BACK_PERIODS, Line, PriceSnapshot, PriorInvoice, has_late_usage,
    plan_invoice,
};
pub use rating::{Rated, RatingRefusal, Step, rate_units};
pub use received::{Received, Span, TooManyGaps};
pub use retry::{Incident, IncidentKind, RetryState, Subject};
pub use run::{
    DisclosureThreshold, InvoiceRequest, Issue, Run, RunCompletion, Tally, decide_completion,
    decide_issue,
};
pub use seal::{Dispute, Seal, SealDecision, decide_sealed, reconcile_seal};
pub use tracker::{
    KnownDays, REPORTED_DAYS_MAX, ReconcileDecision, SequenceTracker, reconcile_tracker,
};
pub use unrounded::UnroundedAmount;
pub use usage::{MeterUsage, PeriodUsage, total_usage};

#[cfg(test)]
mod tests;
