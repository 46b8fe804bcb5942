//! The problems of requests that are refused as a whole.

use axum::http::{HeaderValue, header};
use metering::{BODY_BYTES_MAX, BodyError, EVENTS_MAX};
use runtime::Failure;
use runtime::http::{Problem, ProblemType as _};
use usage_store::UsageStoreError;

runtime::problem_kinds! {
    /// The problems of this API.
    pub(crate) enum ProblemKind {
        /// The body has more than 4 MiB, as it is or inflated. The member `bytes_max` states the
        /// limit.
        BodyTooLarge = PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large";
        /// The batch has more than 1000 events. The member `events_max` states the limit.
        TooManyEvents = PAYLOAD_TOO_LARGE, "too-many-events", "The batch has too many events";
        /// The request has more than 500 corrections.
        TooManyCorrections = PAYLOAD_TOO_LARGE, "too-many-corrections",
            "There are too many corrections";
        /// The request has more than 20 corrections by key.
        TooManyKeyedCorrections = PAYLOAD_TOO_LARGE, "too-many-corrections",
            "There are too many corrections by key";
        MalformedJson = BAD_REQUEST, "malformed-json", "The body is not JSON";
        /// The body does not match its content type, or is not a list of corrections.
        UnexpectedForm = BAD_REQUEST, "unexpected-form",
            "The body is not what its content type says";
        /// The content encoding is gzip, but the body is not.
        MalformedGzip = BAD_REQUEST, "malformed-gzip", "The body is not gzip",
            "The header content-encoding says gzip, and the body is damaged, incomplete or \
             something else.";
        /// The content type is neither of CloudEvents nor JSON.
        UnsupportedContentType = UNSUPPORTED_MEDIA_TYPE, "unsupported-content-type",
            "The content type is not supported",
            "Send application/cloudevents+json, application/cloudevents-batch+json or \
             application/json; in binary mode, data that is JSON.";
        /// The content encoding is neither gzip nor identity.
        UnsupportedContentEncoding = UNSUPPORTED_MEDIA_TYPE, "unsupported-content-encoding",
            "The content encoding is not supported",
            "Send the body uncompressed, or compressed once by gzip.";
        /// Some events are not valid. The member `rejected` has the reason of each; `accepted` is
        /// the number of the others, which are stored.
        EventsRefused = UNPROCESSABLE_ENTITY, "events-refused",
            "Some events of the batch are refused";
        /// No correction is valid. The member `rejected` has the reason of each.
        CorrectionsRefused = UNPROCESSABLE_ENTITY, "corrections-refused",
            "Every correction is refused";
        /// The tenant is missing, or is not a tenant id.
        InvalidTenant = BAD_REQUEST, "invalid-tenant", "The tenant is not valid";
        /// The cursor is not one of an earlier answer.
        InvalidCursor = BAD_REQUEST, "invalid-cursor", "The cursor is not valid";
        UnknownTenant = NOT_FOUND, "unknown-tenant", "The tenant is not in use in this region";
        /// The region is throttled. Nothing is acknowledged.
        Throttled = TOO_MANY_REQUESTS, "throttled", "The region takes no more usage at the moment",
            "Nothing is acknowledged. Send the same events again: each counts once.";
        /// Usage cannot be stored or read at the moment. Nothing is acknowledged.
        UsageUnavailable = SERVICE_UNAVAILABLE, "usage-unavailable",
            "Usage cannot be stored at the moment",
            "Nothing is acknowledged. Send the same events again: each counts once.";
    }
}

/// The problem of a body that cannot be parsed as a whole, with the limits where one is exceeded.
pub(crate) fn refuse(error: BodyError) -> Problem {
    let kind = match error {
        BodyError::TooLarge => ProblemKind::BodyTooLarge,
        BodyError::TooMany { .. } => ProblemKind::TooManyEvents,
        BodyError::TooManyKeys { .. } => ProblemKind::TooManyKeyedCorrections,
        BodyError::Malformed { .. } => ProblemKind::MalformedJson,
        BodyError::WrongShape { .. } => ProblemKind::UnexpectedForm,
    };
    let problem = Problem::new(kind).detail(error.to_string());
    match error {
        BodyError::TooLarge | BodyError::TooMany { .. } | BodyError::TooManyKeys { .. } => problem
            .with("events_max", EVENTS_MAX)
            .with("bytes_max", BODY_BYTES_MAX),
        BodyError::Malformed { .. } | BodyError::WrongShape { .. } => problem,
    }
}

/// Names the supported encodings in `accept-encoding`, as RFC 9110, 12.5.3, defines.
pub(crate) fn unsupported_encoding() -> Problem {
    Problem::new(ProblemKind::UnsupportedContentEncoding).header(
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
    Problem::new(ProblemKind::Throttled).header(header::RETRY_AFTER, HeaderValue::from_static("1"))
}

fn unavailable(error: &dyn std::error::Error) -> Problem {
    let kind = ProblemKind::UsageUnavailable;
    // Logs the error under the slug of the answer. The answer itself has no internals.
    let _ = Failure::of(kind.slug(), error);
    kind.into()
}
