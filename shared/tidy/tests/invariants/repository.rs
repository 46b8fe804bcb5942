//! The checkout: its files, and its functions as folders.

use anyhow::{Context, Result};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders of builds, downloads and tools, which are not ours to check.
const SKIPPED: [&str; 2] = ["target", "node_modules"];

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Reads a file of the checkout.
pub(crate) fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| format!("cannot read {path}"))
}

/// The names of the entries of a folder of the checkout, sorted. Empty when there is no such
/// folder.
pub(crate) fn entries(folder: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(root().join(folder))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A file of the checkout.
pub(crate) struct File {
    /// Relative to the root, with `/`.
    pub(crate) path: String,
    /// Its text.
    pub(crate) text: String,
}

impl File {
    /// Whether the file is built into a function or a command: no test, example or benchmark.
    pub(crate) fn is_product(&self) -> bool {
        let aside = ["/tests/", "/examples/", "/benches/"];
        !self.path.ends_with("/tests.rs") && !aside.iter().any(|folder| self.path.contains(folder))
    }
}

/// Every text file below `folder` with one of the extensions, except in hidden folders and build
/// output.
pub(crate) fn files(folder: &str, extensions: &[&str]) -> Result<Vec<File>> {
    let root = root();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in
            fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?
        {
            let path = entry?.path();
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !SKIPPED.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if path
                .extension()
                .and_then(OsStr::to_str)
                .is_some_and(|end| extensions.contains(&end))
            {
                let relative = path.strip_prefix(&root)?.to_string_lossy().into_owned();
                found.push(File {
                    path: relative,
                    text: fs::read_to_string(&path)?,
                });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// A function, by its folder `functions/<set>/<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    /// `regional` or `central`.
    pub(crate) set: String,
    /// The crate's name.
    pub(crate) name: String,
}

impl Function {
    /// The logical id in the template: the name in PascalCase, then `Function`.
    pub(crate) fn logical_id(&self) -> String {
        format!("{}Function", pascal(&self.name))
    }

    /// Its folder.
    pub(crate) fn folder(&self) -> String {
        format!("functions/{}/{}", self.set, self.name)
    }
}

/// Every function of the checkout.
pub(crate) fn functions() -> Vec<Function> {
    let sets = ["regional", "central"];
    sets.into_iter()
        .flat_map(|set| {
            let of_set = entries(&format!("functions/{set}"));
            of_set.into_iter().map(|name| Function {
                set: set.to_owned(),
                name,
            })
        })
        .collect()
}

/// A name in PascalCase: `usage-ingest` is `UsageIngest`.
pub(crate) fn pascal(name: &str) -> String {
    name.split('-')
        .map(|word| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_uppercase() + rest
        })
        .collect()
}
