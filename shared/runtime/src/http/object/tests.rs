use super::{Verbatim, from_slice};
use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    name: String,
    count: Option<u16>,
    #[serde(default)]
    lines: Vec<Line>,
    kind: Option<Kind>,
    wrapped: Option<Wrapped>,
    #[serde(default)]
    by_name: BTreeMap<String, Line>,
    anything: Option<Value>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Line {
    text: String,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Wrapped(Line);

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Plain,
    Framed { text: String },
    Lined(Line),
}

fn refused(text: &str) -> (u16, String, String) {
    let problem = from_slice::<Order>(text.as_bytes()).unwrap_err();
    let members = problem.members();
    let field = members
        .get("fields")
        .and_then(|fields| fields[0]["field"].as_str())
        .unwrap_or_default()
        .to_owned();
    let reason = members
        .get("fields")
        .and_then(|fields| fields[0]["reason"].as_str())
        .unwrap_or_default()
        .to_owned();
    (problem.status().as_u16(), field, reason)
}

#[test]
fn an_object_is_read_at_every_level() {
    let text = r#"{"name":"a\u00e4","count":7,"lines":[{"text":"b","other":[1]}],"kind":{"framed":{"text":"c"}},
                   "wrapped":{"text":"d"},"by_name":{"e":{"text":"f"}},"anything":{"g":[1,-2,2.5,true,null]}}"#;
    let order: Order = from_slice(text.as_bytes()).unwrap();
    assert_eq!((order.name.as_str(), order.count), ("a\u{e4}", Some(7)));
    assert_eq!(order.lines, [Line { text: "b".into() }]);
    assert_eq!(order.kind, Some(Kind::Framed { text: "c".into() }));
    assert_eq!(order.wrapped, Some(Wrapped(Line { text: "d".into() })));
    assert_eq!(order.by_name["e"].text, "f");
    assert_eq!(
        order.anything,
        Some(json!({ "g": [1, -2, 2.5, true, null] }))
    );
    for (text, kind) in [
        (r#"{"name":"a","kind":"plain"}"#, Some(Kind::Plain)),
        (
            r#"{"name":"a","kind":{"lined":{"text":"b"}}}"#,
            Some(Kind::Lined(Line { text: "b".into() })),
        ),
        (r#"{"name":"a","kind":null}"#, None),
        (r#" { "name" : "a" } "#, None),
    ] {
        assert_eq!(
            from_slice::<Order>(text.as_bytes()).unwrap().kind,
            kind,
            "{text}"
        );
    }
}

/// Asserts that each document is refused for its first fault, with the member's name and its rule.
fn check(rows: &[(&str, &str, &str)]) {
    for (text, field, reason) in rows {
        let expected = (422, (*field).to_owned(), (*reason).to_owned());
        assert_eq!(refused(text), expected, "{text}");
    }
}

#[test]
fn an_object_by_position_is_refused_at_each_level() {
    let object = "an object";
    check(&[
        (r#"["a"]"#, "", ""),
        (r#"["a",7,[],null,null,{},null]"#, "", ""),
        (r#"{"name":"a","lines":[["b"]]}"#, "lines.0", object),
        (r#"{"name":"a","kind":{"framed":["c"]}}"#, "kind", object),
        (r#"{"name":"a","kind":{"lined":["c"]}}"#, "kind", object),
        (
            r#"{"name":"a","kind":["plain"]}"#,
            "kind",
            "one of plain, framed, lined",
        ),
        (r#"{"name":"a","wrapped":["d"]}"#, "wrapped", object),
        (r#"{"name":"a","by_name":[["e",["f"]]]}"#, "by_name", object),
        (r#"{"name":"a","by_name":{"e":["f"]}}"#, "by_name.e", object),
    ]);
}

#[test]
fn a_scalar_is_refused_as_a_document() {
    check(&[(r#""a""#, "", ""), ("7", "", ""), ("null", "", "")]);
}

#[test]
fn a_repeated_member_is_refused_at_each_level() {
    let once = "there only once";
    check(&[
        (r#"{"name":"a","name":"a"}"#, "name", once),
        (r#"{"name":"a","n\u0061me":"b"}"#, "name", once),
        (
            r#"{"name":"a","lines":[{"text":"b","text":"b"}]}"#,
            "lines.0.text",
            once,
        ),
        (
            r#"{"name":"a","lines":[{"text":"b","x":1,"x":1}]}"#,
            "lines.0.x",
            once,
        ),
        (
            r#"{"name":"a","anything":{"x":{"y":1,"y":1}}}"#,
            "anything.x.y",
            once,
        ),
    ]);
}

#[test]
fn a_refusal_names_the_member_and_its_rule() {
    let (count, kind) = (
        "a whole number from 0 to 65535",
        "one of plain, framed, lined",
    );
    check(&[
        (r#"{"name":1}"#, "name", "a string"),
        (r#"{"name":null}"#, "name", "a string"),
        (r#"{"name":["a"]}"#, "name", "a string"),
        (r#"{}"#, "name", "present"),
        (r#"{"name":"a","count":65536}"#, "count", count),
        (r#"{"name":"a","count":1.5}"#, "count", count),
        (r#"{"name":"a","count":1e999}"#, "count", "a number"),
        (r#"{"name":"a","count":"1"}"#, "count", count),
        (r#"{"name":"a","lines":{"0":1}}"#, "lines", "a list"),
        (r#"{"name":"a","kind":"round"}"#, "kind", kind),
        (r#"{"name":"a","kind":7}"#, "kind", kind),
    ]);
    let (_, field, reason) = refused(r#"{"name":"a","colour":1}"#);
    assert_eq!(field, "colour");
    assert!(
        reason.starts_with("absent, or one of name, count, lines"),
        "{reason}"
    );
}

#[test]
fn a_document_that_is_not_json_is_refused() {
    for text in [
        "",
        "{",
        "{\"name\":\"\\ud800\"",
        "\u{feff}{}",
        "{\"name\":'a'}",
        "nul",
        "{} {}",
    ] {
        assert_eq!(
            from_slice::<Order>(text.as_bytes()).unwrap_err().slug(),
            "malformed-json",
            "{text}"
        );
    }
    assert_eq!(
        from_slice::<Order>(b"{\"name\":\"\xff\"}")
            .unwrap_err()
            .slug(),
        "malformed-json"
    );
    assert_eq!(refused(r#"{"name":"\ud800"}"#).1, "name");
}

/// Each level is a nested call, and the stack is bounded.
#[test]
fn a_document_with_too_many_levels_is_refused() {
    let lists = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let objects = |levels: usize| format!("{}7{}", "{\"a\":".repeat(levels), "}".repeat(levels));
    for levels in [1, 100, 128] {
        assert!(
            from_slice::<Value>(lists(levels).as_bytes()).is_ok(),
            "{levels}"
        );
        assert!(
            from_slice::<Value>(objects(levels).as_bytes()).is_ok(),
            "{levels}"
        );
    }
    for levels in [129, 1_000, 30_000, 1_000_000] {
        assert_eq!(
            from_slice::<Value>(lists(levels).as_bytes())
                .unwrap_err()
                .slug(),
            "malformed-json",
            "{levels}"
        );
        assert_eq!(
            from_slice::<Value>(objects(levels).as_bytes())
                .unwrap_err()
                .slug(),
            "malformed-json",
            "{levels}"
        );
    }
    let text = format!(
        "[\"{}\", \"\\\"{}\", \"\\\\\"]",
        "[".repeat(200),
        "{".repeat(200)
    );
    assert!(
        from_slice::<Value>(text.as_bytes()).is_ok(),
        "brackets in a text are no levels"
    );
}

#[test]
fn a_verbatim_part_is_unchanged() {
    #[derive(Deserialize)]
    struct Kept {
        part: Verbatim,
    }
    for part in [
        r#"{ "b" : 1.0, "a":1e2, "a":2 }"#,
        "[ 1,2 ]",
        "null",
        r#""\u00e4""#,
        "1.10",
    ] {
        let kept: Kept = from_slice(format!("{{\"part\": {part} }}").as_bytes()).unwrap();
        assert_eq!(kept.part.get(), part);
    }
}

/// Any JSON of a few levels.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map("name|lines|kind|text|[a-z]{1,3}", inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    /// Values parse as with `serde_json`, but structs parse only from objects.
    #[test]
    fn only_structs_by_position_parse_differently_from_serde_json(value in any_json()) {
        let text = value.to_string();
        prop_assert_eq!(&from_slice::<Value>(text.as_bytes()).unwrap(), &serde_json::from_str::<Value>(&text).unwrap());
        let order = from_slice::<Order>(text.as_bytes());
        if order.is_ok() {
            prop_assert!(value.is_object());
            prop_assert!(serde_json::from_str::<Order>(&text).is_ok());
        }
    }

    #[test]
    fn every_text_is_parsed_or_refused(text in any::<Vec<u8>>()) {
        if let Err(problem) = from_slice::<Order>(&text) {
            prop_assert!([400, 422].contains(&problem.status().as_u16()));
        }
    }
}
