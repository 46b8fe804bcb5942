//! Function fleet-directory.

fn main() {}
