//! What the measurement and its floor share: HTTP/1.1 as little as both need.
//!
//! Invariant: knows no function and no crate of ours, so that nothing of what is measured measures
//! itself.

pub mod http;
