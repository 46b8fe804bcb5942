//! The documents say what the checkout holds: links, names, commands, parameters, alarms.

use crate::template::{Template, keys};
use crate::{none, repository};
use anyhow::{Context, Result};
use cargo_metadata::{MetadataCommand, Package, TargetKind};
use fancy_regex::Regex;
use serde_json::Value;
use std::collections::BTreeSet;
use tidy::documents::{Command, Page, pages};

const ARCHITECTURE: &str = "docs/architecture.md";
const OPERATIONS: &str = "docs/operations.md";

fn all() -> Result<Vec<Page>> {
    pages(&repository::root())
}

fn page(path: &str) -> Result<Page> {
    let found = all()?.into_iter().find(|page| page.path == path);
    found.with_context(|| format!("no page {path}"))
}

fn commands() -> Result<Vec<Command>> {
    let mut found = Vec::new();
    for page in all()? {
        found.extend(page.commands()?);
    }
    Ok(found)
}

/// A path relative to a page, from the root: `docs/a.md` and `../b.rs` make `b.rs`.
fn resolve(page: &str, target: &str) -> String {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            ".." => drop(parts.pop()),
            "." | "" => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[test]
fn links_lead_somewhere() -> Result<()> {
    let pages = all()?;
    let mut findings = Vec::new();
    for page in &pages {
        for (line, _, target) in page.links()? {
            let place = format!("{}:{line}: {target}", page.path);
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((target.as_str(), ""));
            let path = if file.is_empty() {
                page.path.clone()
            } else {
                resolve(&page.path, file)
            };
            if !repository::root().join(&path).exists() {
                findings.push(format!("{place}: no {path}"));
            } else if !anchor.is_empty() {
                let led = pages.iter().find(|other| other.path == path);
                if !led.is_some_and(|led| led.anchors().iter().any(|name| name == anchor)) {
                    findings.push(format!("{place}: no such heading"));
                }
            }
        }
    }
    none(&findings, "Mend the link.")
}

/// Whether a source defines a name.
fn defines(source: &str, name: &str) -> bool {
    let kinds = ["fn", "struct", "enum", "trait", "const", "static", "type"];
    kinds.iter().any(|kind| {
        source
            .split(&format!("{kind} {name}"))
            .skip(1)
            .any(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    })
}

/// A link whose text is a name in code leads to the file that defines it.
#[test]
fn names_are_defined_where_the_link_leads() -> Result<()> {
    let (mut findings, mut checked) = (Vec::new(), 0);
    for page in all()? {
        for (line, text, target) in page.links()? {
            let name = text.trim_matches('`');
            let is_name = text.starts_with('`') && !name.contains(['/', ' ', '.']);
            if !is_name || !target.ends_with(".rs") {
                continue;
            }
            checked += 1;
            let path = resolve(&page.path, &target);
            let source = repository::read(&path).unwrap_or_default();
            let last = name.rsplit("::").next().unwrap_or(name);
            if !defines(&source, last) {
                findings.push(format!("{}:{line}: {name} is not in {path}", page.path));
            }
        }
    }
    assert!(checked > 20, "only {checked} names are checked");
    none(
        &findings,
        "Name what the file defines, or the file that defines it.",
    )
}

/// Whether a path of the documents is in the checkout. `<name>` and `*` stand for any one name.
fn exists(folder: &str, rest: &[&str]) -> bool {
    let Some((first, rest)) = rest.split_first() else {
        return true;
    };
    let names: Vec<String> = if first.contains(['<', '*']) {
        repository::entries(folder)
    } else {
        vec![(*first).to_owned()]
    };
    names.iter().any(|name| {
        let path = if folder.is_empty() {
            name.clone()
        } else {
            format!("{folder}/{name}")
        };
        repository::root().join(&path).exists() && exists(&path, rest)
    })
}

#[test]
fn paths_in_the_documents_exist() -> Result<()> {
    let path = Regex::new(r"^(\.cargo|\.ci|cli|docs|events|functions|shared)(/[\w.<>*-]+)+/?$")?;
    let mut findings = Vec::new();
    for page in all()? {
        for (line, code) in page.code() {
            if path.is_match(code)? {
                let parts: Vec<&str> = code.trim_end_matches('/').split('/').collect();
                if !exists("", &parts) {
                    findings.push(format!("{}:{line}: {code}", page.path));
                }
            }
        }
    }
    none(&findings, "Name a file or folder of the checkout.")
}

#[test]
fn every_crate_is_on_the_map() -> Result<()> {
    let page = repository::read(ARCHITECTURE)?;
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with('|')).collect();
    let crates = repository::entries("shared").into_iter();
    let crates = crates.filter(|name| {
        repository::root()
            .join(format!("shared/{name}/Cargo.toml"))
            .exists()
    });
    let missing = crates.filter(|name| !rows.iter().any(|row| row.contains(&format!("`{name}`"))));
    let findings: Vec<String> = missing.collect();
    none(
        &findings,
        "Add a row with the crate's name in backticks to the map in docs/architecture.md.",
    )
}

#[test]
fn every_alarm_is_explained() -> Result<()> {
    let operations = page(OPERATIONS)?;
    let headings: Vec<&str> = operations
        .prose()
        .map(|(_, line)| line)
        .filter(|line| line.starts_with('#'))
        .collect();
    let template = Template::load()?;
    let alarms: BTreeSet<&str> = template
        .of_type("AWS::CloudWatch::Alarm")
        .map(|(id, _)| id)
        .collect();
    assert!(alarms.len() > 10, "only {} alarms", alarms.len());
    let headed = |id: &str| {
        headings
            .iter()
            .any(|line| line.contains(&format!("`{id}`")))
    };
    let mut findings: Vec<String> = alarms
        .iter()
        .filter(|id| !headed(id))
        .map(|id| format!("{id} has no heading in {OPERATIONS}"))
        .collect();
    for (line, code) in operations.code() {
        if code.ends_with("Alarm") && !alarms.contains(code) {
            findings.push(format!("{OPERATIONS}:{line}: no alarm {code}"));
        }
    }
    none(
        &findings,
        "Say what the alarm means, what to look at and what to do.",
    )
}

/// The value of each option of a command by one of its names.
fn options<'c>(words: &'c [String], names: &[&str]) -> Vec<&'c str> {
    let after = words
        .windows(2)
        .filter(|pair| names.contains(&pair[0].as_str()));
    after.map(|pair| pair[1].as_str()).collect()
}

