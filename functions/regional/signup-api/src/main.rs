//! Function signup-api.

fn main() {}
