//! Usage events to settled window totals, as pure functions.
