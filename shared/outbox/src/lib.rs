//! The transactional outbox: rows are written in the transaction of the state that they belong to,
//! relayed to a bus, and then removed.
//!
//! Invariant: a row exists from the transaction of its event until the event is published. There is
//! no other way to publish an event. Source: the transactional outbox pattern (AWS Prescriptive
//! Guidance, "Transactional outbox pattern").

mod row;
mod table;

pub use row::{MalformedRow, Row, Target};
pub use table::{Backlog, Outbox, OutboxError};

#[cfg(test)]
mod tests;
