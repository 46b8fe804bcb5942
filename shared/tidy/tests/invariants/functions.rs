//! Every function is complete: it has a template resource, events, a row on the architecture page,
//! and an environment that matches its code.

use crate::template::{Template, keys};
use crate::{none, repository};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};

/// The variables that Lambda itself sets, by prefix.
const GIVEN: [&str; 2] = ["AWS_", "LAMBDA_"];

/// What the C library's allocator reads.
const ALLOCATOR: [&str; 2] = ["MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"];

/// What regional functions may be deployed under: the example is where an operator asks for it.
const EXAMPLE: &str = "HasApplicationExample";

/// A reader sees all of main.rs at once.
const MAIN_LINES_MAX: usize = 40;
/// The sources of a function that is one handler: beyond these, its adapters have a file of their own.
const SMALL: [&str; 4] = ["main.rs", "handler.rs", "tests.rs", "tests"];

#[test]
fn every_function_has_its_resource() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    let mut expected = BTreeSet::new();
    for function in repository::functions() {
        let id = function.logical_id();
        expected.insert(id.clone());
        let Some((_, properties)) = template.functions().find(|(found, _)| *found == id) else {
            findings.push(format!("{}: no resource {id}", function.folder()));
            continue;
        };
        let code = format!("target/lambda/{}/", function.name);
        if properties["CodeUri"] != code.as_str() {
            findings.push(format!("{id}: CodeUri is not {code}"));
        }
        let name = format!("${{Name}}-{}", function.name);
        if properties["FunctionName"]["Fn::Sub"] != name.as_str() {
            findings.push(format!("{id}: FunctionName is not {name}"));
        }
        let everywhere = template
            .condition(&id)
            .is_none_or(|condition| condition == EXAMPLE);
        if everywhere != (function.set == "regional") {
            findings.push(format!(
                "{id}: regional functions are everywhere, central ones under a condition"
            ));
        }
    }
    let ids = template.functions().map(|(id, _)| id.to_owned());
    findings.extend(
        ids.filter(|id| !expected.contains(id))
            .map(|id| format!("{id}: no such folder in functions/")),
    );
    none(
        &findings,
        "Give each folder of functions/ a function.yaml, with a condition where the function is not everywhere.",
    )
}

#[test]
fn every_function_has_valid_and_invalid_events() -> Result<()> {
    let mut findings = Vec::new();
    let functions = repository::functions();
    for function in &functions {
        let cases = repository::entries(&format!("events/{}", function.name));
        for kind in ["valid-", "invalid-"] {
            if !cases.iter().any(|case| case.starts_with(kind)) {
                findings.push(format!("events/{}: no {kind}*.json", function.name));
            }
        }
        for case in cases {
            let path = format!("events/{}/{case}", function.name);
            if !(case.starts_with("valid-") || case.starts_with("invalid-"))
                || !case.ends_with(".json")
            {
                findings.push(format!("{path}: neither valid-*.json nor invalid-*.json"));
            } else if let Err(error) =
                serde_json::from_str::<serde_json::Value>(&repository::read(&path)?)
            {
                findings.push(format!("{path}: not JSON: {error}"));
            }
        }
    }
    let folders = repository::entries("events").into_iter();
    let orphans = folders.filter(|name| !functions.iter().any(|function| function.name == *name));
    findings.extend(orphans.map(|name| format!("events/{name}: no such function")));
    none(
        &findings,
        "Put at least one valid-<case>.json and one invalid-<case>.json, as AWS would send them, into the \
         function's events folder.",
    )
}

#[test]
fn every_function_has_a_row_on_the_architecture_page() -> Result<()> {
    let page = repository::read("docs/architecture.md")?;
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with('|')).collect();
    let named = |name: &str| rows.iter().any(|row| row.contains(&format!("`{name}`")));
    let missing = repository::functions()
        .into_iter()
        .filter(|function| !named(&function.name));
    let findings: Vec<String> = missing.map(|function| function.folder()).collect();
    none(
        &findings,
        "Add a row with the function's name in backticks to the table of functions in docs/architecture.md.",
    )
}

