//! The invariants of the architecture page, checked against cargo metadata, template.yaml, the
//! README, the events and the sources themselves; and the generator of template.yaml.
//!
//! The invariants are in `tests/invariants`; each test states one rule, and its failure says what
//! to do.

mod fragments;
mod routes;
mod template;

pub use template::generate;
