//! Logging: one JSON object per line, to standard output, where Lambda collects it.

use crate::env;
use tracing_subscriber::filter::LevelFilter;

/// Starts logging at the level that `LOG_LEVEL` names. A second call changes nothing.
pub(crate) fn init() {
    let level = env("LOG_LEVEL").unwrap_or(LevelFilter::INFO);
    let logs = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_max_level(level);
    if logs.try_init().is_err() {
        tracing::debug!("logging was already set up");
    }
}
