//! Function auth-post-confirmation.

fn main() {}
