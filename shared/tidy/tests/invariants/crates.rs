//! The dependencies between crates: kernel <- catalogue, contract <- pure crates <- adapters <-
//! functions.

use crate::{none, repository};
use anyhow::{Context, Result};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, NodeDep, Package, PackageId};
use std::collections::{BTreeMap, BTreeSet};

/// What each shared crate may depend on. A new edge is a decision about the architecture.
const ALLOWED: [(&str, &[&str]); 23] = [
    ("kernel", &[]),
    ("catalogue", &["kernel"]),
    ("contract", &["kernel"]),
    ("tenancy", &["kernel", "catalogue", "contract"]),
    ("dedupe", &["kernel"]),
    ("metering", &["kernel", "catalogue", "contract", "dedupe"]),
    ("billing", &["kernel", "catalogue", "contract"]),
    ("fleet", &["kernel", "catalogue", "contract"]),
    ("dynamo", &["kernel"]),
    ("outbox", &["dynamo", "kernel", "contract"]),
    ("bus", &["kernel", "contract", "outbox"]),
    ("identity", &["kernel", "contract", "tenancy"]),
    ("mail", &["kernel", "contract", "tenancy"]),
    ("runtime", &["kernel"]),
    ("tenant-access", &["kernel"]),
    (
        "tenant-store",
        &["dynamo", "kernel", "contract", "tenancy", "outbox"],
    ),
    (
        "usage-store",
        &[
            "dynamo",
            "kernel",
            "catalogue",
            "contract",
            "dedupe",
            "metering",
            "outbox",
        ],
    ),
    (
        "billing-store",
        &["dynamo", "kernel", "contract", "billing", "outbox"],
    ),
    (
        "central-store",
        &["dynamo", "kernel", "contract", "fleet", "outbox"],
    ),
    ("deployment", &["kernel"]),
    ("local-aws", &["kernel", "deployment"]),
    ("testkit", &["deployment", "local-aws", "runtime"]),
    (
        "meridian",
        &[
            "deployment",
            "local-aws",
            "kernel",
            "catalogue",
            "contract",
            "tenancy",
            "metering",
            "billing",
            "fleet",
        ],
    ),
];

/// What a function of the regional set may know.
const REGIONAL: [&str; 15] = [
    "dynamo",
    "kernel",
    "catalogue",
    "contract",
    "dedupe",
    "tenancy",
    "metering",
    "tenant-store",
    "usage-store",
    "identity",
    "mail",
    "tenant-access",
    "outbox",
    "bus",
    "runtime",
];

/// The crates that a function of the billing or fleet set may depend on: none can hold personal
/// data or a raw event.
const CENTRAL: [&str; 11] = [
    "dynamo",
    "kernel",
    "catalogue",
    "contract",
    "billing",
    "fleet",
    "billing-store",
    "central-store",
    "outbox",
    "bus",
    "runtime",
];

/// What can hold personal data: the types, the table, the accounts and the letters.
const PERSONAL: [&str; 4] = ["tenancy", "tenant-store", "identity", "mail"];

/// What takes usage in, rolls it up or reads totals for others, with the crates that it works by.
/// `login-meter` is none of them: it looks up the tenant of a user.
const OF_USAGE: [&str; 7] = [
    "metering",
    "dedupe",
    "usage-store",
    "usage-ingest",
    "usage-rollup",
    "usage-resend",
    "usage-alert",
];

/// Crates without I/O, clock or chance.
const PURE: [&str; 8] = [
    "kernel",
    "catalogue",
    "contract",
    "dedupe",
    "tenancy",
    "metering",
    "billing",
    "fleet",
];

/// Crates that do I/O, by the prefix of their names.
const EFFECTFUL: [&str; 9] = [
    "tokio",
    "async-std",
    "aws-",
    "aws_",
    "lambda_",
    "reqwest",
    "hyper",
    "ureq",
    "rustls",
];

