//! The invariants of the architecture page, checked against cargo metadata, template.yaml, the README,
//! the events and the sources themselves.
//!
//! Everything is in `tests/invariants`; each test states one rule, and its failure says what to do.