/// Whether one of the packages has a target of a kind by this name.
fn has_target(packages: &[&Package], kind: &TargetKind, name: &str) -> bool {
    packages
        .iter()
        .flat_map(|package| &package.targets)
        .any(|target| target.kind.contains(kind) && target.name == name)
}

#[test]
fn cargo_is_asked_for_what_exists() -> Result<()> {
    let metadata = MetadataCommand::new()
        .current_dir(repository::root())
        .no_deps()
        .exec()?;
    let sources = repository::files("", &["rs"])?;
    let function = |name: &str| {
        let defined = format!("fn {name}");
        sources.iter().any(|file| file.text.contains(&defined))
    };
    let (mut findings, mut checked) = (Vec::new(), 0);
    for command in commands()? {
        let words = command
            .words
            .split(|word| word == "--")
            .next()
            .unwrap_or_default();
        if words.first().is_none_or(|program| program != "cargo") {
            continue;
        }
        checked += 1;
        let named = options(words, &["-p", "--package", "--exclude"]);
        let unknown = named.iter().filter(|name| {
            !name.contains(['<', '$'])
                && !metadata
                    .packages
                    .iter()
                    .any(|package| package.name == **name)
        });
        findings.extend(unknown.map(|name| format!("{}: no package {name}", command.place)));
        let packages: Vec<&Package> = metadata
            .packages
            .iter()
            .filter(|package| named.is_empty() || named.iter().any(|name| package.name == *name))
            .collect();
        for (kind, option) in [
            (TargetKind::Example, "--example"),
            (TargetKind::Test, "--test"),
        ] {
            let unknown = options(words, &[option]).into_iter();
            let unknown = unknown.filter(|name| !has_target(&packages, &kind, name));
            findings.extend(unknown.map(|name| format!("{}: no {option} {name}", command.place)));
        }
        let is_test = words.get(1).is_some_and(|word| word == "test");
        let filter = words.last().filter(|_| is_test && words.len() > 2);
        let before = words.len().checked_sub(2).map(|at| words[at].as_str());
        let is_filter = before.is_some_and(|before| !before.starts_with('-') || before == "--lib");
        if let Some(filter) = filter.filter(|filter| is_filter && !filter.starts_with(['-', '<'])) {
            let is_module = sources
                .iter()
                .any(|file| file.path.ends_with(&format!("/{filter}.rs")));
            if !function(filter) && !is_module {
                findings.push(format!("{}: no test {filter}", command.place));
            }
        }
    }
    assert!(checked > 20, "only {checked} commands of cargo are checked");
    none(&findings, "Name what the workspace has.")
}

