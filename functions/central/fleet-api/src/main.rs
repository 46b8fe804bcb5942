//! Shows operators the fleet and its tenants, and applies their decisions on suspensions.
//!
//! Trigger: OperatorApi, GET /fleet, GET /tenants/{id}, PUT and DELETE /tenants/{id}/suspension.
//! Reads and writes: the central table. Emits: TenantPolicyPublished.v1.

mod adapters;
mod answer;
mod handler;
mod problems;

use adapters::Adapters;
use central_store::CentralStore;
use handler::router;
use outbox::Outbox;
use runtime::Service;
use runtime::http::Tokens;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb]).await?;
    let user_pool_id: String = runtime::env("USER_POOL_ID")?;
    let tokens = Tokens::new(&aws, &user_pool_id, runtime::env("OPERATOR_CLIENT_ID")?)?;
    tokens.prefetch(runtime::now()).await;
    let store = CentralStore::new(&aws, runtime::env("CENTRAL_TABLE")?);
    let outbox = Outbox::new(&aws, runtime::env("OUTBOX_TABLE")?);
    runtime::http::serve(router(Adapters {
        store,
        outbox,
        tokens,
    }))
    .await
}

#[cfg(test)]
mod tests;
