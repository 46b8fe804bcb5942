//! Function billing-invoice.

fn main() {}
