//! The queue of invoice requests.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use billing::InvoiceRequest;

/// The most messages of a call (AWS: `SendMessageBatch`).
const BATCH_MAX: usize = 10;
/// The number of calls for a batch before the refused messages fail the run.
const ATTEMPTS_MAX: u32 = 3;

/// The queue of invoice requests.
#[derive(Debug)]
pub(crate) struct InvoiceQueue {
    client: Client,
    url: String,
}

/// The reasons why requests are not in the queue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// The call failed.
    #[error("the invoice queue did not answer")]
    Call(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The call succeeded, but some of its messages were refused.
    #[error("the invoice queue refused {count} messages at each of {ATTEMPTS_MAX} attempts")]
    Refused {
        /// The number of refused messages.
        count: usize,
    },
}

impl InvoiceQueue {
    /// Makes the queue of a URL.
    pub(crate) fn new(config: &aws_types::SdkConfig, url: String) -> Self {
        Self {
            client: Client::new(config),
            url,
        }
    }

    /// Sends every request at least once.
    pub(crate) async fn send(&self, requests: &[InvoiceRequest]) -> Result<(), SendError> {
        for batch in requests.chunks(BATCH_MAX) {
            self.send_batch(batch.to_vec()).await?;
        }
        Ok(())
    }

    /// Sends a batch, and sends refused messages again. The call itself succeeds even when it
    /// refuses every message.
    async fn send_batch(&self, mut batch: Vec<InvoiceRequest>) -> Result<(), SendError> {
        for _ in 0..ATTEMPTS_MAX {
            batch = self.try_send(&batch).await?;
            if batch.is_empty() {
                return Ok(());
            }
        }
        Err(SendError::Refused { count: batch.len() })
    }

    /// Returns the requests that the queue refused.
    async fn try_send(&self, batch: &[InvoiceRequest]) -> Result<Vec<InvoiceRequest>, SendError> {
        let call = |error: Box<dyn std::error::Error + Send + Sync>| SendError::Call(error);
        let mut entries = Vec::with_capacity(batch.len());
        for (index, request) in batch.iter().enumerate() {
            let body = serde_json::to_string(request).map_err(|error| call(error.into()))?;
            let entry = SendMessageBatchRequestEntry::builder()
                .id(index.to_string())
                .message_body(body)
                .build();
            entries.push(entry.map_err(|error| call(error.into()))?);
        }
        let sent = self
            .client
            .send_message_batch()
            .queue_url(&self.url)
            .set_entries(Some(entries))
            .send()
            .await;
        let sent = sent.map_err(|error| call(error.into()))?;
        let refused = sent
            .failed()
            .iter()
            .filter_map(|failed| failed.id().parse::<usize>().ok());
        Ok(refused
            .filter_map(|index| batch.get(index).copied())
            .collect())
    }
}