/// External crates that one crate of ours wraps for all others, and the exceptions: the example
/// creates tables, the local stack counts their backlog, and the rollup reads the keys of stream
/// records without a copy.
const KNOWN_BY: [(&str, &[&str]); 3] = [
    (
        "aws-sdk-dynamodb",
        &["dynamo", "application-example", "local-aws"],
    ),
    ("serde_dynamo", &["dynamo", "usage-rollup"]),
    ("backon", &["dynamo"]),
];

/// Crates for tests and measurements only.
const TESTS_ONLY: [&str; 5] = ["coldstart", "journey", "testkit", "tenantkit", "tidy"];

/// The crate of test fixtures with people.
const KNOWS_PEOPLE: &str = "tenantkit";

/// The crate of the command line, which no crate depends on.
const COMMAND: &str = "meridian";

fn metadata() -> Result<Metadata> {
    MetadataCommand::new()
        .current_dir(repository::root())
        .exec()
        .context("cargo metadata failed")
}

/// The workspace crates that a package depends on, by the kind of dependency.
fn local_dependencies(
    metadata: &Metadata,
    package: &Package,
    kinds: &[DependencyKind],
) -> BTreeSet<String> {
    let local: BTreeSet<_> = metadata
        .workspace_packages()
        .iter()
        .map(|package| package.name.to_string())
        .collect();
    package
        .dependencies
        .iter()
        .filter(|dependency| kinds.contains(&dependency.kind) && dependency.path.is_some())
        .map(|dependency| dependency.name.clone())
        .filter(|name| local.contains(name))
        .collect()
}

/// The crates that a workspace crate may depend on, by its folder.
fn allowed(metadata: &Metadata, package: &Package) -> Option<Vec<&'static str>> {
    let place = package
        .manifest_path
        .strip_prefix(&metadata.workspace_root)
        .ok()?
        .as_str();
    if place.starts_with("functions/regional/") {
        return Some(REGIONAL.to_vec());
    }
    if place.starts_with("functions/central/") {
        return Some(CENTRAL.to_vec());
    }
    ALLOWED
        .iter()
        .find(|(name, _)| *name == package.name.as_str())
        .map(|(_, names)| names.to_vec())
}

#[test]
fn every_edge_between_crates_is_allowed() -> Result<()> {
    let metadata = metadata()?;
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        let Some(allowed) = allowed(&metadata, package) else {
            // Crates for tests may depend on any crate, unless they have a row.
            if !TESTS_ONLY.contains(&package.name.as_str()) {
                findings.push(format!("{} has no row", package.name));
            }
            continue;
        };
        let used = local_dependencies(
            &metadata,
            package,
            &[DependencyKind::Normal, DependencyKind::Build],
        );
        let refused = used.iter().filter(|name| !allowed.contains(&name.as_str()));
        findings.extend(refused.map(|name| format!("{} -> {name}", package.name)));
    }
    none(
        &findings,
        "These edges are not in the architecture. Move the code to where it may know the other crate, or, if the \
         architecture itself changes, say why in docs/decisions and add the edge in tidy's crates.rs.",
    )
}

#[test]
fn nothing_depends_on_the_command() -> Result<()> {
    let metadata = metadata()?;
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        let kinds = [
            DependencyKind::Normal,
            DependencyKind::Build,
            DependencyKind::Development,
        ];
        if local_dependencies(&metadata, package, &kinds).contains(COMMAND) {
            findings.push(format!("{} -> {COMMAND}", package.name));
        }
    }
    none(
        &findings,
        "Take it from local-aws or deployment: a test that compiles the command waits for all of it.",
    )
}

#[test]
fn one_crate_wraps_dynamodb() -> Result<()> {
    let metadata = metadata()?;
    let mut findings = Vec::new();
    let built = |package: &&Package| !TESTS_ONLY.contains(&package.name.as_str());
    for package in metadata.workspace_packages().into_iter().filter(built) {
        let used = package
            .dependencies
            .iter()
            .filter(|dependency| dependency.kind != DependencyKind::Development);
        for dependency in used {
            let knowers = KNOWN_BY
                .iter()
                .find(|(name, _)| *name == dependency.name)
                .map(|(_, knowers)| knowers);
            if knowers.is_some_and(|knowers| !knowers.contains(&package.name.as_str())) {
                findings.push(format!("{} -> {}", package.name, dependency.name));
            }
        }
    }
    none(
        &findings,
        "Depend on dynamo: it builds requests, decodes responses and retries.",
    )
}

