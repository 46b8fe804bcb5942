use super::{catalogue, now, tenant};
use crate::{BodyError, EVENTS_MAX, Form, Reason, Usage, Value, read};
use std::collections::BTreeSet;

/// A valid event of the summing meter, with one edit.
fn event(edit: &str) -> String {
    let tenant = tenant(1);
    let valid = format!(
        r#"{{"specversion":"1.0","type":"transfer.completed","source":"/gateway","id":"e-1","subject":"{tenant}","time":"2026-11-15T11:00:00Z","data":{{"gigabytes":1.5}}}}"#
    );
    match edit.split_once(" => ") {
        Some((from, to)) => {
            assert!(valid.contains(from), "{from}");
            valid.replace(from, to)
        }
        None => valid,
    }
}

/// Reads one event and checks what became of it.
fn check(rows: &[(&str, Result<&str, Reason>)]) {
    let catalogue = catalogue();
    for (edit, expected) in rows {
        let body = event(edit);
        let reading = read(body.as_bytes(), Form::Either, &catalogue, now()).unwrap();
        let value = reading.usage().next().map(|usage| usage.value.to_string());
        let refused = reading.refused.first().map(|refusal| refusal.reason);
        match expected {
            Ok(expected) => assert_eq!((value.as_deref(), refused), (Some(*expected), None), "{edit}"),
            Err(reason) => assert_eq!((value, refused), (None, Some(*reason)), "{edit}"),
        }
    }
}

