//! Serves the home page, lists the regions, and hands onboardings over to the regions chosen for
//! them.
//!
//! Trigger: HomeApi, `GET /`, `GET /home.js`, `GET /home.css`, `GET /regions`, `POST /onboardings`,
//! `GET /onboardings/{id}`, `GET /openapi.json`. Reads: the central table. Writes: the central
//! table (onboardings). Calls: the sign-up API of a region. Emits: nothing.

mod adapters;
mod answer;
mod handler;
mod home;
mod listing;
mod problems;
mod region;
mod request;
#[cfg(test)]
mod tests;

use adapters::Adapters;
use handler::router;
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let adapters = Adapters::from_env(&aws)?;
    adapters.tokens.prefetch(runtime::now()).await;
    runtime::http::serve(router(adapters)).await
}
