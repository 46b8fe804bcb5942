//! Transactions, with typed errors.

use crate::error::Error;
use crate::item::Item;
use crate::table::Table;
use crate::write::Write;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_get_items::TransactGetItemsError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{CancellationReason, Get, TransactGetItem, TransactWriteItem};

impl Table {
    /// Commits at most 100 writes of different items, at most 4 MB in all, in one transaction.
    ///
    /// Failed conditions are reported by the index of their write in `writes`.
    ///
    /// # Errors
    /// [`Error`] when a condition fails, another transaction uses the same items, or the table
    /// fails.
    pub async fn transact(&self, writes: Vec<Write>) -> Result<(), Error> {
        let parts = writes
            .into_iter()
            .map(Write::part)
            .collect::<Result<Vec<TransactWriteItem>, Error>>()?;
        // The SDK makes an idempotency token, and retries a lost request under the same one.
        let sent = Box::pin(
            self.client
                .transact_write_items()
                .set_transact_items(Some(parts))
                .send(),
        )
        .await;
        sent.map(|_| ()).map_err(write_error)
    }

    /// Reads items in one transaction, in the order of the keys.
    ///
    /// # Errors
    /// [`Error`] when a writer uses the same items, or the table fails.
    pub async fn snapshot(&self, keys: Vec<Item>) -> Result<Vec<Option<Item>>, Error> {
        let get = |key| {
            let get = Get::builder()
                .table_name(&self.name)
                .set_key(Some(key))
                .build()?;
            Ok(TransactGetItem::builder().get(get).build())
        };
        let gets = keys
            .into_iter()
            .map(get)
            .collect::<Result<Vec<_>, Error>>()?;
        let got = Box::pin(
            self.client
                .transact_get_items()
                .set_transact_items(Some(gets))
                .send(),
        )
        .await;
        let responses = got.map_err(read_error)?.responses.unwrap_or_default();
        Ok(responses
            .into_iter()
            .map(|response| response.item)
            .collect())
    }
}

fn write_error(error: SdkError<TransactWriteItemsError>) -> Error {
    decode(error, |error| match error {
        TransactWriteItemsError::TransactionCanceledException(cancelled) => {
            Some(cancelled.cancellation_reasons())
        }
        _ => None,
    })
}

fn read_error(error: SdkError<TransactGetItemsError>) -> Error {
    decode(error, |error| match error {
        TransactGetItemsError::TransactionCanceledException(cancelled) => {
            Some(cancelled.cancellation_reasons())
        }
        _ => None,
    })
}

/// Decodes the error of a transaction: by the reasons of its parts if it was cancelled, otherwise
/// by its code.
fn decode<E>(error: SdkError<E>, reasons: impl Fn(&E) -> Option<&[CancellationReason]>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    match error
        .as_service_error()
        .and_then(reasons)
        .map(<[_]>::to_vec)
    {
        Some(reasons) => Error::cancelled(&reasons, Box::new(error)),
        None => Error::of(error),
    }
}
