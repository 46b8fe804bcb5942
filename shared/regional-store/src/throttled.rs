//! Whether a table takes no more at the moment, as `DynamoDB` says so.

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};

/// Errors that say: the same call, later. The client's own retries are over by then.
pub(crate) const THROTTLED: [&str; 5] = [
    "ProvisionedThroughputExceededException",
    "ThrottlingException",
    "RequestLimitExceeded",
    "ProvisionedThroughputExceeded",
    "ThrottlingError",
];

pub(crate) fn is_throttled<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    error.code().is_some_and(|code| THROTTLED.contains(&code))
}
