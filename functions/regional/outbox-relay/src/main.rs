//! Function outbox-relay.

fn main() {}
