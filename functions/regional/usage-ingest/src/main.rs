//! Function usage-ingest.

fn main() {}
