//! Function policy-apply.

fn main() {}
