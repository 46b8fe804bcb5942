//! Function billing-api.

fn main() {}
