//! Several writers of one item: each reads, decides, writes under a condition, and tries again.

use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::CancellationReason;
use kernel::TenantId;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// How often a write is tried before its message is left to come again.
pub const ATTEMPTS_MAX: u32 = 40;
const PAUSE_MS_MIN: u64 = 16;
const PAUSE_MS_MAX: u64 = 2_048;

/// Waits for a part of a window that doubles with each attempt, so that those who collided do not
/// collide again. The part is a function of tenant and attempt: chance is not needed to spread it.
pub async fn pause(tenant: TenantId, attempt: u32) {
    tokio::time::sleep(Duration::from_millis(pause_ms(tenant, attempt))).await;
}

pub(crate) fn pause_ms(tenant: TenantId, attempt: u32) -> u64 {
    let window = (PAUSE_MS_MIN << attempt.min(7)).min(PAUSE_MS_MAX);
    let mut hasher = DefaultHasher::new();
    (tenant, attempt).hash(&mut hasher);
    1 + hasher.finish() % window
}

/// Whether a condition of a put did not hold.
pub(crate) fn is_refused(error: &SdkError<PutItemError>) -> bool {
    matches!(
        error.as_service_error(),
        Some(PutItemError::ConditionalCheckFailedException(_) | PutItemError::TransactionConflictException(_))
    )
}

/// Whether nothing but other writers stood in the way of a transaction: reading again can help then.
pub(crate) fn is_conflict(error: &SdkError<TransactWriteItemsError>) -> bool {
    match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
            let reasons = cancelled.cancellation_reasons().iter();
            let mut codes = reasons.filter_map(CancellationReason::code).filter(|code| *code != "None").peekable();
            codes.peek().is_some() && codes.all(|code| matches!(code, "ConditionalCheckFailed" | "TransactionConflict"))
        }
        Some(TransactWriteItemsError::TransactionInProgressException(_)) => true,
        _ => false,
    }
}
