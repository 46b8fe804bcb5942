//! Why a request as a whole is refused.

use axum::http::{HeaderValue, header};
use metering::{BODY_BYTES_MAX, BodyError, EVENTS_MAX};
use runtime::Failure;
use runtime::http::{Problem, ProblemType as _};
use usage_store::UsageStoreError;

runtime::problem_kinds! {
    /// What this API refuses.
    pub(crate) enum ProblemKind {
        /// The body has more than 4 MiB, as it is or inflated. The member `bytes_max` states the
        /// limit.
        BodyTooLarge = PAYLOAD_TOO_LARGE, "body-too-large", "The body is too large";
        /// The batch has more than 1000 events. The member `events_max` states the limit.
        TooManyEvents = PAYLOAD_TOO_LARGE, "too-many-events", "The batch has too many events";
        /// There are more than 500.
        TooManyCorrections = PAYLOAD_TOO_LARGE, "too-many-corrections",
            "There are too many corrections";
        /// There are more than 20 by key.
        TooManyKeyedCorrections = PAYLOAD_TOO_LARGE, "too-many-corrections",
            "There are too many corrections by key";
        MalformedJson = BAD_REQUEST, "malformed-json", "The body is not JSON";
        /// It is not what its content type says, or no list of corrections.
        UnexpectedForm = BAD_REQUEST, "unexpected-form",
            "The body is not what its content type says";
        /// It is not gzip and its content encoding says so.
        MalformedGzip = BAD_REQUEST, "malformed-gzip", "The body is not gzip",
            "The header content-encoding says gzip, and the body is damaged, incomplete or \
             something else.";
        /// It is neither of CloudEvents nor JSON.
        UnsupportedContentType = UNSUPPORTED_MEDIA_TYPE, "unsupported-content-type",
            "The content type is not read here",
            "Send application/cloudevents+json, application/cloudevents-batch+json or \
             application/json; in binary mode, data that is JSON.";
        /// It is neither gzip nor identity.
        UnsupportedContentEncoding = UNSUPPORTED_MEDIA_TYPE, "unsupported-content-encoding",
            "The content encoding is not read here",
            "Send the body as it is, or compressed once by gzip.";
        /// The member `rejected` has the reason of each event that is not valid, and `accepted`
        /// says how many others are stored.
        EventsRefused = UNPROCESSABLE_ENTITY, "events-refused",
            "Some events of the batch are refused";
        /// None is valid; the member `rejected` has the reason of each.
        CorrectionsRefused = UNPROCESSABLE_ENTITY, "corrections-refused",
            "Every correction is refused";
        /// The tenant is missing or no tenant id.
        InvalidTenant = BAD_REQUEST, "invalid-tenant", "The tenant is not valid";
        /// No answer gave it.
        InvalidCursor = BAD_REQUEST, "invalid-cursor", "The cursor is not valid";
        UnknownTenant = NOT_FOUND, "unknown-tenant", "The tenant is not in use in this region";
        /// The region takes no more usage at the moment. Nothing is acknowledged.
        Throttled = TOO_MANY_REQUESTS, "throttled", "The region takes no more usage at the moment",
            "Nothing is acknowledged. Send the same events again: each counts once.";
        /// Usage cannot be stored or read at the moment. Nothing is acknowledged.
        UsageUnavailable = SERVICE_UNAVAILABLE, "usage-unavailable",
            "Usage cannot be stored at the moment",
            "Nothing is acknowledged. Send the same events again: each counts once.";
    }
}

/// A body that cannot be read as a whole.
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

/// Names what is read, in the header that RFC 9110, 12.5.3, has for it.
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
    // The log names the failure as the answer does.
    let _ = Failure::of(kind.slug(), error);
    kind.into()
}
