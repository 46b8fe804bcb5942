//! The clients and the configuration of the function.

use crate::recent::Recent;
use bus::Bus;
use outbox::Outbox;

/// The function's clients and configuration.
pub(crate) struct Adapters {
    pub(crate) outbox: Outbox,
    pub(crate) regional_bus: Bus,
    /// The home bus, in the home region only.
    pub(crate) home_bus: Option<Bus>,
    pub(crate) recent: Recent,
}
