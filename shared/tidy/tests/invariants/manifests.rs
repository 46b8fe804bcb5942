//! The members' Cargo.toml: what is common is declared once, in the root.

use crate::{none, repository};
use anyhow::{Context, Result, ensure};
use cargo_metadata::{DependencyKind, MetadataCommand, PackageId};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
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

/// The packages of a build of the workspace, each with the features that it is built with.
fn features(edges: &str) -> Result<BTreeMap<String, BTreeSet<String>>> {
    let arguments = ["tree", "--workspace", "--locked", "--prefix", "none"];
    let tree = Command::new("cargo")
        .args(arguments)
        .args(["--format", "{p} | {f}", "--edges", edges])
        .current_dir(repository::root())
        .output()?;
    ensure!(tree.status.success(), "cargo tree failed");
    let mut built: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8(tree.stdout)?.lines() {
        // A package that stands in the tree before is marked with an asterisk.
        let line = line.strip_suffix(" (*)").unwrap_or(line);
        if let Some((package, features)) = line.split_once(" | ") {
            let package: Vec<&str> = package.split(' ').take(2).collect();
            let features = features.to_owned();
            built.entry(package.join(" ")).or_default().insert(features);
        }
    }
    Ok(built)
}

/// The packages that AWS SDKs are made of, themselves included.
fn below_sdks() -> Result<BTreeSet<String>> {
    let metadata = MetadataCommand::new()
        .current_dir(repository::root())
        .exec()?;
    let resolve = metadata.resolve.context("no resolve in cargo metadata")?;
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|node| (&node.id, node)).collect();
    let is_sdk = |id: &&PackageId| {
        metadata
            .packages
            .iter()
            .any(|package| package.id == **id && package.name.starts_with("aws-sdk-"))
    };
    let mut open: Vec<&PackageId> = nodes.keys().copied().filter(is_sdk).collect();
    let mut found = BTreeSet::new();
    while let Some(id) = open.pop() {
        if found.insert(id) {
            let used = nodes[id].deps.iter().filter(|used| {
                let mut kinds = used.dep_kinds.iter();
                kinds.any(|kind| kind.kind != DependencyKind::Development)
            });
            open.extend(used.map(|used| &used.pkg));
        }
    }
    let named = metadata
        .packages
        .iter()
        .filter(|package| found.contains(&package.id));
    let named = named.map(|package| format!("{} v{}", package.name, package.version));
    Ok(named.collect())
}

#[test]
fn tests_build_the_sdks_as_the_demo_does() -> Result<()> {
    let below_sdks = below_sdks()?;
    let (demo, tests) = (features("normal,build")?, features("all")?);
    let findings: Vec<String> = demo
        .iter()
        .filter(|(package, _)| below_sdks.contains(*package))
        .filter(|(package, built)| !tests.get(*package).is_some_and(|all| built.is_subset(all)))
        .map(|(package, built)| format!("{package}: {built:?}, {:?} in tests", tests.get(package)))
        .collect();
    none(
        &findings,
        "Name the crate that asks for these features in testkit's dependencies: every build then has one selection, and \
         compiles the SDKs once.",
    )
}
