//! The clients and the configuration of the function.

use central_store::CentralStore;
use outbox::Outbox;
use runtime::http::Tokens;

/// What the function works with.
pub(crate) struct Adapters {
    pub(crate) store: CentralStore,
    pub(crate) outbox: Outbox,
    pub(crate) tokens: Tokens,
}