#[test]
fn sam_is_given_the_parameters_that_the_template_has() -> Result<()> {
    let template = Template::load()?;
    let declared: BTreeSet<String> = template
        .parameters()
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let required: Vec<String> = template
        .parameters()
        .into_iter()
        .filter(|(_, declared)| declared["Default"].is_null())
        .map(|(name, _)| name)
        .collect();
    let (mut findings, mut checked) = (Vec::new(), 0);
    for command in commands()? {
        let [program, verb, ..] = command.words.as_slice() else {
            continue;
        };
        if (program.as_str(), verb.as_str()) != ("sam", "deploy") {
            continue;
        }
        checked += 1;
        let given = command
            .words
            .iter()
            .skip_while(|word| *word != "--parameter-overrides")
            .skip(1);
        let given: BTreeSet<String> = given
            .filter_map(|word| word.split_once('='))
            .map(|(name, _)| name.to_owned())
            .collect();
        findings.extend(
            given
                .difference(&declared)
                .map(|name| format!("{}: no parameter {name}", command.place)),
        );
        let lacking = required.iter().filter(|name| !given.contains(*name));
        findings.extend(lacking.map(|name| format!("{}: {name} is required", command.place)));
    }
    assert!(checked > 0, "no command deploys");
    none(&findings, "Give what the template declares.")
}

/// Requests of the documents go to paths of the APIs, by methods that these have.
#[test]
fn curl_asks_for_what_the_apis_serve() -> Result<()> {
    let mut served = Vec::new();
    for name in repository::entries("docs/openapi") {
        let document: Value =
            serde_json::from_str(&repository::read(&format!("docs/openapi/{name}"))?)?;
        for path in keys(&document["paths"]) {
            let methods = keys(&document["paths"][&path]);
            served.extend(methods.into_iter().map(|method| (method, path.clone())));
        }
    }
    let address = Regex::new(r"^(?:\$\w*API|https?://\$?\{?\w*ALIAS\}?\.[\w.:$]+)(/[^?]*)")?;
    let (mut findings, mut checked) = (Vec::new(), 0);
    for command in commands()? {
        if command
            .words
            .first()
            .is_none_or(|program| program != "curl")
        {
            continue;
        }
        for word in &command.words {
            let Some(path) = address.captures(word)?.and_then(|found| found.get(1)) else {
                continue;
            };
            checked += 1;
            let has_body = command.words.iter().any(|word| word == "-d");
            let method = options(&command.words, &["-X"]).first().map_or_else(
                || if has_body { "post" } else { "get" }.to_owned(),
                |method| method.to_lowercase(),
            );
            let is_served = served.iter().any(|(of, template)| {
                let (asked, template) = (path.as_str().split('/'), template.split('/'));
                *of == method
                    && asked.clone().count() == template.clone().count()
                    && asked
                        .zip(template)
                        .all(|(asked, part)| part.starts_with('{') || asked == part)
            });
            if !is_served {
                findings.push(format!("{}: no {method} {}", command.place, path.as_str()));
            }
        }
    }
    assert!(checked > 3, "only {checked} requests are checked");
    none(&findings, "Ask for a path of docs/openapi.")
}

#[test]
fn variables_of_ours_are_read() -> Result<()> {
    let name = Regex::new(r"MERIDIAN_[A-Z_]+")?;
    let sources = repository::files("", &["rs"])?;
    let mut findings = Vec::new();
    for path in all()?.into_iter().map(|page| page.path) {
        let text = repository::read(&path)?;
        for found in name.find_iter(&text) {
            let name = found?.as_str();
            if !sources.iter().any(|file| file.text.contains(name)) {
                findings.push(format!("{path}: {name}"));
            }
        }
    }
    none(&findings, "Nothing reads this variable.")
}

