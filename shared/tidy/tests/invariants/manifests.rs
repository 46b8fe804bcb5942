//! The members' Cargo.toml: what is common is declared once, in the root.

use crate::{none, repository};
use anyhow::Result;
use toml::{Table, Value};

/// Every member's manifest: its path and content.
fn members() -> Result<Vec<(String, Table)>> {
    let manifests = repository::files("", &["toml"])?;
    let members = manifests
        .into_iter()
        .filter(|file| file.path.ends_with("/Cargo.toml"));
    members
        .map(|file| Ok((file.path, file.text.parse::<Table>()?)))
        .collect()
}

#[test]
fn every_version_is_in_the_root() -> Result<()> {
    let mut findings = Vec::new();
    for (path, manifest) in members()? {
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            for (name, entry) in manifest
                .get(section)
                .and_then(Value::as_table)
                .into_iter()
                .flatten()
            {
                if entry.get("workspace").and_then(Value::as_bool) != Some(true) {
                    findings.push(format!("{path}: {name}"));
                }
            }
        }
    }
    none(
        &findings,
        "Write `name.workspace = true` here, and the version in the root's [workspace.dependencies].",
    )
}

#[test]
fn every_crate_takes_the_workspace_lints() -> Result<()> {
    let mut findings = Vec::new();
    for (path, manifest) in members()? {
        let taken = manifest
            .get("lints")
            .and_then(|lints| lints.get("workspace"))
            .and_then(Value::as_bool);
        if taken != Some(true) {
            findings.push(path);
        }
    }
    none(&findings, "Add `[lints]` with `workspace = true`.")
}
