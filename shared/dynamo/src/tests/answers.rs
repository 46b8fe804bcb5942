//! Decoding of DynamoDB's responses, see the table in the crate's documentation.

use crate::error::Error;
use crate::table::Table;
use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{ErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::CancellationReason;
use aws_smithy_types::body::SdkBody;
use testkit::{Throttle, ThrottledTable};

/// A short form of an error.
fn named(error: &Error) -> String {
    match error {
        Error::ConditionFailed(places) => format!("condition {places:?}"),
        Error::Conflict => "conflict".to_owned(),
        Error::Throttled { is_repeated: true } => "throttled, repeated".to_owned(),
        Error::Throttled { is_repeated: false } => "throttled".to_owned(),
        Error::Contended { .. } => "contended".to_owned(),
        Error::Refused(_) => "refused".to_owned(),
        Error::Unknown(_) => "unknown".to_owned(),
    }
}

#[test]
fn a_cancelled_transaction_is_decoded_by_its_reasons() {
    let check = |codes: &[&str], expected: &str| {
        let reasons: Vec<_> = codes
            .iter()
            .map(|code| CancellationReason::builder().code(*code).build())
            .collect();
        assert_eq!(
            named(&Error::cancelled(&reasons, "cancelled".into())),
            expected,
            "{codes:?}"
        );
    };
    check(&["ConditionalCheckFailed"], "condition [0]");
    check(
        &[
            "None",
            "ConditionalCheckFailed",
            "None",
            "ConditionalCheckFailed",
        ],
        "condition [1, 3]",
    );
    check(
        &["TransactionConflict", "ConditionalCheckFailed"],
        "condition [1]",
    );
    check(
        &["ThrottlingError", "ConditionalCheckFailed"],
        "condition [1]",
    );
    check(
        &["ValidationError", "ConditionalCheckFailed"],
        "condition [1]",
    );
    check(&["None", "TransactionConflict"], "conflict");
    check(&["ThrottlingError", "None"], "throttled");
    check(&["ProvisionedThroughputExceeded"], "throttled");
    check(&["TransactionConflict", "ThrottlingError"], "throttled");
    check(&["ValidationError"], "refused");
    check(&["ValidationError", "TransactionConflict"], "refused");
    check(
        &["ItemCollectionSizeLimitExceeded", "ThrottlingError"],
        "refused",
    );
    check(&["AccessDenied"], "refused");
    check(&["None"], "refused");
    check(&[], "refused");
    let silent = CancellationReason::builder().build();
    let conflict = CancellationReason::builder()
        .code("TransactionConflict")
        .build();
    assert_eq!(
        named(&Error::cancelled(&[silent, conflict], "cancelled".into())),
        "conflict"
    );
}

#[test]
fn an_error_is_decoded_by_its_code_and_status() {
    let check = |code: &str, status: u16, expected: &str| {
        let metadata = ErrorMetadata::builder().code(code).build();
        let response = HttpResponse::new(status.try_into().unwrap(), SdkBody::empty());
        let error = SdkError::service_error(TransactWriteItemsError::generic(metadata), response);
        assert_eq!(named(&Error::of(error)), expected, "{code} {status}");
    };
    check("ConditionalCheckFailedException", 400, "condition [0]");
    check("TransactionConflictException", 400, "conflict");
    check("ThrottlingException", 400, "throttled, repeated");
    check(
        "ProvisionedThroughputExceededException",
        400,
        "throttled, repeated",
    );
    check("RequestLimitExceeded", 400, "throttled, repeated");
    check("TransactionInProgressException", 400, "unknown");
    check("InternalServerError", 500, "unknown");
    check("ServiceUnavailable", 503, "unknown");
    check("IdempotentParameterMismatchException", 400, "refused");
    check("ResourceNotFoundException", 400, "refused");
    check("ValidationException", 400, "refused");
    check("AccessDeniedException", 400, "refused");
}

#[test]
fn a_request_without_a_response_is_unknown_unless_it_was_never_sent() {
    type Failed = SdkError<TransactWriteItemsError>;
    assert_eq!(named(&Error::of(Failed::timeout_error("late"))), "unknown");
    let response = HttpResponse::new(200.try_into().unwrap(), SdkBody::empty());
    assert_eq!(
        named(&Error::of(Failed::response_error("cut off", response))),
        "unknown"
    );
    assert_eq!(
        named(&Error::of(Failed::construction_failure("no table"))),
        "refused"
    );
}

#[test]
fn only_a_failed_condition_counts_as_not_written() {
    assert!(Error::is_written(Ok(())).unwrap());
    assert!(!Error::is_written(Err(Error::ConditionFailed(vec![0]))).unwrap());
    assert!(Error::is_written(Err(Error::Conflict)).is_err());
    assert!(Error::is_written(Err(Error::Unknown("late".into()))).is_err());
}

#[test]
fn a_busy_table_may_be_called_later() {
    for error in [
        Error::Conflict,
        Error::Throttled { is_repeated: true },
        Error::Contended { attempts: 2 },
    ] {
        assert!(error.is_busy(), "{error}");
    }
    for error in [
        Error::ConditionFailed(vec![0]),
        Error::Refused("no".into()),
        Error::Unknown("late".into()),
    ] {
        assert!(!error.is_busy(), "{error}");
    }
}

#[tokio::test]
async fn every_form_of_throttling_is_decoded() {
    for throttle in [Throttle::Capacity, Throttle::Rate, Throttle::Undone] {
        let busy = ThrottledTable::start(throttle, u32::MAX).await;
        let table = Table::new(&busy.config, "table".to_owned());
        let put = table.put_all(vec![crate::key("A", "1")]).await.unwrap_err();
        assert_eq!(named(&put), "throttled, repeated", "{throttle:?}");
        let key = vec![crate::key("A", "1")];
        let deleted = table.delete_all(key).await.unwrap_err();
        assert_eq!(named(&deleted), "throttled, repeated", "{throttle:?}");
        let got = table
            .batch_get(vec![crate::key("A", "1")])
            .send()
            .await
            .unwrap_err();
        assert_eq!(named(&got), "throttled, repeated", "{throttle:?}");
    }
}

#[tokio::test]
async fn the_unprocessed_part_of_a_batch_is_requested_again() {
    let busy = ThrottledTable::start(Throttle::Undone, 5).await;
    let table = Table::new(&busy.config, "table".to_owned());
    table.put_all(vec![crate::key("A", "1")]).await.unwrap();
    assert_eq!(busy.calls(), 6);
    let busy = ThrottledTable::start(Throttle::Undone, 5).await;
    let table = Table::new(&busy.config, "table".to_owned());
    table.delete_all(vec![crate::key("A", "1")]).await.unwrap();
    assert_eq!(busy.calls(), 6);
}
