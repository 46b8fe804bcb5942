//! Parsing corrections from a request's body.

use super::super::{catalogue, now};
use super::event;
use crate::correction::{CORRECTIONS_MAX, read_corrections};
use crate::event::{BODY_BYTES_MAX, BodyError};
use crate::refusal::Reason;
use std::collections::HashMap;

/// The reason of each refused correction of a request, and `None` for a valid one.
fn read_all(corrections: &[String]) -> Result<Vec<Option<Reason>>, BodyError> {
    let (body, catalogue) = (
        format!(r#"{{"corrections":[{}]}}"#, corrections.join(",")),
        catalogue(),
    );
    let reading = read_corrections(body.as_bytes(), &catalogue, now())?;
    assert_eq!(
        reading.valid.len() + reading.refused.len(),
        corrections.len()
    );
    let refused: HashMap<usize, Reason> = reading
        .refused
        .iter()
        .map(|r| (r.index, r.reason))
        .collect();
    Ok((0..corrections.len())
        .map(|index| refused.get(&index).copied())
        .collect())
}

const REASON: &str = r#""reason":"wrong-unit""#;

/// A correction of an event with one edit.
fn taken_back(edit: &str) -> String {
    format!(r#"{{"event":{},{REASON}}}"#, event(edit))
}

/// A correction whose replacement has further members.
fn replaced(members: &str) -> String {
    let replacement = event(&format!("e-1\" => e-2\"{members}"));
    format!(
        r#"{{"event":{},"replacement":{replacement},{REASON}}}"#,
        event("")
    )
}

/// Parses the corrections together in one request, and each alone.
fn check(rows: Vec<(String, Option<Reason>)>) {
    let (corrections, expected): (Vec<String>, Vec<Option<Reason>>) = rows.into_iter().unzip();
    assert_eq!(read_all(&corrections).as_ref(), Ok(&expected));
    for (correction, expected) in corrections.iter().zip(expected) {
        let alone = read_all(std::slice::from_ref(correction));
        assert_eq!(alone, Ok(vec![expected]), "{correction}");
    }
}

/// Members of an event that no rule reads refuse nothing.
#[test]
fn valid_corrections_are_read_as_events_are() {
    let sent = event("");
    check(vec![
        (taken_back(""), None),
        (replaced(""), None),
        (
            format!(r#"{{{REASON},"replacement":null,"event":{sent}}}"#),
            None,
        ),
        (taken_back(r#":1.5 => :1.5,"\ud800":1e999"#), None),
        (replaced(r#","\ud800":[1e999]"#), None),
    ]);
}

#[test]
fn a_repeated_member_refuses_its_correction() {
    let (sent, other) = (event(""), event("e-1 => e-2"));
    let twice = Some(Reason::DuplicateField);
    check(vec![
        (
            format!(r#"{{"event":{sent},"replacement":{other},"replacement":{other},{REASON}}}"#),
            twice,
        ),
        (
            format!(r#"{{"event":{sent},"replacement":null,"replacement":{other},{REASON}}}"#),
            twice,
        ),
        (
            format!(r#"{{"event":{sent},"replacement":{other},"replac\u0065ment":null,{REASON}}}"#),
            twice,
        ),
        (
            format!(r#"{{"event":{sent},"event":{sent},{REASON}}}"#),
            twice,
        ),
        (format!(r#"{{"event":{sent},{REASON},{REASON}}}"#), twice),
        (taken_back(r#":1.5 => :1.5,"gigabytes":null"#), twice),
        (
            taken_back(r#":1.5 => :1.5,"direction":"in","direction":"in""#),
            twice,
        ),
        (
            taken_back(r#""id":"e-1" => "id":null,"\u0069d":"e-1""#),
            twice,
        ),
        (replaced(r#","id":"e-3""#), twice),
        (replaced(r#","data":null"#), twice),
        (
            format!(r#"{{"key":{{"id":"a","id":"b"}},{REASON}}}"#),
            twice,
        ),
        (
            format!(r#"{{"key":{{"id":null,"\u0069d":"b"}},{REASON}}}"#),
            twice,
        ),
        (
            format!(r#"{{"event":{sent},"sent_by":"tenant","sent_by":null,{REASON}}}"#),
            twice,
        ),
    ]);
}

#[test]
fn a_faulty_correction_has_its_reason() {
    let sent = event("");
    let refused = [
        (
            taken_back(r#""id":"e-1" => "id":"\ud800""#),
            Reason::WrongType,
        ),
        (
            format!(r#"{{"event":"\ud800",{REASON}}}"#),
            Reason::NotAnObject,
        ),
        (
            format!(r#"{{"event":1e999,{REASON}}}"#),
            Reason::NotAnObject,
        ),
        (
            format!(r#"{{"event":{sent},"replacement":[],{REASON}}}"#),
            Reason::NotAnObject,
        ),
        (
            format!(r#"{{"event":{sent},"reason":"\ud800"}}"#),
            Reason::InvalidReason,
        ),
        (
            format!(r#"{{"event":{sent},"reason":"Jane Doe"}}"#),
            Reason::InvalidReason,
        ),
        (
            format!(r#"{{"event":{sent},"replacement":{sent},{REASON}}}"#),
            Reason::SameEventKey,
        ),
        (format!("{{{REASON}}}"), Reason::MissingField),
        (
            format!(r#"{{"key":{{}},"event":{sent},{REASON}}}"#),
            Reason::MissingField,
        ),
        (
            format!(r#"{{"key":{{"tenant":5}},{REASON}}}"#),
            Reason::InvalidTenant,
        ),
        (
            format!(r#"{{"event":{sent},"sent_by":"\ud800",{REASON}}}"#),
            Reason::InvalidSender,
        ),
        (
            format!(r#"{{"event":{sent},"sent_by":"somebody",{REASON}}}"#),
            Reason::InvalidSender,
        ),
    ];
    check(
        refused
            .map(|(correction, reason)| (correction, Some(reason)))
            .to_vec(),
    );
}

/// A document with unknown members could mean something else than it seems to.
#[test]
fn a_document_without_the_shape_of_a_correction_refuses_its_request() {
    let (sent, other) = (event(""), event("e-1 => e-2"));
    for odd in [
        format!(r#"{{"event":{sent},"replacment":{other},{REASON}}}"#),
        format!(r#"{{"event":{sent},"\ud800":1,{REASON}}}"#),
        format!(r#"{{"event":{sent}}}"#),
        format!(r#"{{"event":{sent},"reason":5}}"#),
        format!(r#"{{"key":[],{REASON}}}"#),
        format!(r#"{{"key":{{"surce":"s"}},{REASON}}}"#),
        "[]".to_owned(),
        "1e999".to_owned(),
        r#""\ud800""#.to_owned(),
    ] {
        let wrong = BodyError::WrongShape {
            expected: "a list of corrections",
        };
        assert_eq!(
            read_all(&[taken_back(""), odd.clone()]),
            Err(wrong),
            "{odd}"
        );
    }
}

#[test]
fn requests_for_corrections_are_bounded() {
    let of = |number: usize| {
        format!(
            r#"{{"event":{},"reason":"wrong-unit"}}"#,
            event(&format!("e-1 => e-{number}"))
        )
    };
    let all = |count: usize| (0..count).map(of).collect::<Vec<_>>();
    assert_eq!(
        read_all(&all(CORRECTIONS_MAX)),
        Ok(vec![None; CORRECTIONS_MAX])
    );
    let too_many = BodyError::TooMany {
        events: CORRECTIONS_MAX + 1,
    };
    assert_eq!(read_all(&all(CORRECTIONS_MAX + 1)), Err(too_many));
    let bytes = |length: usize| {
        let body = format!(r#"{{"corrections":[{}]}}"#, of(1));
        read_corrections(
            format!("{body}{}", " ".repeat(length - body.len())).as_bytes(),
            &catalogue(),
            now(),
        )
        .err()
    };
    assert_eq!(
        (bytes(BODY_BYTES_MAX), bytes(BODY_BYTES_MAX + 1)),
        (None, Some(BodyError::TooLarge))
    );
}
