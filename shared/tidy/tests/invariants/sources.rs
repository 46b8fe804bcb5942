//! The text of the sources.

use crate::none;
use crate::repository::{File, files};
use anyhow::Result;

const LINES_MAX: usize = 600;

/// The extensions of our text files.
const TEXT: [&str; 6] = ["rs", "toml", "yaml", "yml", "md", "sh"];

/// Lines of these files that contain one of `words`, as findings.
fn lines_with(files: &[File], words: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files {
        for (number, line) in file.text.lines().enumerate() {
            if let Some(word) = words.iter().find(|word| line.contains(**word)) {
                findings.push(format!("{}:{}: {word}", file.path, number + 1));
            }
        }
    }
    findings
}

#[test]
fn no_source_is_too_long() -> Result<()> {
    let sources = files("", &["rs"])?;
    let long = sources
        .iter()
        .filter(|file| file.text.lines().count() > LINES_MAX);
    let findings: Vec<String> = long
        .map(|file| format!("{}: over {LINES_MAX} lines", file.path))
        .collect();
    none(&findings, "Split the file by topic.")
}

#[test]
fn nothing_is_left_for_later() -> Result<()> {
    // In two pieces, so that this file does not match itself.
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("to", "do!("),
        concat!("unimple", "mented!("),
        concat!("db", "g!("),
    ];
    none(
        &lines_with(&files("", &TEXT)?, &words),
        "Finish it, or open an issue and remove the note.",
    )
}

#[test]
fn no_lint_is_allowed_for_good() -> Result<()> {
    let words = [concat!("#[al", "low("), concat!("#![al", "low(")];
    none(
        &lines_with(&files("", &["rs"])?, &words),
        "Use #[expect(lint, reason = \"...\")]: the compiler reports it once it is no longer needed.",
    )
}

#[test]
fn functions_log_and_do_not_print() -> Result<()> {
    let mut sources = files("functions", &["rs"])?;
    sources.extend(files("shared", &["rs"])?);
    // These crates are in no function: they report on the terminal of a developer.
    let own = ["shared/testkit/", "shared/local-aws/"];
    sources.retain(|file| file.is_product() && !own.iter().any(|own| file.path.starts_with(own)));
    let words = ["println!(", "eprintln!(", "print!(", "eprint!("];
    none(
        &lines_with(&sources, &words),
        "Use tracing: printed lines have no level and no fields.",
    )
}

#[test]
fn the_environment_is_read_in_one_place() -> Result<()> {
    let mut sources = files("functions", &["rs"])?;
    sources.extend(files("shared", &["rs"])?);
    sources.retain(|file| {
        file.is_product()
            && !["shared/runtime/", "shared/testkit/", "shared/local-aws/"]
                .iter()
                .any(|own| file.path.starts_with(own))
    });
    none(
        &lines_with(&sources, &["std::env", "env::var"]),
        "Read it in main.rs with runtime::env(\"NAME\") and pass it in.",
    )
}

#[test]
fn dynamodb_is_decoded_in_one_place() -> Result<()> {
    let own = ["shared/dynamo/", "shared/testkit/", "shared/tenantkit/"];
    let mut sources = files("functions", &["rs"])?;
    sources.extend(files("shared", &["rs"])?);
    sources.retain(|file| file.is_product() && !own.iter().any(|own| file.path.starts_with(own)));
    let words = [
        "ConditionalCheckFailed",
        "conditional_check_failed",
        "TransactionCanceled",
        "TransactionConflict",
        "TransactionInProgress",
        "ProvisionedThroughput",
        "transact_write_items(",
        "batch_get_item(",
        "batch_write_item(",
        "get_item(",
        "put_item(",
        "update_item(",
        "delete_item(",
    ];
    none(
        &lines_with(&sources, &words),
        "Call dynamo::Table, and match on dynamo::Error: it decodes the response.",
    )
}

#[test]
fn stores_share_one_backoff() -> Result<()> {
    let mut sources = files("shared", &["rs"])?;
    let is_store = |file: &File| {
        file.path.contains("-store/src/") || file.path.starts_with("shared/outbox/src/")
    };
    sources.retain(|file| file.is_product() && is_store(file));
    assert!(!sources.is_empty(), "no store has sources");
    none(
        &lines_with(&sources, &["time::sleep", "backoff", "back_off"]),
        "Use dynamo::Attempts: it has the jitter.",
    )
}

/// The files of HTTP functions that may parse JSON themselves, because it is another region's
/// response.
const PARSES: [&str; 1] = ["functions/central/fleet-onboarding/src/region.rs"];

/// The product's sources of the functions that serve HTTP.
fn serving() -> Result<Vec<File>> {
    let mut sources = files("functions", &["rs"])?;
    let folder = |file: &File| {
        file.path
            .split("/src/")
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let serves = sources
        .iter()
        .filter(|file| file.text.contains("runtime::http::serve("))
        .map(folder);
    let serves: Vec<String> = serves.collect();
    sources.retain(|file| file.is_product() && serves.contains(&folder(file)));
    assert!(!sources.is_empty(), "no function serves HTTP");
    Ok(sources)
}

#[test]
fn a_body_is_read_by_one_extractor() -> Result<()> {
    let mut sources = serving()?;
    sources.retain(|file| !PARSES.contains(&file.path.as_str()));
    let words = [
        "): Json<",
        "Json::from_request",
        "Json::from_bytes",
        "extract::Form",
        "serde_json::from_",
        "serde_urlencoded::from_",
    ];
    none(
        &lines_with(&sources, &words),
        "Use runtime::http::Body: a struct's derived Deserialize also accepts a list of its fields by position.",
    )
}

#[test]
fn one_type_reads_the_source_of_a_request() -> Result<()> {
    let words = [
        "IpAddr",
        "Ipv4Addr",
        "Ipv6Addr",
        "ConnectInfo",
        "sourceIp",
        "x-forwarded-for",
    ];
    none(
        &lines_with(&serving()?, &words),
        "Use runtime::http::Source: an IPv4 address, or the IPv6 network of 64 bits that one subscriber has.",
    )
}
