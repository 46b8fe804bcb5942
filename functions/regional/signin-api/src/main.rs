//! Sign-in discovery of a tenant by its address, the sign-in page, and the lookup of forgotten
//! addresses.
//!
//! Trigger: RegionalApi, `GET /`, `GET /sign-in.js`, `GET /sign-in.css`, `GET
//! /.well-known/meridian`, `POST /workspaces`. Reads: RegionalTable (subdomains, tenants). Writes:
//! RegionalTable (limits). Sends: workspaces queue. Emits: nothing.

mod adapters;
mod discovery;
mod handler;
mod lookups;
mod problems;
mod provider;
#[cfg(test)]
mod tests;

use adapters::Adapters;
use handler::router;
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    runtime::http::serve(router(Adapters::from_env(&aws)?)).await
}
