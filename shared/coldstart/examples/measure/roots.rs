//! The trust store of a measured binary: one of Amazon's roots gives way to that of the local AWS.
//!
//! All else of the binary stays as it is deployed, the number of its roots too.

use anyhow::{Context, Result};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// What every function's binary holds.
const AMAZON_ROOTS: &str = include_str!("../../../runtime/src/amazon-roots.pem");
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Copies a binary, with this root in place of the first of Amazon's.
pub(crate) fn replace_root(binary: &Path, root_pem: &str, copy: &Path) -> Result<()> {
    let mut bytes =
        std::fs::read(binary).with_context(|| format!("{} is not built", binary.display()))?;
    let found = BEGIN.to_owned() + between(AMAZON_ROOTS)?;
    let mut root = BEGIN.to_owned() + between(root_pem)?;
    // Lines without text are allowed around and within (RFC 7468, 2).
    let padding = found.len().checked_sub(root.len());
    root.push_str(&"\n".repeat(padding.context("the root is longer than the one of Amazon's")?));
    let place = bytes
        .windows(found.len())
        .position(|window| window == found.as_bytes())
        .with_context(|| format!("{} does not hold Amazon's roots", binary.display()))?;
    bytes[place..place + found.len()].copy_from_slice(root.as_bytes());
    std::fs::write(copy, bytes)?;
    std::fs::set_permissions(copy, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// The text of the first certificate.
fn between(pem: &str) -> Result<&str> {
    let (_, rest) = pem.split_once(BEGIN).context("no certificate")?;
    let (text, _) = rest.split_once(END).context("no certificate")?;
    Ok(text)
}
