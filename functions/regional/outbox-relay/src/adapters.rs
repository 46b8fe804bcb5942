//! The clients and the configuration of the function.

use crate::recent::Recent;
use bus::Bus;
use outbox::Outbox;

/// What the function works with.
pub(crate) struct Adapters {
    pub(crate) outbox: Outbox,
    pub(crate) regional_bus: Bus,
    /// Only the home region has one.
    pub(crate) home_bus: Option<Bus>,
    pub(crate) recent: Recent,
}
