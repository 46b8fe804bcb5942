//! The foundation of every function: AWS configuration, typed environment, logs, HTTP requests and
//! problems, tokens, queues.
//!
//! Invariant: the only place that reads the clock, makes random ids or reads the environment. May
//! not import anything of tenants, usage or money.

mod connect;
mod failure;
mod forward;
pub mod handover;
pub mod http;
pub mod queue;
mod schedule;
mod telemetry;

pub use connect::{Service, start};
pub use failure::Failure;
pub use forward::{ForwardError, Forwarded, Forwarder};
pub use lambda_runtime::Error;
pub use schedule::{Scheduled, Trigger};

use kernel::Timestamp;
use std::str::FromStr;
use uuid::Uuid;

/// The present time. Handlers use the time of their event where it has one, so that a replay
/// repeats itself.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// A new UUID of version 7 (RFC 9562, 5.7): 74 random bits, sorted by time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
pub fn new_uuid() -> Uuid {
    Uuid::now_v7()
}

/// Sixteen random bytes from the operating system.
///
/// # Errors
/// When the operating system has none.
pub fn random_bytes() -> Result<[u8; 16], Error> {
    let bytes = ring::rand::generate::<[u8; 16]>(&ring::rand::SystemRandom::new())
        .map_err(|_| "the operating system gave no random bytes")?;
    Ok(bytes.expose())
}

/// Reads a variable of the function's environment, as the template sets it.
///
/// # Errors
/// When the variable is missing or is not a value of its type. The function then does not start.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment"
)]
pub fn env<T: FromStr>(name: &'static str) -> Result<T, Error>
where
    T::Err: std::fmt::Display,
{
    let text =
        std::env::var(name).map_err(|_| format!("the environment variable {name} is missing"))?;
    text.parse()
        .map_err(|error| format!("the environment variable {name} is invalid: {error}").into())
}

#[cfg(test)]
mod tests;
