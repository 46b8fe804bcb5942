//! Imports within a crate: each names the module that declares what it imports, so that a reader
//! knows the file.

use crate::none;
use crate::repository::{File, files};
use anyhow::Result;
use std::collections::BTreeMap;

/// The paths of the `use` declarations of a source that begin with `prefix`, one for each name.
fn imports(text: &str, prefix: &str) -> Vec<String> {
    let mut paths = Vec::new();
    let mut rest = text;
    while let Some(start) = rest.find(prefix) {
        let begins_line = rest[..start]
            .rsplit('\n')
            .next()
            .is_some_and(|before| before.trim().is_empty());
        rest = &rest[start + prefix.len()..];
        let Some(end) = rest.find(';') else { break };
        if begins_line {
            flatten("", &rest[..end], &mut paths);
        }
    }
    paths
}

/// Adds the paths of a tree such as `a::{b, c::d}` to `paths`.
fn flatten(parent: &str, tree: &str, paths: &mut Vec<String>) {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        if !tree.is_empty() {
            paths.push(format!("{parent}{tree}"));
        }
        return;
    };
    let parent = format!("{parent}{}", head.trim());
    let group = group.strip_suffix('}').unwrap_or(group);
    let (mut depth, mut start) = (0_usize, 0);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                flatten(&parent, &group[start..at], paths);
                start = at + 1;
            }
            _ => {}
        }
    }
    flatten(&parent, &group[start..], paths);
}

/// What the root of a crate exports of its modules: the name, and the module.
fn exports(root: &File) -> BTreeMap<String, String> {
    let exported = imports(&root.text, "pub use ").into_iter();
    exported
        .filter_map(|path| {
            let path = path
                .trim_start_matches("self::")
                .trim_start_matches("crate::");
            let (module, name) = path.rsplit_once("::")?;
            let name = name.rsplit(" as ").next()?;
            let is_ours = root
                .text
                .contains(&format!("mod {};", module.split("::").next()?));
            is_ours.then(|| (name.to_owned(), module.to_owned()))
        })
        .collect()
}

#[test]
fn imports_name_the_module() -> Result<()> {
    let sources = files("", &["rs"])?;
    let roots = sources
        .iter()
        .filter(|file| file.path.ends_with("/src/lib.rs"));
    let mut findings = Vec::new();
    for root in roots {
        let exports = exports(root);
        let folder = root.path.trim_end_matches("lib.rs");
        let of_crate = sources
            .iter()
            .filter(|file| file.path.starts_with(folder) && file.path != root.path);
        for file in of_crate {
            for path in imports(&file.text, "use crate::") {
                let name = path.split([':', ' ']).next().unwrap_or_default();
                if let Some(module) = exports.get(name).filter(|_| !path.contains("::")) {
                    findings.push(format!("{}: crate::{module}::{name}", file.path));
                }
            }
        }
    }
    none(
        &findings,
        "Import it as the line says: the crate's root exports it for other crates.",
    )
}

#[test]
fn a_tree_of_imports_is_read() {
    let text = "use crate::{\n    a::{B, c::D},\n    E,\n};\n// use crate::F;\nuse crate::g::*;\n";
    assert_eq!(
        imports(text, "use crate::"),
        ["a::B", "a::c::D", "E", "g::*"]
    );
}
