//! SQS batches: handles each message on its own, and reports failures per message.

use crate::failure::chain;
use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse, SqsEvent, SqsMessage};
use kernel::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use std::error::Error;

/// An event that an EventBridge rule sent to a queue.
#[derive(Debug, Deserialize)]
pub struct BusMessage {
    /// The event type: `PastTenseEvent.vN`.
    #[serde(rename = "detail-type")]
    pub detail_type: String,
    /// The publisher.
    pub source: String,
    /// The time of the event by its publisher, in whole seconds.
    pub time: Timestamp,
    /// The envelope, not yet parsed: its type depends on `detail_type`.
    pub detail: Box<RawValue>,
}

/// A failure to parse a message. Holds no content of the message.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// The message has no body.
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
    /// Parses the body of a message that an EventBridge rule sent.
    ///
    /// # Errors
    /// When the body is not an EventBridge event.
    pub fn parse(message: &SqsMessage) -> Result<Self, MessageError> {
        parse(message)
    }

    /// Parses the detail.
    ///
    /// # Errors
    /// When the detail does not have the shape of its type.
    pub fn detail<T: DeserializeOwned>(&self) -> Result<T, MessageError> {
        serde_json::from_str(self.detail.get()).map_err(|error| MessageError::shape(&error))
    }
}

/// Parses a message whose body is a JSON document.
///
/// # Errors
/// When the body is not of type `T`.
pub fn parse<T: DeserializeOwned>(message: &SqsMessage) -> Result<T, MessageError> {
    let body = message.body.as_deref().ok_or(MessageError::NoBody)?;
    serde_json::from_str(body).map_err(|error| MessageError::shape(&error))
}

/// Handles each message in turn. Failed messages are logged and reported, and the queue redelivers
/// only them. Needs `ReportBatchItemFailures` on the event source mapping.
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
