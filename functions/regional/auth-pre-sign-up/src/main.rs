//! Function auth-pre-sign-up.

fn main() {}
