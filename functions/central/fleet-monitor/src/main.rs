//! Function fleet-monitor.

fn main() {}
