//! The invariants of the architecture page, checked against cargo metadata and template.yaml.
