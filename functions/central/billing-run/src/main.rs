//! Function billing-run.

fn main() {}
