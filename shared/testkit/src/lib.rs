//! Fixtures and the local AWS for adapter and handler tests. A dev-dependency only.
//!
//! Tests run against real services of one emulator process that all test binaries of a checkout
//! share. It ends by itself a minute after the last test.

mod emulator;
mod events;
mod odd;
pub mod openapi;
mod resources;
mod throttle;

pub use emulator::{LocalAws, aws};
pub use events::{Case, by_position, cases};
pub use odd::OddEvents;
pub use resources::{
    Pool, add_client, bus, client_token, machine_token, queue, table, tenant_role, user_pool,
};
pub use throttle::{Throttle, ThrottledTable};
