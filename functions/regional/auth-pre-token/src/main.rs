//! Function auth-pre-token.

fn main() {}
