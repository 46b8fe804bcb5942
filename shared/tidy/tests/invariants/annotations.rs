//! How much of the sources describes the APIs.

use crate::none;
use crate::repository::files;
use anyhow::Result;

/// What every operation, parameter and schema needs fits in this. More is a sign that something is
/// described twice: descriptions belong in doc comments, problems in `ProblemKind`.
const LINES_MAX: usize = 600;

/// What marks an attribute that is read by utoipa alone.
const WORDS: [&str; 6] = [
    "utoipa::path(",
    "openapi(",
    "schema(",
    "param(",
    "params(",
    "response(",
];

#[test]
fn apis_are_described_in_few_lines() -> Result<()> {
    let mut lines = 0;
    for file in files("", &["rs"])? {
        if file.text.contains("utoipa") {
            let described = attributes(&file.text).filter(|text| is_read_by_utoipa(text));
            lines += described.map(|text| text.lines().count()).sum::<usize>();
        }
    }
    assert!(lines > 0, "no attribute describes an API");
    let findings = (lines > LINES_MAX).then(|| format!("{lines} lines of OpenAPI attributes"));
    none(
        &findings.into_iter().collect::<Vec<_>>(),
        "Describe in doc comments and by shared types: there are at most 600.",
    )
}

#[test]
fn attributes_end_where_their_brackets_do() {
    let source = "#[a(\"]\", [1])]\nfn a() {}\n    #[b(\n    \"\\\"]\",\n)]\nfn b() {}";
    let found: Vec<&str> = attributes(source).collect();
    assert_eq!(found, ["#[a(\"]\", [1])]", "#[b(\n    \"\\\"]\",\n)]"]);
    assert!(is_read_by_utoipa("#[cfg_attr(test, schema(as = A))]"));
    assert!(!is_read_by_utoipa("#[serde(schema_with(a))]"));
}

fn is_read_by_utoipa(attribute: &str) -> bool {
    // Not a word within another one.
    let begins = |at: usize| {
        let before = attribute[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    };
    WORDS.iter().any(|word| {
        let mut found = attribute.match_indices(word);
        found.any(|(at, _)| begins(at))
    })
}

/// The attributes of a source, each from its `#` to the bracket that ends it.
fn attributes(source: &str) -> impl Iterator<Item = &str> {
    let mut begin = 0;
    source.split_inclusive('\n').filter_map(move |line| {
        let indent = line.len() - line.trim_start().len();
        let at = begin + indent;
        begin += line.len();
        source[at..]
            .starts_with("#[")
            .then(|| &source[at..at + length(&source[at..])])
    })
}

/// How long the attribute is that a text begins with. A bracket in a string is none.
fn length(text: &str) -> usize {
    let (mut depth, mut is_text, mut is_escaped) = (0_usize, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' if is_text => is_escaped = true,
            '"' => is_text = !is_text,
            '[' if !is_text => depth += 1,
            ']' if !is_text => {
                depth -= 1;
                if depth == 0 {
                    return at + 1;
                }
            }
            _ => {}
        }
    }
    text.len()
}
