//! The one place that knows DynamoDB: items, requests, batches, transactions and retries.
//!
//! Stores describe their reads and writes. This crate builds the requests, decodes the responses,
//! and waits where a retry can succeed. It knows no domain type.
//!
//! Invariant: no other crate decodes an error of DynamoDB, and no store implements waits between
//! attempts of its own.
//!
//! # Errors
//!
//! | response of DynamoDB | [`Error`] | effect |
//! |---|---|---|
//! | `ConditionalCheckFailedException`, reason `ConditionalCheckFailed` | [`Error::ConditionFailed`] | nothing |
//! | `TransactionConflictException`, reason `TransactionConflict` | [`Error::Conflict`] | nothing |
//! | reasons `ThrottlingError` and `ProvisionedThroughputExceeded` | [`Error::Throttled`], not repeated | nothing |
//! | `ThrottlingException`, `ProvisionedThroughputExceededException`, `RequestLimitExceeded` | [`Error::Throttled`], repeated | nothing |
//! | unprocessed items or keys after the last round of a batch | [`Error::Throttled`], repeated | any part |
//! | `TransactionInProgressException` | [`Error::Unknown`] | all or nothing |
//! | a timeout, a lost connection, an unreadable response, an error of the server (5xx) | [`Error::Unknown`] | all, nothing, or a batch's part |
//! | `IdempotentParameterMismatchException`, reasons `ValidationError` and `ItemCollectionSizeLimitExceeded`, and all others | [`Error::Refused`] | nothing |
//!
//! A cancelled transaction has a reason for each of its writes. The reasons are decoded in this
//! order:
//!
//! 1. A failed condition: the decision was made on an old state, whatever the other writes say.
//!    Reading again and deciding again is right.
//! 2. A refusal: no wait makes an invalid write valid.
//! 3. Throttling, then a conflict: the same transaction may pass later.
//!
//! The SDK itself retries throttled calls and `TransactionInProgressException`, a transaction under
//! the same idempotency token, as AWS recommends. So these two are final here: a transaction that
//! is still in progress may yet be committed, and must not be treated as lost. The SDK does not
//! retry a cancelled transaction or a conflict. [`Attempts`] does.
//!
//! Sources: the API reference of `TransactWriteItems` and its errors, and "Error handling with
//! DynamoDB" in the developer guide.

mod batch;
mod call;
mod error;
mod item;
mod query;
mod retry;
mod shard;
mod table;
mod transaction;
mod write;

pub use aws_sdk_dynamodb::types::AttributeValue;
pub use batch::BatchGet;
pub use error::Error;
pub use item::{
    Attributes, GENERATION, Item, bytes, from_item, has_key, key, number, text, to_item, to_value,
};
pub use query::{Page, Pages, Query};
pub use retry::{Attempts, Backoff, CONTENTION, CROWD};
pub use shard::Shards;
pub use table::Table;
pub use write::{Leaving, Write};

#[cfg(test)]
mod tests;
