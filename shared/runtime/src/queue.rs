//! SQS: every message on its own, failures reported by message.

use crate::failure::chain;
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use kernel::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::error::Error;

/// What an EventBridge rule puts into a queue.
#[derive(Debug, Deserialize)]
pub struct BusMessage {
    /// `PastTenseEvent.vN`.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// Who states it.
    pub source: String,
    /// When it happened, in whole seconds, as who put it on the bus says: not when it is read.
    pub time: Timestamp,
    /// The envelope, not yet read.
    pub detail: Box<RawValue>,
}

/// Why a message of a queue could not be read. Holds nothing of the message itself.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// There is no body.
    #[error("the message has no body")]
    NoBody,
    /// The body is not of the expected shape.
    #[error("the body does not have the expected shape, at line {line}, column {column}")]
    Shape {
        /// Line of the body, from 1.
        line: usize,
        /// Column of the line, from 1.
        column: usize,
    },
}

impl MessageError {
    fn shape(error: &serde_json::Error) -> Self {
        Self::Shape {
            line: error.line(),
            column: error.column(),
        }
    }
}

impl BusMessage {
    /// Reads the body of a message that an EventBridge rule sent.
    ///
    /// # Errors
    /// When it is not an EventBridge event.
    pub fn parse(message: &SqsMessage) -> Result<Self, MessageError> {
        parse(message)
    }

    /// Reads the detail.
    ///
    /// # Errors
    /// When the detail does not have the shape that its type promises.
    pub fn detail<T: DeserializeOwned>(&self) -> Result<T, MessageError> {
        serde_json::from_str(self.detail.get()).map_err(|error| MessageError::shape(&error))
    }
}

/// Reads a message whose body is a JSON document.
///
/// # Errors
/// When it is not of type `T`.
pub fn parse<T: DeserializeOwned>(message: &SqsMessage) -> Result<T, MessageError> {
    let body = message.body.as_deref().ok_or(MessageError::NoBody)?;
    serde_json::from_str(body).map_err(|error| MessageError::shape(&error))
}

/// Works on each message in turn. One that fails is logged and reported, and comes again; the
/// others are done. Needs `ReportBatchItemFailures` on the mapping.
pub async fn each<W, E>(event: SqsEvent, work: W) -> SqsBatchResponse
where
    W: AsyncFn(&SqsMessage) -> Result<(), E>,
    E: Error,
{
    let mut response = SqsBatchResponse::default();
    for message in &event.records {
        if let Err(error) = work(message).await {
            let id = message.message_id.clone().unwrap_or_default();
            tracing::error!(message = id, error = chain(&error), "message failed");
            let mut failure = BatchItemFailure::default();
            failure.item_identifier = id;
            response.batch_item_failures.push(failure);
        }
    }
    response
}
