//! The code that the measurement and its floor share: the part of HTTP/1.1 that both need.
//!
//! Invariant: imports no function and no other crate of the project, so that measured code does not
//! take part in its own measurement.

pub mod http;