#[test]
fn every_fault_has_its_reason() {
    let long = format!(r#""e-1" => "{}""#, "x".repeat(1_025));
    let longest = format!(r#""e-1" => "{}""#, "x".repeat(1_024));
    let long_source = format!(r#""/gateway" => "{}""#, "x".repeat(1_025));
    check(&[
        ("", Ok("1.5")),
        (&longest, Ok("1.5")),
        (&long, Err(Reason::TooLong)),
        (&long_source, Err(Reason::TooLong)),
        (r#""specversion":"1.0", => "#, Err(Reason::MissingField)),
        (r#""specversion":"1.0" => "specversion":"0.3""#, Err(Reason::UnsupportedVersion)),
        (r#""id":"e-1" => "id":null"#, Err(Reason::MissingField)),
        (r#""id":"e-1" => "id":"""#, Err(Reason::MissingField)),
        (r#""id":"e-1" => "id":1e999"#, Err(Reason::WrongType)),
        (r#""id":"e-1" => "id":"\ud800""#, Err(Reason::WrongType)),
        (r#""id":"e-1" => "id":"e-1","id":"e-2""#, Err(Reason::DuplicateField)),
        (r#""id":"e-1" => "\u0069d":"e-1""#, Ok("1.5")),
        (r#""id":"e-1" => "\u0069d":"e-1","id":"e-1""#, Err(Reason::DuplicateField)),
        (r#""source":"/gateway", => "#, Err(Reason::MissingField)),
        (r#"transfer.completed => coffee.brewed"#, Err(Reason::UnknownMeter)),
        (r#""subject":" => "subject":"x"#, Err(Reason::InvalidTenant)),
        (r#""subject" => "customer""#, Err(Reason::MissingField)),
        (r#""time" => "when""#, Err(Reason::MissingField)),
        ("2026-11-15T11:00:00Z => yesterday", Err(Reason::InvalidTime)),
        ("2026-11-15T11:00:00Z => 2026-11-15", Err(Reason::InvalidTime)),
        ("2026-11-15T11:00:00Z => 2026-11-15 11:00:00Z", Err(Reason::InvalidTime)),
        ("2026-11-15T11:00:00Z => 2026-11-15T11:00:00", Err(Reason::InvalidTime)),
        ("2026-11-15T11:00:00Z => 2026-02-30T11:00:00Z", Err(Reason::InvalidTime)),
        ("2026-11-15T11:00:00Z => 2026-11-15T11:00:00.Z", Err(Reason::InvalidTime)),
        ("2026-11-15T11:00:00Z => 2026-11-15T16:30:00.123456789+05:30", Ok("1.5")),
        ("2026-11-15T11:00:00Z => 2026-11-15T12:05:00Z", Ok("1.5")),
        ("2026-11-15T11:00:00Z => 2026-11-15T12:05:00.001Z", Err(Reason::TimeInFuture)),
        ("2026-11-15T11:00:00Z => 2026-10-11T12:00:00Z", Ok("1.5")),
        ("2026-11-15T11:00:00Z => 2026-10-11T11:59:59Z", Err(Reason::TimeTooOld)),
        (r#"{"gigabytes":1.5} => [1.5]"#, Err(Reason::InvalidData)),
        (r#"{"gigabytes":1.5} => null"#, Err(Reason::MissingValue)),
        (r#""data":{"gigabytes":1.5} => "data_base64":"eyJ9""#, Err(Reason::InvalidData)),
        (r#""gigabytes" => "terabytes""#, Err(Reason::MissingValue)),
        (r#":1.5 => :null"#, Err(Reason::MissingValue)),
        (r#":1.5 => :true"#, Err(Reason::InvalidValue)),
        (r#":1.5 => :"1,5""#, Err(Reason::InvalidValue)),
        (r#":1.5 => :"1.50""#, Ok("1.5")),
        (r#":1.5 => :{"a":1}"#, Err(Reason::InvalidValue)),
        (r#":1.5 => :1e999"#, Err(Reason::ValueTooLong)),
        (":1.5 => :12345678901234567890123456789012345678", Ok("12345678901234567890123456789012345678")),
        (":1.5 => :123456789012345678901234567890123456789", Err(Reason::ValueTooLong)),
        (":1.5 => :-1", Err(Reason::NegativeValue)),
        (":1.5 => :1,\"gigabytes\":2", Err(Reason::DuplicateField)),
        ("transfer.completed => api.request", Ok("1")),
        (r#"{"gigabytes":1.5} => {"note":1e999,"x":[[[[]]]]}"#, Err(Reason::MissingValue)),
        (r#""data" => "traceparent":"00-1","data""#, Ok("1.5")),
    ]);
}

#[test]
fn a_refusal_names_the_event_and_repeats_nothing_else() {
    let secret = "jane@example.com";
    let edits = [
        format!("transfer.completed => {secret}"),
        format!(r#""subject":" => "subject":"{secret}"#),
        format!("2026-11-15T11:00:00Z => {secret}"),
        format!(r#":1.5 => :"{secret}""#),
    ];
    for edit in edits {
        let body = event(&edit);
        let catalogue = catalogue();
        let reading = read(body.as_bytes(), Form::Single, &catalogue, now()).unwrap();
        let refusal = &reading.refused[0];
        assert_eq!(refusal.id.as_deref(), Some("e-1"));
        assert!(!refusal.detail.contains(secret));
        assert!(!format!("{refusal:?}").contains("e-1"), "an id is for the caller, not for a log");
    }
}

#[test]
fn bodies_are_bounded_and_of_their_form() {
    let catalogue = catalogue();
    let one = event("");
    let batch = |count: usize| format!("[{}]", vec![one.as_str(); count].join(","));
    let zeros = format!("[{}]", vec!["0"; 200_000].join(","));
    let huge = " ".repeat(crate::BODY_BYTES_MAX + 1);
    let rows: &[(&str, Form, Result<usize, BodyError>)] = &[
        ("[]", Form::Batch, Ok(0)),
        (&one, Form::Single, Ok(1)),
        (&one, Form::Either, Ok(1)),
        (&batch(2), Form::Either, Ok(2)),
        (&batch(EVENTS_MAX), Form::Batch, Ok(EVENTS_MAX)),
        (&batch(EVENTS_MAX + 1), Form::Batch, Err(BodyError::TooMany { events: EVENTS_MAX + 1 })),
        (&zeros, Form::Batch, Err(BodyError::TooMany { events: 200_000 })),
        (&huge, Form::Batch, Err(BodyError::TooLarge)),
        (&one, Form::Batch, Err(BodyError::WrongShape { expected: "a list of events" })),
        ("[]", Form::Single, Err(BodyError::WrongShape { expected: "one event" })),
        ("", Form::Either, Err(BodyError::Malformed { line: 1, column: 0 })),
        ("[{]", Form::Batch, Err(BodyError::Malformed { line: 1, column: 3 })),
        ("{", Form::Batch, Err(BodyError::Malformed { line: 1, column: 1 })),
        ("[] x", Form::Batch, Err(BodyError::Malformed { line: 1, column: 4 })),
    ];
    for (body, form, expected) in rows {
        let read = read(body.as_bytes(), *form, &catalogue, now());
        let count = read.map(|reading| reading.usage().len() + reading.refused.len());
        assert_eq!(count, *expected, "{}", &body[..body.len().min(40)]);
    }
    assert!(read(b"\xff", Form::Either, &catalogue, now()).is_err());
    let odd = read(br#"[1,"a",null,true,[],-1.5,{}]"#, Form::Batch, &catalogue, now()).unwrap();
    let reasons: Vec<_> = odd.refused.iter().map(|refusal| (refusal.index, refusal.reason)).collect();
    assert_eq!(reasons[..6], [0, 1, 2, 3, 4, 5].map(|index| (index, Reason::NotAnObject)));
    assert_eq!(reasons[6], (6, Reason::MissingField));
}

#[test]
fn content_types_mean_forms() {
    let rows = [
        ("application/cloudevents+json", Some(Form::Single)),
        ("Application/CloudEvents+JSON; charset=utf-8", Some(Form::Single)),
        ("application/cloudevents-batch+json", Some(Form::Batch)),
        ("application/json", Some(Form::Either)),
        ("text/json", None),
        ("", None),
    ];
    for (content_type, form) in rows {
        assert_eq!(Form::of_content_type(content_type), form, "{content_type}");
    }
}

#[test]
fn unknown_tenants_are_refused_in_order() {
    let catalogue = catalogue();
    let other = tenant(2).to_string();
    let batch =
        format!("[{},{},{}]", event("e-1 => a"), event("e-1 => b").replace(&tenant(1).to_string(), &other), "{}");
    let mut reading = read(batch.as_bytes(), Form::Batch, &catalogue, now()).unwrap();
    assert_eq!(reading.tenants(), BTreeSet::from([tenant(1), tenant(2)]));
    reading.keep_tenants(&BTreeSet::from([tenant(1)]));
    let refused: Vec<_> = reading.refused.iter().map(|r| (r.index, r.id.as_deref(), r.reason)).collect();
    assert_eq!(refused, [(1, Some("b"), Reason::UnknownTenant), (2, None, Reason::MissingField)]);
    assert_eq!(reading.usage().len(), 1);
}

/// Sign-ins are counted by the region itself, in the same way as what is sent.
#[test]
fn an_internal_meter_counts_what_nobody_can_send() {
    let catalogue = catalogue();
    let meter = catalogue.logins().unwrap();
    check(&[("transfer.completed => meridian.login", Err(Reason::UnknownMeter))]);
    let stated = |id: &str, at: &str| Usage::counted(meter, tenant(1), "/identity", id, at.parse().unwrap());
    let first = stated("a", "2026-11-15T11:00:00Z");
    assert_eq!((first.value, first.start), (Value::ONE, "2026-11-15T00:00:00Z".parse().unwrap()));
    assert_eq!(stated("a", "2026-11-15T11:00:00Z"), first);
    assert_eq!(stated("a", "2026-11-15T11:00:01Z").entry.identity, first.entry.identity);
    assert_ne!(stated("b", "2026-11-15T11:00:00Z").entry.identity, first.entry.identity);
}

#[test]
fn identity_is_source_and_id_and_content_is_what_counts() {
    let catalogue = catalogue();
    let entry = |edit: &str| {
        let body = event(edit);
        read(body.as_bytes(), Form::Single, &catalogue, now()).unwrap().usage().next().unwrap().entry
    };
    let first = entry("");
    for same in
        ["11:00:00Z => 12:00:00.000+01:00", ":1.5 => :1.50", r#":1.5 => :"15e-1""#, r#""data" => "x":"y","data""#]
    {
        assert_eq!(entry(same), first, "{same}");
    }
    for other in ["11:00:00Z => 11:00:00.000000001Z", ":1.5 => :1.6"] {
        assert_eq!(entry(other).identity, first.identity, "{other}");
        assert_ne!(entry(other).digest, first.digest, "{other}");
    }
    let shifted = entry(r#""/gateway","id":"e-1" => "/gatewaye","id":"-1""#);
    assert_ne!(shifted.identity, first.identity, "the border between source and id is part of it");
}
