//! Events in binary mode: attributes in headers, data in the body.

use super::super::{catalogue, now, tenant};
use super::{event, read_all};
use crate::event::{BodyError, Form, read};
use crate::event_key::Sender;
use crate::refusal::Reason;

/// The form of an event in binary mode with the version and further headers.
pub(super) fn binary(headers: &[(&str, &[u8])]) -> Form {
    let version = [("ce-specversion", &b"1.0"[..])];
    Form::of_headers(None, version.into_iter().chain(headers.iter().copied())).unwrap()
}

/// The headers of a valid event, with another value of one of them.
fn headers_with(name: &str, value: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let of = tenant(1).to_string();
    let valid: [(&str, &[u8]); 5] = [
        ("ce-type", b"transfer.completed"),
        ("ce-source", b"/gateway"),
        ("ce-id", b"e-1"),
        ("ce-subject", of.as_bytes()),
        ("ce-time", b"2026-11-15T11:00:00Z"),
    ];
    let headers = valid.into_iter();
    headers
        .map(|(known, was)| (known, if known == name { value } else { was }.to_vec()))
        .collect()
}

/// The headers of a valid event.
fn valid() -> Vec<(&'static str, Vec<u8>)> {
    headers_with("", b"")
}

fn form(headers: &[(&'static str, Vec<u8>)]) -> Form {
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| (*name, value.as_slice()))
        .collect();
    binary(&headers)
}

/// Parses an event in binary mode, and checks whether it equals the one in structured mode, or why
/// it is refused.
fn check(headers: &[(&'static str, Vec<u8>)], data: &[u8], expected: Result<bool, Reason>) {
    let (catalogue, body, form) = (catalogue(), event(""), form(headers));
    let structured = read_all(&body, &Form::Single, &catalogue).usage().next();
    let reading = read(data, &form, Sender::Provider, &catalogue, now()).unwrap();
    assert!(reading.is_single);
    let same = reading
        .usage()
        .next()
        .map(|usage| Some(usage) == structured);
    let refused = reading.refused.first().map(|refusal| refusal.reason);
    assert_eq!(
        (same, refused),
        (expected.ok(), expected.err()),
        "{headers:?}"
    );
}

const DATA: &[u8] = br#" {"gigabytes":1.50} "#;

#[test]
fn an_event_is_the_same_in_binary_mode() {
    check(&valid(), DATA, Ok(true));
    check(&valid(), br#"{"\ud800":1e999,"gigabytes":1.5}"#, Ok(true));
    check(&headers_with("ce-id", b"e%2d1"), DATA, Ok(true));
    check(&headers_with("ce-source", br#""/gateway""#), DATA, Ok(true));
    check(&headers_with("ce-id", b"e-1,e-2"), DATA, Ok(false));
}

#[test]
fn a_faulty_header_has_its_reason() {
    let long = [b'x'; 1_025];
    let rows: [(&str, &[u8], Reason); 6] = [
        ("ce-id", b"%", Reason::InvalidHeader),
        ("ce-id", b"\xff", Reason::InvalidHeader),
        ("ce-id", b"", Reason::MissingField),
        ("ce-source", &long, Reason::TooLong),
        ("ce-time", b"yesterday", Reason::InvalidTime),
        ("ce-type", b"coffee.brewed", Reason::UnknownMeter),
    ];
    for (name, value, reason) in rows {
        check(&headers_with(name, value), DATA, Err(reason));
    }
    check(&valid()[..4], DATA, Err(Reason::MissingField));
}

#[test]
fn a_repeated_header_refuses_its_event() {
    for twice in ["ce-id", "ce-traceparent"] {
        let repeated = [(twice, b"a".to_vec()), (twice, b"a".to_vec())];
        check(
            &[valid(), repeated.to_vec()].concat(),
            DATA,
            Err(Reason::DuplicateField),
        );
    }
}

#[test]
fn faulty_data_in_binary_mode_has_its_reason() {
    let rows: [(&[u8], Reason); 5] = [
        (b"", Reason::MissingValue),
        (b"null", Reason::MissingValue),
        (b"[1.5]", Reason::InvalidData),
        (
            br#"{"gigabytes":null,"gigabytes":1.5}"#,
            Reason::DuplicateField,
        ),
        (
            br#"{"gigabytes":1.5,"giga\u0062ytes":1.5}"#,
            Reason::DuplicateField,
        ),
    ];
    for (data, reason) in rows {
        check(&valid(), data, Err(reason));
    }
}

#[test]
fn data_in_binary_mode_that_is_not_json_is_a_malformed_body() {
    let (catalogue, form) = (catalogue(), form(&valid()));
    for (body, at) in [(&b"{"[..], (1, 1)), (b"1 2", (1, 3)), (b"\xff", (0, 0))] {
        let (line, column) = at;
        assert_eq!(
            read(body, &form, Sender::Provider, &catalogue, now()).err(),
            Some(BodyError::Malformed { line, column })
        );
    }
}
