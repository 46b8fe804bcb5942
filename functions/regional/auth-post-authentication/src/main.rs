//! Queues every sign-in for metering: the account's pseudonym, the client and the time, nothing
//! else.
//!
//! Trigger: Cognito post-authentication. Reads: nothing. Sends: login queue. Emits: nothing.

mod adapters;
mod handler;
mod logins;
#[cfg(test)]
mod tests;

use adapters::Adapters;
use handler::handle;
use lambda_runtime::{LambdaEvent, run, service_fn};
use logins::LoginQueue;
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::Sqs]).await?;
    let adapters = Adapters {
        logins: LoginQueue::new(&aws, runtime::env("LOGIN_QUEUE_URL")?),
    };
    run(service_fn(|event: LambdaEvent<_>| {
        handle(&adapters, event.payload)
    }))
    .await
}
