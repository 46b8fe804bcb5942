//! The invariants of the architecture page, checked against cargo metadata, template.yaml, the
//! README, the events and the sources themselves; and the generator of template.yaml.
//!
//! The invariants are in `tests/invariants`. Each test checks one rule, and its failure names the
//! remedy.

mod fragments;
mod routes;
mod template;

pub use template::generate;
