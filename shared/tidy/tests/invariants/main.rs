//! One test per invariant. A failure lists every place that breaks the rule and the remedy.

mod annotations;
mod crates;
mod documents;
mod functions;
mod generated;
mod imports;
mod manifests;
mod messages;
mod openapi;
mod parameters;
mod permissions;
mod repository;
mod resources;
mod sources;
mod template;
mod words;

use anyhow::Result;

/// Fails with every finding and the remedy, or passes when there are none.
fn none(findings: &[String], remedy: &str) -> Result<()> {
    let list = findings.join("\n  ");
    assert!(findings.is_empty(), "{remedy}\n  {list}\n");
    Ok(())
}
