//! The queue of invoices to be made.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::SendMessageBatchRequestEntry;
use billing::InvoiceRequest;

/// How many messages one call takes (AWS: `SendMessageBatch`, at most 10).
const BATCH_MAX: usize = 10;
const ATTEMPTS_MAX: u32 = 3;

/// The queue of invoices to be made.
#[derive(Debug)]
pub(crate) struct InvoiceQueue {
    client: Client,
    url: String,
}

/// Why a request is not in the queue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SendError {
    /// A call failed.
    #[error("the invoice queue did not answer")]
    Call(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The queue took the call, and not all of its messages.
    #[error("the invoice queue refused {count} messages at each of {ATTEMPTS_MAX} attempts")]
    Refused {
        /// How many.
        count: usize,
    },
}

impl InvoiceQueue {
    /// The queue of a URL.
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

    /// Sends again what was refused: the call succeeds even when every message of it failed.
    async fn send_batch(&self, mut batch: Vec<InvoiceRequest>) -> Result<(), SendError> {
        for _ in 0..ATTEMPTS_MAX {
            batch = self.try_send(&batch).await?;
            if batch.is_empty() {
                return Ok(());
            }
        }
        Err(SendError::Refused { count: batch.len() })
    }

    /// Gives back what the queue refused.
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
