//! Function fleet-api.

fn main() {}
