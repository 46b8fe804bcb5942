//! The clients and the configuration of the function.

use crate::listing::Listing;
use aws_types::SdkConfig;
use central_store::CentralStore;
use runtime::Forwarder;
use runtime::handover::Seal;
use runtime::http::Tokens;

/// What the function works with.
pub(crate) struct Adapters {
    pub(crate) store: CentralStore,
    pub(crate) tokens: Tokens,
    pub(crate) forwarder: Forwarder,
    pub(crate) seal: Seal,
    pub(crate) listing: Listing,
}

impl Adapters {
    /// As the template sets them.
    ///
    /// # Errors
    /// When a variable is missing or malformed.
    pub(crate) fn from_env(aws: &SdkConfig) -> Result<Self, runtime::Error> {
        let user_pool_id: String = runtime::env("USER_POOL_ID")?;
        let operators = Tokens::new(aws, &user_pool_id, runtime::env("OPERATOR_CLIENT_ID")?)?;
        Ok(Self {
            store: CentralStore::new(aws, runtime::env("CENTRAL_TABLE")?),
            tokens: operators.and(runtime::env("WEBSITE_CLIENT_ID")?),
            forwarder: Forwarder::new()?,
            seal: Seal::new(&runtime::env::<String>("HANDOVER_SECRET")?),
            listing: Listing::default(),
        })
    }
}
