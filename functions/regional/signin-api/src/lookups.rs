//! The queue of people who want to know their workspaces.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata;
use kernel::Language;
use serde::Serialize;
use tenancy::{Asker, EmailAddress};

/// The queue, which is encrypted by the region's key and read in the region only.
#[derive(Debug)]
pub(crate) struct LookupQueue {
    client: Client,
    url: String,
}

/// What is in the queue. Personal.
#[derive(Serialize)]
struct Lookup<'a> {
    email: &'a str,
    language: Option<Language>,
    asker: &'a Asker,
}

/// Why a wish is not in the queue. Holds an exception's code at most.
#[derive(Debug, thiserror::Error)]
#[error("the workspaces queue did not take the message: {}", code.as_deref().unwrap_or("no answer"))]
pub(crate) struct SendError {
    code: Option<String>,
}

impl LookupQueue {
    /// The queue of a URL.
    pub(crate) fn new(config: &aws_types::SdkConfig, url: String) -> Self {
        Self {
            client: Client::new(config),
            url,
        }
    }

    /// Puts a wish into the queue.
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
