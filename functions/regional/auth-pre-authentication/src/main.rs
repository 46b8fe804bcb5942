//! Refuses sign-ins with an address that is not verified, and sign-ins to another tenant than the
//! person's.
//!
//! Trigger: Cognito pre-authentication. Reads: nothing. Emits: nothing.

mod handler;
#[cfg(test)]
mod tests;

use handler::handle;
use lambda_runtime::{LambdaEvent, run, service_fn};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    runtime::start(&[]).await?;
    run(service_fn(async |event: LambdaEvent<_>| {
        handle(event.payload)
    }))
    .await
}
