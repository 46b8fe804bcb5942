use super::{catalogue, now, tenant};
use crate::{
    BodyError, EVENTS_MAX, Form, Measure, Reason, Sender, Usage, Value, content_hash, distinct_key,
    event_key, read,
};
use jiff::{SignedDuration, Timestamp};
use kernel::UsageGroup;
use std::collections::BTreeSet;

/// A valid event of the summing meter, with one edit.
pub(super) fn event(edit: &str) -> String {
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

fn number(usage: &Usage<'_>) -> String {
    let Measure::Number(value) = usage.measure else {
        panic!("{:?}", usage.measure)
    };
    value.to_string()
}

/// Reads one event and checks what became of it.
fn check(rows: &[(&str, Result<&str, Reason>)]) {
    let catalogue = catalogue();
    for (edit, expected) in rows {
        let body = event(edit);
        let reading = read(
            body.as_bytes(),
            &Form::Either,
            Sender::Provider,
            &catalogue,
            now(),
        )
        .unwrap();
        let value = reading.usage().next().map(|usage| number(&usage));
        let refused = reading.refused.first().map(|refusal| refusal.reason);
        match expected {
            Ok(expected) => assert_eq!(
                (value.as_deref(), refused),
                (Some(*expected), None),
                "{edit}"
            ),
            Err(reason) => assert_eq!((value, refused), (None, Some(*reason)), "{edit}"),
        }
    }
}

#[test]
fn every_fault_has_its_reason() {
    let long = format!(r#""e-1" => "{}""#, "x".repeat(1_025));
    let longest = format!(r#""e-1" => "{}""#, "x".repeat(1_024));
    let long_source = format!(r#""/gateway" => "{}""#, "x".repeat(1_025));
    let (tiny, smallest) = (
        format!("0.{}5", "0".repeat(323)),
        format!("0.{}22250738585072014", "0".repeat(307)),
    );
    check(&[
        ("", Ok("1.5")),
        (&longest, Ok("1.5")),
        (&long, Err(Reason::TooLong)),
        (&long_source, Err(Reason::TooLong)),
        (r#""specversion":"1.0", => "#, Err(Reason::MissingField)),
        (
            r#""specversion":"1.0" => "specversion":"0.3""#,
            Err(Reason::UnsupportedVersion),
        ),
        (r#""id":"e-1" => "id":null"#, Err(Reason::MissingField)),
        (r#""id":"e-1" => "id":"""#, Err(Reason::MissingField)),
        (r#""id":"e-1" => "id":1e999"#, Err(Reason::WrongType)),
        (r#""id":"e-1" => "id":"\ud800""#, Err(Reason::WrongType)),
        (
            r#""id":"e-1" => "id":"e-1","id":"e-2""#,
            Err(Reason::DuplicateField),
        ),
        (r#""id":"e-1" => "\u0069d":"e-1""#, Ok("1.5")),
        (
            r#""id":"e-1" => "\u0069d":"e-1","id":"e-1""#,
            Err(Reason::DuplicateField),
        ),
        (r#""source":"/gateway", => "#, Err(Reason::MissingField)),
        (
            r#"transfer.completed => coffee.brewed"#,
            Err(Reason::UnknownMeter),
        ),
        (r#""subject":" => "subject":"x"#, Err(Reason::InvalidTenant)),
        (r#""subject" => "customer""#, Err(Reason::MissingField)),
        (r#""time" => "when""#, Err(Reason::MissingField)),
        (
            "2026-11-15T11:00:00Z => yesterday",
            Err(Reason::InvalidTime),
        ),
        (
            "2026-11-15T11:00:00Z => 2026-11-15",
            Err(Reason::InvalidTime),
        ),
        (
            "2026-11-15T11:00:00Z => 2026-11-15 11:00:00Z",
            Err(Reason::InvalidTime),
        ),
        (
            "2026-11-15T11:00:00Z => 2026-11-15T11:00:00",
            Err(Reason::InvalidTime),
        ),
        (
            "2026-11-15T11:00:00Z => 2026-02-30T11:00:00Z",
            Err(Reason::InvalidTime),
        ),
        (
            "2026-11-15T11:00:00Z => 2026-11-15T11:00:00.Z",
            Err(Reason::InvalidTime),
        ),
        (
            "2026-11-15T11:00:00Z => 2026-11-15T16:30:00.123456789+05:30",
            Ok("1.5"),
        ),
        ("2026-11-15T11:00:00Z => 2026-11-15T12:05:00Z", Ok("1.5")),
        (
            "2026-11-15T11:00:00Z => 2026-11-15T12:05:00.001Z",
            Err(Reason::TimeInFuture),
        ),
        ("2026-11-15T11:00:00Z => 2026-10-11T12:00:00Z", Ok("1.5")),
        (
            "2026-11-15T11:00:00Z => 2026-10-11T11:59:59Z",
            Err(Reason::TimeTooOld),
        ),
        (r#"{"gigabytes":1.5} => [1.5]"#, Err(Reason::InvalidData)),
        (r#"{"gigabytes":1.5} => null"#, Err(Reason::MissingValue)),
        (
            r#""data":{"gigabytes":1.5} => "data_base64":"eyJ9""#,
            Err(Reason::InvalidData),
        ),
        (r#""gigabytes" => "terabytes""#, Err(Reason::MissingValue)),
        (r#":1.5 => :null"#, Err(Reason::MissingValue)),
        (r#":1.5 => :true"#, Err(Reason::InvalidValue)),
        (r#":1.5 => :"1,5""#, Err(Reason::InvalidValue)),
        (r#":1.5 => :"1.50""#, Ok("1.5")),
        (r#":1.5 => :{"a":1}"#, Err(Reason::InvalidValue)),
        (r#":1.5 => :1e999"#, Err(Reason::ValueTooLong)),
        (
            ":1.5 => :12345678901234567890123456789012345678",
            Ok("12345678901234567890123456789012345678"),
        ),
        (
            ":1.5 => :123456789012345678901234567890123456789",
            Err(Reason::ValueTooLong),
        ),
        (":1.5 => :-1", Err(Reason::NegativeValue)),
        (":1.5 => :1,\"gigabytes\":2", Err(Reason::DuplicateField)),
        ("transfer.completed => api.request", Ok("1")),
        (
            r#"{"gigabytes":1.5} => {"note":1e999,"x":[[[[]]]]}"#,
            Err(Reason::MissingValue),
        ),
        (r#""data" => "traceparent":"00-1","data""#, Ok("1.5")),
        (":1.5 => :5e-324", Ok(&tiny)),
        (":1.5 => :2.2250738585072014e-308", Ok(&smallest)),
        (":1.5 => :1e38", Err(Reason::ValueTooLong)),
        (":1.5 => :1e-341", Err(Reason::ValueTooLong)),
        (
            "2026-11-15T11:00:00Z => 2026-11-15T11:00:00+25:00",
            Err(Reason::InvalidTime),
        ),
        (
            "2026-11-15T11:00:00Z => 2026-11-14T24:00:00Z",
            Err(Reason::InvalidTime),
        ),
        (
            "2026-11-15T11:00:00Z => 2026-11-15t11:00:00-00:00",
            Ok("1.5"),
        ),
    ]);
}

/// Each bound has its own words.
#[test]
fn a_value_out_of_bounds_is_told_which_bound() {
    let catalogue = catalogue();
    let rows = [
        (
            ":1.5 => :1e38",
            "data.gigabytes has more than 38 digits before the point",
        ),
        (
            ":1.5 => :1e-341",
            "data.gigabytes has more than 340 digits after the point",
        ),
        (
            ":1.5 => :1.00000000000000000000000000000000000001",
            "data.gigabytes has more than 38 significant digits",
        ),
        (":1.5 => :\"0x1\"", "data.gigabytes is not a number"),
        ("transfer.completed => user.active", "data.user is missing"),
    ];
    for (edit, detail) in rows {
        let body = event(edit);
        let reading = read(
            body.as_bytes(),
            &Form::Either,
            Sender::Provider,
            &catalogue,
            now(),
        )
        .unwrap();
        assert_eq!(reading.refused[0].detail, detail, "{edit}");
    }
    let user = event("transfer.completed => user.active")
        .replace("gigabytes", "user")
        .replace("1.5", "1e-341");
    let reading = read(
        user.as_bytes(),
        &Form::Either,
        Sender::Provider,
        &catalogue,
        now(),
    )
    .unwrap();
    assert_eq!(
        reading.refused[0].detail,
        "data.user has more than 340 digits after the point"
    );
}

/// A member that is read and there twice refuses its event, however its name is spelled and
/// whatever is in it.
#[test]
fn a_repeated_member_is_refused_wherever_it_is_read() {
    let twice = Err(Reason::DuplicateField);
    check(&[
        (r#":1.5 => :null,"gigabytes":2"#, twice),
        (r#":1.5 => :2,"gigabytes":null"#, twice),
        (r#":1.5 => :null,"gigabytes":null"#, twice),
        (r#":1.5 => :2,"giga\u0062ytes":2"#, twice),
        (r#":1.5 => :null,"\u0067\u0069gabytes":2"#, twice),
        (r#":1.5 => :2,"direction":"in","direction":"out""#, twice),
        (r#":1.5 => :2,"direction":"in","direction":"in""#, twice),
        (r#":1.5 => :2,"direction":null,"direction":"out""#, twice),
        (r#":1.5 => :2,"direction":{},"\u0064irection":[]"#, twice),
        (r#""data":{ => "data":null,"data":{"#, twice),
        (r#""data":{ => "d\u0061ta":null,"data":{"#, twice),
        (
            r#""data":{ => "data_base64":null,"data_base64":null,"data":{"#,
            twice,
        ),
        (r#""id":"e-1" => "id":null,"id":"e-1""#, twice),
        (r#""time" => "time":null,"time""#, twice),
        (r#""subject" => "\u0073ubject":null,"subject""#, twice),
        // What is not read may be there as often as it likes, and so may a name that only looks the
        // same.
        (r#":1.5 => :1.5,"note":1,"note":2"#, Ok("1.5")),
        (
            r#":1.5 => :1.5,"Gigabytes":1,"gigabytes ":2,"gigabyte\u017f":3"#,
            Ok("1.5"),
        ),
        (r#""data" => "note":1,"note":2,"data""#, Ok("1.5")),
        (
            r#":1.5 => :1.5,"deep":{"gigabytes":1,"gigabytes":2}"#,
            Ok("1.5"),
        ),
    ]);
    let tokens = |data: &str| {
        let body =
            event("transfer.completed => model.called").replace(r#"{"gigabytes":1.5}"#, data);
        let catalogue = catalogue();
        let reading = read(
            body.as_bytes(),
            &Form::Either,
            Sender::Provider,
            &catalogue,
            now(),
        )
        .unwrap();
        reading.refused.first().map(|refusal| refusal.reason)
    };
    assert_eq!(tokens(r#"{"model":"large","usage":{"tokens":1}}"#), None);
    for data in [
        r#"{"model":"large","usage":{"tokens":1},"usage":{"tokens":1}}"#,
        r#"{"model":"large","usage":null,"usage":{"tokens":1}}"#,
        r#"{"model":"large","usage":{"tokens":1},"us\u0061ge":null}"#,
        r#"{"model":"large","usage":{"tokens":null,"tokens":1}}"#,
        r#"{"model":"large","usage":{"tokens":1,"kind":"input","kind":"output"}}"#,
        r#"{"model":null,"model":"large","usage":{"tokens":1}}"#,
    ] {
        assert_eq!(tokens(data), Some(Reason::DuplicateField), "{data}");
    }
}

/// What is not read cannot refuse what is: neither its own event nor others of the batch.
#[test]
fn what_is_not_read_refuses_nothing() {
    let deep = format!(
        r#":1.5 => :1.5,"deep":{}0{}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let deep_event = format!(
        r#""data" => "deep":{}0{},"data""#,
        r#"{"a":"#.repeat(10_000),
        "}".repeat(10_000)
    );
    let odd = [
        r#":1.5 => :1.5,"\ud800":1"#,
        r#":1.5 => :1.5,"\udc00\ud800":1,"\ud800":2"#,
        r#":1.5 => :1.5,"gigabytes\ud800":1"#,
        r#":1.5 => :1.5,"note":"\ud800""#,
        r#":1.5 => :1.5,"note":"\u0000","\u0000":1"#,
        r#":1.5 => :1.5,"note":1e999,"more":-1E+99999999999999999999"#,
        r#":1.5 => :1.5,"note":123456789012345678901234567890123456789012345678901234567890"#,
        r#":1.5 => :1.5,"":null,"\ufeff":null"#,
        r#""data" => "\ud800":1,"data""#,
        r#""data" => "\ud83d\ude00":[{"\udfff":1e999}],"data""#,
        r#""data" => "note":1e999,"note":-0.0e-999,"data""#,
        &deep,
        &deep_event,
    ];
    check(&odd.map(|edit| (edit, Ok("1.5"))));
    let catalogue = catalogue();
    let edits = odd.iter().map(|edit| event(edit));
    // A value that is read and no text refuses its own event, and an event that is none itself
    // only.
    let faulty = [
        event(r#""id":"e-1" => "id":"\ud800""#),
        event(r#":1.5 => :"\ud800""#),
        r#""\ud800""#.to_owned(),
        "1e999".to_owned(),
        format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)),
        r#"{"\ud800":1}"#.to_owned(),
    ];
    let batch: Vec<String> = edits.chain(faulty).collect();
    let body = format!("[{}]", batch.join(","));
    let reading = read(
        body.as_bytes(),
        &Form::Batch,
        Sender::Provider,
        &catalogue,
        now(),
    )
    .unwrap();
    assert_eq!(reading.usage().len(), odd.len());
    let refused: Vec<_> = reading
        .refused
        .iter()
        .map(|refusal| (refusal.index - odd.len(), refusal.reason))
        .collect();
    let not_an_object = Reason::NotAnObject;
    let (wrong, value, missing) = (
        Reason::WrongType,
        Reason::InvalidValue,
        Reason::MissingField,
    );
    let expected = [
        (0, wrong),
        (1, value),
        (2, not_an_object),
        (3, not_an_object),
        (4, not_an_object),
        (5, missing),
    ];
    assert_eq!(refused, expected);
    for alone in [r#""\ud800""#, "1e999", "null", "[[]]"] {
        let form = if alone.starts_with('[') {
            Form::Batch
        } else {
            Form::Single
        };
        let reading = read(alone.as_bytes(), &form, Sender::Provider, &catalogue, now()).unwrap();
        assert_eq!(
            reading
                .refused
                .iter()
                .map(|refusal| refusal.reason)
                .collect::<Vec<_>>(),
            [not_an_object],
            "{alone}"
        );
    }
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
        let reading = read(
            body.as_bytes(),
            &Form::Single,
            Sender::Provider,
            &catalogue,
            now(),
        )
        .unwrap();
        let refusal = &reading.refused[0];
        assert_eq!(refusal.id.as_deref(), Some("e-1"));
        assert!(!refusal.detail.contains(secret));
        assert!(
            !format!("{refusal:?}").contains("e-1"),
            "an id is for the caller, not for a log"
        );
    }
}

/// An id that an event may not have is not repeated to the caller.
#[test]
fn a_refusal_names_no_id_that_is_none() {
    let catalogue = catalogue();
    for (id, named) in [
        ("", false),
        ("e", true),
        (&"e".repeat(1_024), true),
        (&"e".repeat(1_025), false),
    ] {
        let body = event(&format!("e-1 => {id}")).replace("1.5}", "true}");
        let reading = read(
            body.as_bytes(),
            &Form::Single,
            Sender::Provider,
            &catalogue,
            now(),
        )
        .unwrap();
        assert_eq!(
            reading.refused[0].id.as_deref(),
            named.then_some(id),
            "{} bytes",
            id.len()
        );
    }
}

#[test]
fn bodies_are_bounded_and_of_their_form() {
    let catalogue = catalogue();
    let one = event("");
    let batch = |count: usize| format!("[{}]", vec![one.as_str(); count].join(","));
    let zeros = format!("[{}]", vec!["0"; 200_000].join(","));
    let huge = " ".repeat(crate::BODY_BYTES_MAX + 1);
    let rows: [(&str, Form, Result<usize, BodyError>); 14] = [
        ("[]", Form::Batch, Ok(0)),
        (&one, Form::Single, Ok(1)),
        (&one, Form::Either, Ok(1)),
        (&batch(2), Form::Either, Ok(2)),
        (&batch(EVENTS_MAX), Form::Batch, Ok(EVENTS_MAX)),
        (
            &batch(EVENTS_MAX + 1),
            Form::Batch,
            Err(BodyError::TooMany {
                events: EVENTS_MAX + 1,
            }),
        ),
        (
            &zeros,
            Form::Batch,
            Err(BodyError::TooMany { events: 200_000 }),
        ),
        (&huge, Form::Batch, Err(BodyError::TooLarge)),
        (
            &one,
            Form::Batch,
            Err(BodyError::WrongShape {
                expected: "a list of events",
            }),
        ),
        (
            "[]",
            Form::Single,
            Err(BodyError::WrongShape {
                expected: "one event",
            }),
        ),
        (
            "",
            Form::Either,
            Err(BodyError::Malformed { line: 1, column: 0 }),
        ),
        (
            "[{]",
            Form::Batch,
            Err(BodyError::Malformed { line: 1, column: 3 }),
        ),
        (
            "{",
            Form::Batch,
            Err(BodyError::Malformed { line: 1, column: 1 }),
        ),
        (
            "[] x",
            Form::Batch,
            Err(BodyError::Malformed { line: 1, column: 4 }),
        ),
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
    let longest = format!("{one}{}", " ".repeat(crate::BODY_BYTES_MAX - one.len()));
    assert_eq!(
        read(
            longest.as_bytes(),
            &Form::Single,
            Sender::Provider,
            &catalogue,
            now()
        )
        .unwrap()
        .usage()
        .len(),
        1
    );
    assert!(read(b"\xff", &Form::Either, Sender::Provider, &catalogue, now()).is_err());
    let odd = read(
        br#"[1,"a",null,true,[],-1.5,{}]"#,
        &Form::Batch,
        Sender::Provider,
        &catalogue,
        now(),
    )
    .unwrap();
    let reasons: Vec<_> = odd
        .refused
        .iter()
        .map(|refusal| (refusal.index, refusal.reason))
        .collect();
    assert_eq!(
        reasons[..6],
        [0, 1, 2, 3, 4, 5].map(|index| (index, Reason::NotAnObject))
    );
    assert_eq!(reasons[6], (6, Reason::MissingField));
}

#[test]
fn headers_mean_forms() {
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

/// The form of an event in binary mode with the version and further headers.
fn binary(headers: &[(&str, &[u8])]) -> Form {
    let version = [("ce-specversion", &b"1.0"[..])];
    Form::of_headers(None, version.into_iter().chain(headers.iter().copied())).unwrap()
}

#[test]
fn an_event_is_the_same_in_binary_mode() {
    let of = tenant(1).to_string();
    let valid: [(&str, &[u8]); 5] = [
        ("ce-type", b"transfer.completed"),
        ("ce-source", b"/gateway"),
        ("ce-id", b"e-1"),
        ("ce-subject", of.as_bytes()),
        ("ce-time", b"2026-11-15T11:00:00Z"),
    ];
    let catalogue = catalogue();
    let body = event("");
    let structured = read(
        body.as_bytes(),
        &Form::Single,
        Sender::Provider,
        &catalogue,
        now(),
    )
    .unwrap()
    .usage()
    .next();
    let check = |headers: &[(&str, &[u8])], data: &[u8], expected: Result<bool, Reason>| {
        let form = binary(headers);
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
    };
    let with = |name: &'static str, value: &'static [u8]| -> Vec<(&str, &[u8])> {
        valid
            .iter()
            .map(|(known, was)| (*known, if *known == name { value } else { *was }))
            .collect()
    };
    let data = br#" {"gigabytes":1.50} "#;
    check(&valid, data, Ok(true));
    check(&with("ce-id", b"e%2d1"), data, Ok(true));
    check(&with("ce-source", br#""/gateway""#), data, Ok(true));
    check(&with("ce-id", b"e-1,e-2"), data, Ok(false));
    check(&with("ce-id", b"%"), data, Err(Reason::InvalidHeader));
    check(&with("ce-id", b"\xff"), data, Err(Reason::InvalidHeader));
    check(&with("ce-id", b""), data, Err(Reason::MissingField));
    check(
        &with("ce-source", [b'x'; 1_025].as_slice()),
        data,
        Err(Reason::TooLong),
    );
    check(
        &with("ce-time", b"yesterday"),
        data,
        Err(Reason::InvalidTime),
    );
    check(
        &with("ce-type", b"coffee.brewed"),
        data,
        Err(Reason::UnknownMeter),
    );
    check(&valid[..4], data, Err(Reason::MissingField));
    check(&valid, b"", Err(Reason::MissingValue));
    check(&valid, b"null", Err(Reason::MissingValue));
    check(&valid, b"[1.5]", Err(Reason::InvalidData));
    check(
        &valid,
        br#"{"gigabytes":null,"gigabytes":1.5}"#,
        Err(Reason::DuplicateField),
    );
    check(
        &valid,
        br#"{"gigabytes":1.5,"giga\u0062ytes":1.5}"#,
        Err(Reason::DuplicateField),
    );
    check(&valid, br#"{"\ud800":1e999,"gigabytes":1.5}"#, Ok(true));
    for twice in ["ce-id", "ce-traceparent"] {
        let repeated: Vec<_> = valid
            .into_iter()
            .chain([(twice, &b"a"[..]), (twice, &b"a"[..])])
            .collect();
        check(&repeated, data, Err(Reason::DuplicateField));
    }
    for (body, at) in [(&b"{"[..], (1, 1)), (b"1 2", (1, 3)), (b"\xff", (0, 0))] {
        let (line, column) = at;
        assert_eq!(
            read(body, &binary(&valid), Sender::Provider, &catalogue, now()).err(),
            Some(BodyError::Malformed { line, column })
        );
    }
}

#[test]
fn what_contradicts_is_refused_and_what_repeats_is_not() {
    let other = tenant(2).to_string();
    let batch = [
        event(""),
        event(":1.5 => :1.50"),
        event(":1.5 => :2"),
        event("2026-11-15T11 => 2026-11-15T10"),
        event("e-1 => e-2"),
        event(":1.5 => :3").replace(&tenant(1).to_string(), &other),
        event(":1.5 => :2").replace("/gateway", "/other"),
        event(":1.5 => :-1"),
    ];
    let (body, catalogue) = (format!("[{}]", batch.join(",")), catalogue());
    let mut reading = read(
        body.as_bytes(),
        &Form::Batch,
        Sender::Provider,
        &catalogue,
        now(),
    )
    .unwrap();
    reading.refuse_conflicts();
    let refused: Vec<_> = reading
        .refused
        .iter()
        .map(|r| (r.index, r.id.as_deref(), r.reason))
        .collect();
    let conflict = Reason::Conflict;
    let expected = [
        (2, Some("e-1"), conflict),
        (3, Some("e-1"), conflict),
        (7, Some("e-1"), Reason::NegativeValue),
    ];
    assert_eq!(refused, expected);
    assert_eq!(
        reading
            .usage()
            .map(|usage| number(&usage))
            .collect::<Vec<_>>(),
        ["1.5", "1.5", "1.5", "3", "2"]
    );
}

/// Who is refused for another reason contradicts nobody.
#[test]
fn an_event_of_nobodys_contradicts_nothing() {
    let catalogue = catalogue();
    let foreign = event(":1.5 => :2").replace(&tenant(1).to_string(), &tenant(2).to_string());
    let body = format!("[{foreign},{},{foreign}]", event(""));
    let mut reading = read(
        body.as_bytes(),
        &Form::Batch,
        Sender::Provider,
        &catalogue,
        now(),
    )
    .unwrap();
    reading.keep_billable(|id| (id == tenant(1)).then_some(Timestamp::MIN));
    reading.refuse_conflicts();
    assert_eq!(
        reading
            .usage()
            .map(|usage| number(&usage))
            .collect::<Vec<_>>(),
        ["1.5"]
    );
    assert_eq!(
        reading
            .refused
            .iter()
            .map(|refusal| refusal.index)
            .collect::<Vec<_>>(),
        [0, 2]
    );
}

#[test]
fn unknown_tenants_are_refused_in_order() {
    let catalogue = catalogue();
    let other = tenant(2).to_string();
    let batch = format!(
        "[{},{},{}]",
        event("e-1 => a"),
        event("e-1 => b").replace(&tenant(1).to_string(), &other),
        "{}"
    );
    let mut reading = read(
        batch.as_bytes(),
        &Form::Batch,
        Sender::Provider,
        &catalogue,
        now(),
    )
    .unwrap();
    assert_eq!(reading.tenants(), BTreeSet::from([tenant(1), tenant(2)]));
    reading.keep_billable(|id| (id == tenant(1)).then_some(Timestamp::MIN));
    let refused: Vec<_> = reading
        .refused
        .iter()
        .map(|r| (r.index, r.id.as_deref(), r.reason))
        .collect();
    assert_eq!(
        refused,
        [
            (1, Some("b"), Reason::UnknownTenant),
            (2, None, Reason::MissingField)
        ]
    );
    assert_eq!(reading.usage().len(), 1);
}

#[test]
fn what_is_before_the_first_billing_period_is_refused() {
    let (catalogue, first) = (catalogue(), "2026-11-15T10:30:00Z".parse().unwrap());
    for (time, is_taken) in [
        ("2026-11-15T10:29:59.999999999Z", false),
        ("2026-11-15T10:30:00Z", true),
        ("2026-11-15T12:29:59+02:00", false),
        ("2026-11-15T09:30:00-01:00", true),
        ("2026-10-31T10:00:00Z", false),
    ] {
        let body = event("").replace("2026-11-15T11:00:00Z", time);
        let mut reading = read(
            body.as_bytes(),
            &Form::Single,
            Sender::Tenant,
            &catalogue,
            now(),
        )
        .unwrap();
        reading.keep_billable(|_| Some(first));
        let refused: Vec<Reason> = reading
            .refused
            .iter()
            .map(|refusal| refusal.reason)
            .collect();
        let expected = if is_taken {
            vec![]
        } else {
            vec![Reason::BeforeFirstPeriod]
        };
        assert_eq!(
            (reading.usage().len(), refused),
            (usize::from(is_taken), expected),
            "{time}"
        );
    }
}

/// Sign-ins are counted by the region itself, in the same way as what is sent.
#[test]
fn an_internal_meter_counts_what_nobody_can_send() {
    let catalogue = catalogue();
    let meter = catalogue.logins().unwrap();
    check(&[(
        "transfer.completed => meridian.login",
        Err(Reason::UnknownMeter),
    )]);
    let published =
        |id: &str, at: &str| Usage::counted(meter, tenant(1), "/identity", id, at.parse().unwrap());
    let first = published("a", "2026-11-15T11:00:00Z");
    assert_eq!(
        (first.measure, first.at),
        (
            Measure::Number(Value::ONE),
            "2026-11-15T11:00:00Z".parse().unwrap()
        )
    );
    assert_eq!(published("a", "2026-11-15T11:00:00Z"), first);
    assert_eq!(
        published("a", "2026-11-15T11:00:01Z").entry.key,
        first.entry.key
    );
    assert_ne!(
        published("b", "2026-11-15T11:00:00Z").entry.key,
        first.entry.key
    );
}

#[test]
fn identity_is_source_and_id_and_content_is_what_counts() {
    let catalogue = catalogue();
    let entry = |edit: &str| {
        let body = event(edit);
        read(
            body.as_bytes(),
            &Form::Single,
            Sender::Provider,
            &catalogue,
            now(),
        )
        .unwrap()
        .usage()
        .next()
        .unwrap()
        .entry
    };
    let first = entry("");
    for same in [
        "11:00:00Z => 12:00:00.000+01:00",
        ":1.5 => :1.50",
        r#":1.5 => :"15e-1""#,
        r#""data" => "x":"y","data""#,
    ] {
        assert_eq!(entry(same), first, "{same}");
    }
    for other in ["11:00:00Z => 11:00:00.000000001Z", ":1.5 => :1.6"] {
        assert_eq!(entry(other).key, first.key, "{other}");
        assert_ne!(entry(other).content, first.content, "{other}");
    }
    let shifted = entry(r#""/gateway","id":"e-1" => "/gatewaye","id":"-1""#);
    assert_ne!(
        shifted.key, first.key,
        "the border between source and id is part of it"
    );
}

/// Reads one event of a meter with this data and gives its group and measure.
fn read_data(event_type: &str, data: &str) -> Result<(String, Measure), (Reason, String)> {
    let body =
        event(&format!("transfer.completed => {event_type}")).replace(r#"{"gigabytes":1.5}"#, data);
    let catalogue = catalogue();
    let reading = read(
        body.as_bytes(),
        &Form::Single,
        Sender::Provider,
        &catalogue,
        now(),
    )
    .unwrap();
    let usage = reading
        .usage()
        .next()
        .map(|usage| (usage.group.to_string(), usage.measure));
    usage.ok_or_else(|| (reading.refused[0].reason, reading.refused[0].detail.clone()))
}

#[test]
fn values_and_dimensions_are_where_the_meter_looks() {
    let number = |value: &str| Measure::Number(value.parse().unwrap());
    let model = |data: &str| read_data("model.called", data);
    let large = r#"{"model":"large","usage":{"tokens":12,"kind":"output"}}"#;
    assert_eq!(
        model(large),
        Ok(("model=large,kind=output".to_owned(), number("12")))
    );
    let otherwise = r#"{"model":"small","usage":{"tokens":"1.5","kind":"guessed"}}"#;
    assert_eq!(
        model(otherwise),
        Ok(("model=small,kind=input".to_owned(), number("1.5")))
    );
    let refused = |data: &str| model(data).unwrap_err();
    assert_eq!(
        refused(r#"{"model":"jane@example.com","usage":{"tokens":1}}"#).0,
        Reason::UnknownDimension
    );
    assert_eq!(
        refused(r#"{"usage":{"tokens":1}}"#).1,
        "data.model is not a value of the dimension model"
    );
    assert_eq!(
        refused(r#"{"model":"small","usage":[1]}"#),
        (
            Reason::MissingValue,
            "data.usage.tokens is missing".to_owned()
        )
    );
    assert_eq!(
        refused(r#"{"model":"small","usage":{"tokens":1,"tokens":2}}"#).0,
        Reason::DuplicateField
    );
    let direction = |data: &str| read_data("transfer.completed", data).unwrap().0;
    assert_eq!(
        direction(r#"{"gigabytes":1,"direction":"in"}"#),
        "direction=in"
    );
    assert_eq!(
        direction(r#"{"gigabytes":1,"direction":["in"]}"#),
        "direction=unknown"
    );
}

/// A meter that counts needs nothing of the data: where it is no object, its dimensions have their
/// default values.
#[test]
fn data_that_is_no_object_is_of_no_known_value() {
    let mut catalogue = catalogue();
    let transfer = catalogue
        .meters
        .iter_mut()
        .find(|meter| meter.event_type == "transfer.completed")
        .unwrap();
    (transfer.aggregation, transfer.value) = (catalogue::Aggregation::Count, None);
    let group = |data: &str| {
        let body = event("").replace(r#"{"gigabytes":1.5}"#, data);
        let reading = read(
            body.as_bytes(),
            &Form::Single,
            Sender::Provider,
            &catalogue,
            now(),
        )
        .unwrap();
        let usage = reading.usage().next().map(|usage| usage.group.to_string());
        usage.ok_or_else(|| reading.refused[0].reason)
    };
    for data in ["[1]", "5", r#""text""#, "{}", "null"] {
        assert_eq!(group(data), Ok("direction=unknown".to_owned()), "{data}");
    }
    assert_eq!(
        group(r#"{"direction":"in","direction":"in"}"#),
        Err(Reason::DuplicateField)
    );
}

/// The namespace is of whose token it was, and nothing that an event can say makes it another
/// one's.
#[test]
fn senders_have_separate_namespaces_of_ids() {
    let senders = [Sender::Tenant, Sender::Provider, Sender::Meridian];
    let parts = [
        "", "a", "b", "ab", "\u{1}", "\u{2}", "\u{1}a", "tenant", "provider",
    ];
    let mut identities = BTreeSet::new();
    for sender in senders {
        for (source, id) in parts
            .iter()
            .flat_map(|source| parts.iter().map(move |id| (source, id)))
        {
            identities.insert(event_key(sender, source, id));
        }
    }
    assert_eq!(identities.len(), senders.len() * parts.len() * parts.len());
}

#[test]
fn different_values_have_different_identities() {
    let user = |value: &str| read_data("user.active", &format!(r#"{{"user":{value}}}"#));
    assert_eq!(user(r#""a""#), user(r#""\u0061""#));
    assert_eq!(user("5.0"), user("5"));
    assert_ne!(user("5"), user(r#""5""#));
    assert_ne!(user("5"), user("6"));
    for invalid in ["null", "true", "[1]", r#"{"a":1}"#] {
        assert!(user(invalid).is_err(), "{invalid}");
    }
    assert!(user(&format!(r#""{}""#, "x".repeat(1_024))).is_ok());
    assert_eq!(
        user(&format!(r#""{}""#, "x".repeat(1_025))).unwrap_err().0,
        Reason::ValueTooLong
    );
}

#[test]
fn a_content_is_its_group_too() {
    let entry = |direction: &str| {
        let body = event("").replace("1.5}", &format!(r#"1.5,"direction":"{direction}"}}"#));
        read(
            body.as_bytes(),
            &Form::Single,
            Sender::Provider,
            &catalogue(),
            now(),
        )
        .unwrap()
        .usage()
        .next()
        .unwrap()
        .entry
    };
    assert_eq!(entry("in").key, entry("out").key);
    assert_ne!(entry("in").content, entry("out").content);
    assert_eq!(entry("sideways"), entry("unknown"));
}

#[test]
fn a_digest_is_of_all_that_an_event_says() {
    let number = |mantissa, scale| Measure::Number(Value::new(mantissa, scale).unwrap());
    let member = Measure::Distinct(distinct_key(tenant(1), "text", "a"));
    let (group, other_group) = (UsageGroup::default(), "direction=in".parse().unwrap());
    let later = now() + SignedDuration::from_nanos(1);
    let rows = [
        ("a", tenant(1), now(), number(15, 1), &group),
        ("b", tenant(1), now(), number(15, 1), &group),
        ("a", tenant(2), now(), number(15, 1), &group),
        ("a", tenant(1), later, number(15, 1), &group),
        ("a", tenant(1), now(), number(15, 0), &group),
        ("a", tenant(1), now(), number(16, 1), &group),
        ("a", tenant(1), now(), member, &group),
        ("a", tenant(1), now(), number(15, 1), &other_group),
    ];
    let digests = rows
        .iter()
        .map(|(kind, tenant, at, measure, group)| content_hash(kind, *tenant, *at, measure, group));
    assert_eq!(digests.collect::<BTreeSet<_>>().len(), rows.len());
}
