//! The queue of requests for lists of workspaces.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use kernel::Language;
use serde::Serialize;
use tenancy::{Asker, EmailAddress};

/// The queue. It is encrypted with the region's key and read in the region only.
#[derive(Debug)]
pub(crate) struct LookupQueue {
    client: Client,
    url: String,
}

/// A message of the queue. Personal data.
#[derive(Serialize)]
struct Lookup<'a> {
    email: &'a str,
    language: Option<Language>,
    asker: &'a Asker,
}

/// Why a request could not be queued. Holds at most an exception's code.
#[derive(Debug, thiserror::Error)]
#[error("the workspaces queue did not accept the message: {}", code.as_deref().unwrap_or("no answer"))]
pub(crate) struct SendError {
    code: Option<String>,
}

impl LookupQueue {
    /// The queue with a URL.
    pub(crate) fn new(config: &aws_types::SdkConfig, url: String) -> Self {
        Self {
            client: Client::new(config),
            url,
        }
    }

    /// Queues a request.
    pub(crate) async fn send(
        &self,
        email: &EmailAddress,
        language: Option<Language>,
        asker: &Asker,
    ) -> Result<(), SendError> {
        let lookup = Lookup {
            email: email.expose(),
            language,
            asker,
        };
        let body = serde_json::to_string(&lookup).map_err(|_| SendError { code: None })?;
        let sent = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(body)
            .send()
            .await;
        let code = |error: &dyn ProvideErrorMetadata| error.code().map(str::to_owned);
        sent.map(|_| ()).map_err(|error| SendError {
            code: error.as_service_error().and_then(|e| code(e)),
        })
    }
}