#[test]
fn test_crates_are_dev_dependencies_only() -> Result<()> {
    let metadata = metadata()?;
    let mut findings = Vec::new();
    let built = |package: &&Package| !TESTS_ONLY.contains(&package.name.as_str());
    for package in metadata.workspace_packages().into_iter().filter(built) {
        let used = local_dependencies(
            &metadata,
            package,
            &[DependencyKind::Normal, DependencyKind::Build],
        );
        let wrong = TESTS_ONLY.iter().filter(|name| used.contains(**name));
        findings.extend(wrong.map(|name| format!("{} -> {name}", package.name)));
    }
    none(
        &findings,
        "Move these to [dev-dependencies]: they are for tests only.",
    )
}

#[test]
fn tests_of_central_functions_use_no_people() -> Result<()> {
    let metadata = metadata()?;
    let mut findings = Vec::new();
    for package in metadata.workspace_packages() {
        let place = package
            .manifest_path
            .strip_prefix(&metadata.workspace_root)?;
        let used = local_dependencies(&metadata, package, &[DependencyKind::Development]);
        if place.as_str().starts_with("functions/central/") && used.contains(KNOWS_PEOPLE) {
            findings.push(format!("{} -> {KNOWS_PEOPLE}", package.name));
        }
    }
    none(
        &findings,
        "Build such a test from events of regions: a central function never gets personal data.",
    )
}

/// The names of all crates that a workspace crate is built with, directly or through another one,
/// itself included.
fn reached(metadata: &Metadata, package: &str) -> Result<BTreeSet<String>> {
    let resolve = metadata
        .resolve
        .as_ref()
        .context("no resolve in cargo metadata")?;
    let names: BTreeMap<&PackageId, &str> = metadata
        .packages
        .iter()
        .map(|package| (&package.id, package.name.as_str()))
        .collect();
    let is_built = |dependency: &NodeDep| {
        let mut kinds = dependency.dep_kinds.iter();
        kinds.any(|kind| kind.kind == DependencyKind::Normal)
    };
    let edges: BTreeMap<&PackageId, Vec<&PackageId>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let built = node.deps.iter().filter(|dependency| is_built(dependency));
            (&node.id, built.map(|dependency| &dependency.pkg).collect())
        })
        .collect();
    let root = metadata
        .workspace_packages()
        .into_iter()
        .find(|found| found.name.as_str() == package)
        .with_context(|| format!("no crate {package}"))?;
    let (mut seen, mut open) = (BTreeSet::new(), vec![&root.id]);
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            open.extend(edges.get(id).into_iter().flatten());
        }
    }
    let names = seen.iter().filter_map(|id| names.get(id));
    Ok(names.map(|name| (*name).to_owned()).collect())
}

#[test]
fn what_rolls_up_usage_cannot_reach_personal_data() -> Result<()> {
    let metadata = metadata()?;
    let mut findings = Vec::new();
    for package in OF_USAGE {
        let reached = reached(&metadata, package)?;
        let personal = PERSONAL.iter().filter(|name| reached.contains(**name));
        findings.extend(personal.map(|name| format!("{package} reaches {name}")));
    }
    none(
        &findings,
        "Read what is needed of a tenant by usage_store::TermsReader: by name, into a type without personal data.",
    )
}

#[test]
fn pure_crates_reach_no_io() -> Result<()> {
    let metadata = metadata()?;
    let mut findings = Vec::new();
    for package in PURE {
        let reached = reached(&metadata, package)?;
        let effectful = reached
            .iter()
            .filter(|name| EFFECTFUL.iter().any(|start| name.starts_with(start)));
        findings.extend(effectful.map(|name| format!("{package} reaches {name}")));
    }
    none(
        &findings,
        "Pure crates do no I/O. Move what needs it into an adapter and pass its result in.",
    )
}
