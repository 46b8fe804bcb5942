//! The clients and the configuration of the function.

use billing_store::BillingStore;
use catalogue::Catalogue;
use runtime::http::Tokens;

/// What the function works with.
#[derive(Debug)]
pub(crate) struct Adapters {
    /// The billing table.
    pub(crate) store: BillingStore,
    /// The verifier of operators' tokens.
    pub(crate) tokens: Tokens,
    /// How meters add up.
    pub(crate) catalogue: Catalogue,
}
