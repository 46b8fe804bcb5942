//! The clients and the configuration of the function.

use crate::requests::InvoiceQueue;
use billing_store::BillingStore;
use catalogue::Catalogue;

/// What the function works with.
#[derive(Debug)]
pub(crate) struct Adapters {
    /// The billing table.
    pub(crate) store: BillingStore,
    /// The queue of invoices to be made.
    pub(crate) requests: InvoiceQueue,
    /// What is metered.
    pub(crate) catalogue: Catalogue,
}
