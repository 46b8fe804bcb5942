//! Serves the home page, lists the regions, and hands onboardings over to the regions chosen for
//! them.
//!
//! Trigger: HomeApi, `GET /`, `GET /home.js`, `GET /home.css`, `GET /regions`, `POST /onboardings`,
//! `GET /onboardings/{id}`, `GET /openapi.json`. Reads: the central table. Writes: the central
//! table (onboardings). Calls: the sign-up API of a region. Emits: nothing.

mod answer;
mod handler;
mod home;
mod listing;
mod problems;
mod region;
mod request;
#[cfg(test)]
mod tests;

use central_store::CentralStore;
use handler::{Adapters, router};
use listing::Listing;
use runtime::handover::Seal;
use runtime::http::Tokens;
use runtime::{Forwarder, Service};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let user_pool_id: String = runtime::env("USER_POOL_ID")?;
    let operators = Tokens::new(&aws, &user_pool_id, runtime::env("OPERATOR_CLIENT_ID")?)?;
    let tokens = operators.and(runtime::env("WEBSITE_CLIENT_ID")?);
    tokens.prefetch(runtime::now()).await;
    let adapters = Adapters {
        store: CentralStore::new(&aws, runtime::env("CENTRAL_TABLE")?),
        tokens,
        forwarder: Forwarder::new()?,
        seal: Seal::new(&runtime::env::<String>("HANDOVER_SECRET")?),
        listing: Listing::default(),
    };
    runtime::http::serve(router(adapters)).await
}
