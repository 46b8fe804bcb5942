//! What every function starts with: clients, typed environment, telemetry, HTTP problems, tokens.
//!
//! Invariant: the only place that reads the clock, makes random ids or reads the environment. Knows
//! nothing of tenants, usage or money.

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

/// The present moment. Handlers prefer the time that their event carries.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// A new UUID of version 7: unguessable in 74 bits, and in order of time.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "the one place that makes ids")]
pub fn new_uuid() -> Uuid {
    Uuid::now_v7()
}

/// Sixteen random bytes of the operating system.
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
/// When it is missing or not a value of its type; the function then does not start.
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
