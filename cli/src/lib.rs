//! The meridian command: local stack, demo, operator commands.
//!
//! As a library it brings the local stack up for tests: see [`local::Stack`].

pub mod canary;
pub mod client;
pub mod demo;
pub mod local;
pub mod regions;

/// The present moment.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the command line's one place that reads the clock"
)]
pub fn now() -> kernel::Timestamp {
    kernel::Timestamp::now()
}

/// A fresh id.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the command line's one place that makes ids"
)]
pub fn new_uuid() -> uuid::Uuid {
    uuid::Uuid::new_v4()
}
