//! The invariants of the architecture page, checked against cargo metadata, template.yaml, the
//! documents, the events and the sources themselves; and the generators of template.yaml and
//! docs/parameters.md.
//!
//! The invariants are in `tests/invariants`. Each test checks one rule, and its failure names the
//! remedy.

pub mod documents;
mod fragments;
mod parameters;
mod routes;
mod template;

pub use parameters::parameters_page;
pub use template::generate;
