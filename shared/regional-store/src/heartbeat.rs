//! Heartbeats: their gapless numbers, what the region said of itself with them, and whether a table answers.
//!
//! The number is kept in the outbox table, in the transaction that states the heartbeat. So a heartbeat
//! needs that table and no other, and can tell of any other one that is down.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use contract::{Envelope, Fact, HeartbeatReported, RegionDescribed};
use kernel::Timestamp;
use outbox::{Outbox, Row, Target};
use std::collections::HashMap;
use std::error::Error;

const PARTITION: &str = "HEARTBEAT";
const SORT: &str = "LAST";
/// What the table is asked to do with a heartbeat.
const STATE: &str = "state a heartbeat";

/// The region's heartbeats.
#[derive(Debug, Clone)]
pub struct HeartbeatStore {
    client: Client,
    outbox_table: String,
    outbox: Outbox,
}

/// The last heartbeat that was stated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LastHeartbeat {
    /// Its number; 0 before the first.
    pub sequence: u64,
    /// The schedule's time that it was for.
    pub reported_at: Option<Timestamp>,
    /// What the region said of itself when it last did. A release that says it in another form finds nothing.
    pub described: Option<RegionDescribed>,
}

/// Why a heartbeat was not stated, or a table did not answer.
#[derive(Debug, thiserror::Error)]
pub enum HeartbeatStoreError {
    /// A table was not reached, or refused.
    #[error("a table failed to {action}")]
    Unavailable {
        /// What it was asked to do.
        action: &'static str,
        /// What AWS said.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// What is stored of the last heartbeat is not what this code wrote.
    #[error("the stored {attribute} of the last heartbeat is malformed")]
    Malformed {
        /// The attribute.
        attribute: &'static str,
    },
}

impl HeartbeatStoreError {
    fn unavailable<E>(action: &'static str) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        move |source| Self::Unavailable { action, source: source.into() }
    }
}

impl HeartbeatStore {
    /// The heartbeats of an outbox table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, outbox_table: String) -> Self {
        let outbox = Outbox::new(config, outbox_table.clone());
        Self { client: Client::new(config), outbox_table, outbox }
    }

    /// Asks a table for an item that it does not have.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn probe(&self, table: &str) -> Result<(), HeartbeatStoreError> {
        let asked = self.client.get_item().table_name(table).set_key(Some(key("PROBE"))).send().await;
        asked.map(|_| ()).map_err(HeartbeatStoreError::unavailable("answer a probe"))
    }

    /// Loads what the next heartbeat follows.
    ///
    /// # Errors
    /// When the outbox table fails.
    pub async fn load_last(&self) -> Result<LastHeartbeat, HeartbeatStoreError> {
        let got = self
            .client
            .get_item()
            .table_name(&self.outbox_table)
            .set_key(Some(key(SORT)))
            .consistent_read(true)
            .send()
            .await
            .map_err(HeartbeatStoreError::unavailable("load the last heartbeat"))?;
        got.item.map_or(Ok(LastHeartbeat::default()), |item| last_of(&item))
    }

    /// States a heartbeat that follows the last one, and what the region says of itself, if it does now.
    /// Returns false when another heartbeat followed the last one meanwhile.
    ///
    /// # Errors
    /// When the outbox table fails; nothing is stated then.
    pub async fn record(
        &self,
        last: &LastHeartbeat,
        heartbeat: &Envelope<HeartbeatReported>,
        description: Option<&Envelope<RegionDescribed>>,
    ) -> Result<bool, HeartbeatStoreError> {
        let described = description.map(|stated| &stated.data).or(last.described.as_ref());
        let mut writes = vec![self.number(heartbeat, described)?, self.row(heartbeat)?];
        writes.extend(description.map(|stated| self.row(stated)).transpose()?);
        match self.client.transact_write_items().set_transact_items(Some(writes)).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_overtaken(&error) => Ok(false),
            Err(error) => Err(HeartbeatStoreError::unavailable(STATE)(error)),
        }
    }

    fn row<T: Fact>(&self, stated: &Envelope<T>) -> Result<TransactWriteItem, HeartbeatStoreError> {
        let row = Row::new(Target::Regional, stated).map_err(HeartbeatStoreError::unavailable(STATE))?;
        self.outbox.put(&row).map_err(HeartbeatStoreError::unavailable(STATE))
    }

    /// Takes the next number, unless it is taken, and keeps what the region last said of itself.
    fn number(
        &self,
        heartbeat: &Envelope<HeartbeatReported>,
        described: Option<&RegionDescribed>,
    ) -> Result<TransactWriteItem, HeartbeatStoreError> {
        let mut item = key(SORT);
        item.insert("sequence".to_owned(), AttributeValue::N(heartbeat.sequence.to_string()));
        item.insert("reported_at".to_owned(), AttributeValue::S(heartbeat.occurred_at.to_string()));
        if let Some(described) = described {
            let text = serde_json::to_string(described).map_err(HeartbeatStoreError::unavailable(STATE))?;
            item.insert("described".to_owned(), AttributeValue::S(text));
        }
        let previous = heartbeat.sequence.saturating_sub(1);
        let put = Put::builder().table_name(&self.outbox_table).set_item(Some(item));
        let put = if previous == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("#sequence = :previous")
                .expression_attribute_names("#sequence", "sequence")
                .expression_attribute_values(":previous", AttributeValue::N(previous.to_string()))
        };
        let put = put.build().map_err(HeartbeatStoreError::unavailable(STATE))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

fn key(sort: &str) -> HashMap<String, AttributeValue> {
    let text = |text: &str| AttributeValue::S(text.to_owned());
    HashMap::from([("pk".to_owned(), text(PARTITION)), ("sk".to_owned(), text(sort))])
}

fn last_of(item: &HashMap<String, AttributeValue>) -> Result<LastHeartbeat, HeartbeatStoreError> {
    let malformed = |attribute| HeartbeatStoreError::Malformed { attribute };
    let sequence = item.get("sequence").and_then(|value| value.as_n().ok()).and_then(|number| number.parse().ok());
    let reported_at = item.get("reported_at").and_then(|value| value.as_s().ok()).and_then(|text| text.parse().ok());
    let described = item.get("described").and_then(|value| value.as_s().ok());
    Ok(LastHeartbeat {
        sequence: sequence.ok_or_else(|| malformed("sequence"))?,
        reported_at: Some(reported_at.ok_or_else(|| malformed("reported_at"))?),
        described: described.and_then(|text| serde_json::from_str(text).ok()),
    })
}

fn is_overtaken(error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return false;
    };
    let codes = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
    codes.into_iter().any(|code| matches!(code, "ConditionalCheckFailed" | "TransactionConflict"))
}
