//! Why a request as a whole is refused, as problem documents.

use axum::http::{HeaderValue, StatusCode, header};
use metering::{BODY_BYTES_MAX, BodyError, EVENTS_MAX};
use runtime::Failure;
use runtime::http::Problem;
use usage_store::UsageStoreError;

/// A body that cannot be read as a whole.
pub(crate) fn refuse(error: BodyError) -> Problem {
    let (status, slug, title) = match error {
        BodyError::TooLarge => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "body-too-large",
            "The body is too large",
        ),
        BodyError::TooMany { .. } => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-many-events",
            "The batch has too many events",
        ),
        BodyError::TooManyKeys { .. } => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "too-many-corrections",
            "There are too many corrections by key",
        ),
        BodyError::Malformed { .. } => (
            StatusCode::BAD_REQUEST,
            "malformed-json",
            "The body is not JSON",
        ),
        BodyError::WrongShape { .. } => (
            StatusCode::BAD_REQUEST,
            "unexpected-form",
            "The body is not what its content type says",
        ),
    };
    let problem = Problem::new(status, slug, title).detail(error.to_string());
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        problem
            .with("events_max", EVENTS_MAX)
            .with("bytes_max", BODY_BYTES_MAX)
    } else {
        problem
    }
}

pub(crate) fn unsupported_type() -> Problem {
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Problem::new(status, "unsupported-content-type", "The content type is not read here").detail(
        "Send application/cloudevents+json, application/cloudevents-batch+json or application/json; in binary mode, \
         data that is JSON.",
    )
}

/// Names what is read, in the header that RFC 9110, 12.5.3, has for it.
pub(crate) fn unsupported_encoding() -> Problem {
    let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Problem::new(
        status,
        "unsupported-content-encoding",
        "The content encoding is not read here",
    )
    .detail("Send the body as it is, or compressed once by gzip.")
    .header(
        header::ACCEPT_ENCODING,
        HeaderValue::from_static("gzip, identity"),
    )
}

pub(crate) fn usage_failed(error: &UsageStoreError) -> Problem {
    match error {
        UsageStoreError::Throttled { .. } => throttled(),
        _ => unavailable(error),
    }
}

fn throttled() -> Problem {
    Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "throttled",
        "The region takes no more usage at the moment",
    )
    .detail("Nothing is acknowledged. Send the same events again: each counts once.")
    .header(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

fn unavailable(error: &dyn std::error::Error) -> Problem {
    let failure = Failure::of("usage-unavailable", error);
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        failure.kind(),
        "Usage cannot be stored at the moment",
    )
    .detail("Nothing is acknowledged. Send the same events again: each counts once.")
    .header(header::RETRY_AFTER, HeaderValue::from_static("2"))
}