#[test]
fn the_environment_matches_the_code() -> Result<()> {
    let template = Template::load()?;
    let globals = template.global_variables();
    let shared: BTreeSet<String> = repository::files("shared", &["rs"])?
        .iter()
        .filter(|file| file.is_product())
        .flat_map(|file| reads(&file.text).names)
        .collect();
    let mut findings = Vec::new();
    let mut set_somewhere: BTreeSet<String> = globals.iter().cloned().collect();
    let mut read_somewhere = shared.clone();
    for function in repository::functions() {
        let mut read = BTreeSet::new();
        for file in repository::files(&format!("{}/src", function.folder()), &["rs"])?
            .iter()
            .filter(|file| file.is_product())
        {
            let reads = reads(&file.text);
            if reads.computed {
                findings.push(format!(
                    "{}: the name of a variable is not a literal",
                    file.path
                ));
            }
            read.extend(reads.names);
        }
        let id = function.logical_id();
        let set: BTreeSet<String> = template
            .functions()
            .filter(|(found, _)| *found == id)
            .flat_map(|(_, properties)| keys(&properties["Environment"]["Variables"]))
            .collect();
        let given = |name: &&String| {
            !globals.contains(name) && !GIVEN.iter().any(|start| name.starts_with(start))
        };
        findings.extend(
            read.iter()
                .filter(given)
                .filter(|name| !set.contains(*name))
                .map(|name| {
                    format!(
                        "{}: reads {name}, which {id} does not set",
                        function.folder()
                    )
                }),
        );
        findings.extend(
            set.iter()
                .filter(|name| !read.contains(*name) && !shared.contains(*name))
                .filter(|name| !ALLOCATOR.contains(&name.as_str()))
                .map(|name| {
                    format!(
                        "{}: does not read {name}, which {id} sets",
                        function.folder()
                    )
                }),
        );
        set_somewhere.extend(set);
        read_somewhere.extend(read);
    }
    let given = |name: &&String| !GIVEN.iter().any(|start| name.starts_with(start));
    findings.extend(
        shared
            .iter()
            .filter(given)
            .filter(|name| !set_somewhere.contains(*name))
            .map(|name| format!("shared/: reads {name}, which nothing sets")),
    );
    findings.extend(
        globals
            .iter()
            .filter(|name| !read_somewhere.contains(*name))
            .map(|name| format!("Globals: nothing reads {name}")),
    );
    none(
        &findings,
        "Make Environment in function.yaml and runtime::env(\"NAME\") in the code agree.",
    )
}

#[test]
fn main_only_wires() -> Result<()> {
    let mut findings = Vec::new();
    for function in repository::functions() {
        let path = format!("{}/src/main.rs", function.folder());
        let text = repository::read(&path)?;
        if text.lines().count() > MAIN_LINES_MAX {
            findings.push(format!("{path}: over {MAIN_LINES_MAX} lines"));
        }
        if !text.contains("\n//! Trigger: ") {
            findings.push(format!("{path}: its documentation names no trigger"));
        }
        let sources = repository::entries(&format!("{}/src", function.folder()));
        let is_small = sources.iter().all(|name| SMALL.contains(&name.as_str()));
        let adapters = format!("{}/src/adapters.rs", function.folder());
        let declares = |path: &str| {
            repository::read(path).is_ok_and(|text| text.contains("pub(crate) struct Adapters {"))
        };
        if !is_small && !declares(&adapters) {
            findings.push(format!("{adapters}: declares no Adapters"));
        }
        let code = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let branches = |line: &str| {
            line.split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|word| word == "if" || word == "match")
        };
        if code.into_iter().any(branches) {
            findings.push(format!("{path}: branches"));
        }
    }
    none(
        &findings,
        "main.rs starts with `//! Trigger: ...`, builds the adapters and runs the handler, in at most 40 lines. Decide in \
         handler.rs. A function of more than these two has its Adapters in adapters.rs, with what makes them.",
    )
}

/// The variables that a source text reads.
#[derive(Default)]
struct Reads {
    names: BTreeSet<String>,
    /// Whether the name of one is not a literal.
    computed: bool,
}

/// Finds `env("X")`, `env::<T>("X")` and `env_or("X", ...)` in a source text.
fn reads(text: &str) -> Reads {
    let mut found = Reads::default();
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n");
    for (place, _) in code.match_indices("env") {
        let alone = code[..place]
            .chars()
            .next_back()
            .is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != '.');
        let rest = code[place + 3..].trim_start_matches("_or");
        let rest = match rest.strip_prefix("::<") {
            Some(generic) => generic
                .split_once(">(")
                .map_or("", |(_, arguments)| arguments),
            None => rest.strip_prefix('(').unwrap_or_default(),
        };
        if !alone || rest.is_empty() {
            continue;
        }
        match rest
            .trim_start()
            .strip_prefix('"')
            .and_then(|rest| rest.split_once('"'))
        {
            Some((name, _)) => {
                found.names.insert(name.to_owned());
            }
            None => found.computed = true,
        }
    }
    found
}

#[test]
fn every_form_of_reading_a_variable_is_found() {
    let rows: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("runtime::env(\"A\")?", ["A"].as_slice()),
        ("let b: u64 = env::<u64>(\"B\")?;", &["B"]),
        ("runtime::env::<Option<String>>(\"C\")", &["C"]),
        ("env_or(\n    \"D\", 5)", &["D"]),
        ("// env(\"E\")", &[]),
        ("Command::new(x).env(\"F\", 1)", &[]),
        ("environment(\"G\")", &[]),
    ]);
    for (text, names) in rows {
        let found: Vec<String> = reads(text).names.into_iter().collect();
        assert_eq!(found, names, "{text}");
    }
    assert!(reads("runtime::env(name)").computed);
}
