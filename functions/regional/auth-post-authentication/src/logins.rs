//! The queue of sign-ins to be metered.

use aws_sdk_sqs::Client;
use std::time::Duration;
use tenancy::Login;

/// The longest wait for the queue during a sign-in. Cognito gives a trigger five seconds.
const SEND_TIMEOUT: Duration = Duration::from_secs(2);

/// The queue of sign-ins to be metered.
#[derive(Debug)]
pub(crate) struct LoginQueue {
    client: Client,
    url: String,
}

/// Why a sign-in may not have been queued.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// The call failed.
    #[error("the login queue did not accept the message")]
    Call(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The queue did not answer in time.
    #[error("the login queue did not answer within {} s", SEND_TIMEOUT.as_secs())]
    TimedOut,
}

impl LoginQueue {
    /// The queue with a URL.
    pub(crate) fn new(config: &aws_types::SdkConfig, url: String) -> Self {
        Self {
            client: Client::new(config),
            url,
        }
    }

    /// Queues a sign-in. One that is queued more than once is metered once.
    pub(crate) async fn send(&self, login: &Login) -> Result<(), SendError> {
        let body = serde_json::to_string(login).map_err(|error| SendError::Call(error.into()))?;
        let sending = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .send();
        let sent = tokio::time::timeout(SEND_TIMEOUT, sending)
            .await
            .map_err(|_| SendError::TimedOut)?;
        sent.map(|_| ())
            .map_err(|error| SendError::Call(error.into()))
    }
}
