//! Replaces one of Amazon's roots in a measured binary by that of the local AWS.
//!
//! The rest of the binary stays as it is deployed, the number of its roots included.

use anyhow::{Context, Result};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// The roots that every function's binary contains.
const AMAZON_ROOTS: &str = include_str!("../../../runtime/src/amazon-roots.pem");
const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Copies a binary, with `root_pem` in place of the first of Amazon's roots.
pub(crate) fn replace_root(binary: &Path, root_pem: &str, copy: &Path) -> Result<()> {
    let mut bytes =
        std::fs::read(binary).with_context(|| format!("{} is not built", binary.display()))?;
    let found = BEGIN.to_owned() + between(AMAZON_ROOTS)?;
    let mut root = BEGIN.to_owned() + between(root_pem)?;
    // The root is padded to the same length: empty lines are allowed in a certificate's text
    // (RFC 7468, 2).
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

/// The text of the first certificate, between its begin and end lines.
fn between(pem: &str) -> Result<&str> {
    let (_, rest) = pem.split_once(BEGIN).context("no certificate")?;
    let (text, _) = rest.split_once(END).context("no certificate")?;
    Ok(text)
}
