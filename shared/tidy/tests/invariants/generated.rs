//! The committed template is up to date with its fragments.

use crate::repository;
use anyhow::Result;

/// `MERIDIAN_WRITE_TEMPLATE=1 cargo test -p tidy --test invariants generated` writes the file.
#[test]
fn the_template_is_generated_from_its_fragments() -> Result<()> {
    let made = tidy::generate(&repository::root())?;
    if std::env::var_os("MERIDIAN_WRITE_TEMPLATE").is_some() {
        std::fs::write(repository::root().join("template.yaml"), &made)?;
    }
    let is = repository::read("template.yaml")?;
    let differs = is
        .lines()
        .chain([""])
        .zip(made.lines().chain([""]))
        .position(|(is, made)| is != made);
    assert!(
        is == made,
        "template.yaml is not what its fragments make, from line {} on. Change shared/template or a function.yaml, run \
         MERIDIAN_WRITE_TEMPLATE=1 cargo test -p tidy --test invariants generated, and read the difference.",
        differs.unwrap_or_default() + 1
    );
    Ok(())
}

/// `MERIDIAN_WRITE_PARAMETERS=1 cargo test -p tidy --test invariants generated` writes the page
/// anew.
#[test]
fn the_generated_page_of_parameters_is_what_the_template_declares() -> Result<()> {
    let made = tidy::parameters_page(&repository::root())?;
    if std::env::var_os("MERIDIAN_WRITE_PARAMETERS").is_some() {
        std::fs::write(repository::root().join("docs/parameters.md"), &made)?;
    }
    assert!(
        repository::read("docs/parameters.md")? == made,
        "docs/parameters.md is not what template.yaml declares. Run \
         MERIDIAN_WRITE_PARAMETERS=1 cargo test -p tidy --test invariants generated."
    );
    Ok(())
}