/// An event as the documents name it.
fn event_names() -> Result<BTreeSet<String>> {
    let names = repository::entries("docs/schemas").into_iter();
    let names = names.filter_map(|name| name.strip_suffix(".json").map(str::to_owned));
    Ok(names.collect())
}

#[test]
fn events_in_the_documents_have_a_schema() -> Result<()> {
    let (name, known) = (Regex::new(r"^[A-Z]\w+\.v\d+$")?, event_names()?);
    let mut findings = Vec::new();
    for page in all()? {
        for (line, code) in page.code() {
            if name.is_match(code)? && !known.contains(code) {
                findings.push(format!("{}:{line}: no schema of {code}", page.path));
            }
        }
    }
    none(&findings, "Name an event of docs/schemas.")
}

/// The fields of an event beside its envelope, by its schema.
fn fields(schema: &Value) -> Vec<String> {
    let data = &schema["properties"]["data"];
    let name = data["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next());
    let data = name.map_or(data, |name| &schema["$defs"][name]);
    keys(&data["properties"])
}

/// What crosses a border is on the page of privacy, field by field.
#[test]
fn privacy_lists_every_field_that_crosses() -> Result<()> {
    let privacy = repository::read("docs/privacy.md")?;
    let template = Template::load()?;
    let crossing: BTreeSet<&str> = template
        .of_type("AWS::Events::Rule")
        .filter(|(_, rule)| {
            let targets = rule["Targets"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            let to_bus = |end: &Value| end["Arn"].to_string().contains(":event-bus/");
            targets.iter().any(to_bus)
        })
        .flat_map(|(_, rule)| {
            rule["EventPattern"]["detail-type"]
                .as_array()
                .into_iter()
                .flatten()
        })
        .filter_map(Value::as_str)
        .collect();
    assert!(crossing.len() > 10, "only {} events cross", crossing.len());
    let mut findings = Vec::new();
    for name in crossing {
        let begin = format!("| `{name}` |");
        let Some(row) = privacy.lines().find(|line| line.starts_with(&begin)) else {
            findings.push(format!("{name} has no row"));
            continue;
        };
        let schema: Value =
            serde_json::from_str(&repository::read(&format!("docs/schemas/{name}.json"))?)?;
        let lacking = fields(&schema)
            .into_iter()
            .filter(|field| !row.contains(&format!("`{field}`")));
        findings.extend(lacking.map(|field| format!("{name}: {field}")));
    }
    none(
        &findings,
        "Add the row or the field to the table in docs/privacy.md, and think about whether it may cross.",
    )
}

/// Operations of Amazon Cognito that nothing of ours calls.
const OF_AWS: [&str; 3] = ["ChangePassword", "DeleteUser", "UpdateUserAttributes"];

/// Names in code, such as `TenantStore::change`, `policy_version` and `usage-rollup`.
#[test]
fn names_in_the_documents_are_in_the_sources() -> Result<()> {
    let name = Regex::new(
        r"^([A-Za-z][a-z0-9]+(_[a-z0-9]+)+|([A-Z][a-z0-9]+){2,}|\w+(::\w+)+|[a-z0-9]+(-[a-z0-9]+)+)$",
    )?;
    let sources = repository::files("", &["rs", "yaml", "json", "toml", "js", "html"])?;
    let mut findings = Vec::new();
    for page in all()? {
        for (line, code) in page.code() {
            if !name.is_match(code)? || OF_AWS.contains(&code) {
                continue;
            }
            let absent = code.split("::").find(|part| {
                // Serde writes the names of variants with hyphens.
                let (written, variant) = (*part, repository::pascal(part));
                !sources
                    .iter()
                    .any(|file| file.text.contains(written) || file.text.contains(&variant))
            });
            if let Some(part) = absent {
                findings.push(format!("{}:{line}: {part}", page.path));
            }
        }
    }
    none(&findings, "Nothing in the sources has this name.")
}
