//! How long the journeys wait until nothing is under way.

use std::time::Duration;

/// Longer than what a restart strands takes to be found. The local AWS keeps no records of streams
/// when a region stops: rows of the outbox and pending usage whose records are lost then wait for
/// the sweep, which takes what is 60 s old and runs once in a minute, and what it finds has its own
/// way to go. Every search for personal data restarts all regions, so that any journey may come
/// after one.
pub(crate) const QUIET_MAX: Duration = Duration::from_secs(180);
