//! Bodies, and the forms that headers announce.

use super::super::{catalogue, now};
use super::binary::binary;
use super::{event, read_all, refused};
use crate::event::{BODY_BYTES_MAX, BodyError, EVENTS_MAX, Form, read};
use crate::event_key::Sender;
use crate::refusal::Reason;

#[test]
fn bodies_are_bounded_and_have_their_form() {
    let catalogue = catalogue();
    let one = event("");
    let batch = |count: usize| format!("[{}]", vec![one.as_str(); count].join(","));
    let zeros = format!("[{}]", vec!["0"; 200_000].join(","));
    let huge = " ".repeat(BODY_BYTES_MAX + 1);
    let too_many = |events: usize| Err(BodyError::TooMany { events });
    let shape = |expected: &'static str| Err(BodyError::WrongShape { expected });
    let malformed = |column: usize| Err(BodyError::Malformed { line: 1, column });
    let rows: [(&str, Form, Result<usize, BodyError>); 14] = [
        ("[]", Form::Batch, Ok(0)),
        (&one, Form::Single, Ok(1)),
        (&one, Form::Either, Ok(1)),
        (&batch(2), Form::Either, Ok(2)),
        (&batch(EVENTS_MAX), Form::Batch, Ok(EVENTS_MAX)),
        (
            &batch(EVENTS_MAX + 1),
            Form::Batch,
            too_many(EVENTS_MAX + 1),
        ),
        (&zeros, Form::Batch, too_many(200_000)),
        (&huge, Form::Batch, Err(BodyError::TooLarge)),
        (&one, Form::Batch, shape("a list of events")),
        ("[]", Form::Single, shape("one event")),
        ("", Form::Either, malformed(0)),
        ("[{]", Form::Batch, malformed(3)),
        ("{", Form::Batch, malformed(1)),
        ("[] x", Form::Batch, malformed(4)),
    ];
    for (body, form, expected) in rows {
        let read = read(body.as_bytes(), &form, Sender::Provider, &catalogue, now());
        let is_list = body.trim_start().starts_with('[');
        assert!(
            read.as_ref()
                .is_ok_and(|reading| reading.is_single != is_list)
                || read.is_err(),
            "{expected:?}"
        );
        let count = read.map(|reading| reading.usage().len() + reading.refused.len());
        assert_eq!(count, expected, "{}", &body[..body.len().min(40)]);
    }
}

#[test]
fn the_length_of_a_body_is_bounded() {
    let (one, catalogue) = (event(""), catalogue());
    let longest = format!("{one}{}", " ".repeat(BODY_BYTES_MAX - one.len()));
    let reading = read_all(&longest, &Form::Single, &catalogue);
    assert_eq!(reading.usage().len(), 1);
}

#[test]
fn a_body_that_is_not_utf_8_is_refused() {
    let catalogue = catalogue();
    assert!(read(b"\xff", &Form::Either, Sender::Provider, &catalogue, now()).is_err());
}

#[test]
fn an_event_of_a_batch_is_an_object() {
    let catalogue = catalogue();
    let reading = read_all(r#"[1,"a",null,true,[],-1.5,{}]"#, &Form::Batch, &catalogue);
    let reasons = refused(&reading);
    assert_eq!(
        reasons[..6],
        [0, 1, 2, 3, 4, 5].map(|index| (index, Reason::NotAnObject))
    );
    assert_eq!(reasons[6], (6, Reason::MissingField));
}

#[test]
fn headers_determine_the_form() {
    let rows = [
        (
            Some("application/cloudevents+json"),
            Some(Form::Single),
            Some(Form::Single),
        ),
        (
            Some("Application/CloudEvents+JSON; charset=utf-8"),
            Some(Form::Single),
            Some(Form::Single),
        ),
        (
            Some("application/cloudevents-batch+json"),
            Some(Form::Batch),
            Some(Form::Batch),
        ),
        (Some("application/cloudevents+avro"), None, None),
        (Some("application/cloudevents-other+json"), None, None),
        (
            Some("application/json"),
            Some(Form::Either),
            Some(binary(&[])),
        ),
        (
            Some("application/json; charset=utf-8"),
            Some(Form::Either),
            Some(binary(&[])),
        ),
        (
            Some("application/vnd.example+json"),
            None,
            Some(binary(&[])),
        ),
        (Some("text/json"), None, None),
        (Some("application/x-www-form-urlencoded"), None, None),
        (Some(""), None, Some(binary(&[]))),
        (None, None, Some(binary(&[]))),
    ];
    for (content_type, without, with) in rows {
        assert_eq!(
            Form::of_headers(content_type, [("ce-id", &b"e-1"[..])]),
            without,
            "{content_type:?}"
        );
        assert_eq!(
            Form::of_headers(content_type, [("ce-specversion", &b"1.0"[..])]),
            with,
            "{content_type:?}"
        );
    }
}
