//! Logs: one JSON object a line, to standard output, where Lambda collects them.

use crate::env;
use tracing_subscriber::EnvFilter;

/// Starts logging at the level that `LOG_LEVEL` names. A second call changes nothing.
pub(crate) fn init() {
    let level: String = env("LOG_LEVEL").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&level).unwrap_or_else(|_| EnvFilter::new("info"));
    let logs = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_target(false)
        .with_env_filter(filter);
    if logs.try_init().is_err() {
        tracing::debug!("logging was already set up");
    }
}
