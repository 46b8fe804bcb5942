//! Function billing-ledger.

fn main() {}
