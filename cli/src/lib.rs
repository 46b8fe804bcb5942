//! The meridian command: operators' commands, the demo, and the commands of the local stack.
//!
//! As a library it provides the API clients and the demo, which the end-to-end tests use too.

pub mod client;
pub mod demo;

/// The present time.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the command line's one place that reads the clock"
)]
pub fn now() -> kernel::Timestamp {
    kernel::Timestamp::now()
}

/// A new random id.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the command line's one place that makes ids"
)]
pub fn new_uuid() -> uuid::Uuid {
    uuid::Uuid::new_v4()
}
