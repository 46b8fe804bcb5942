//! Function heartbeat.

fn main() {}
