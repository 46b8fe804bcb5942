//! Function usage-rollup.

fn main() {}
