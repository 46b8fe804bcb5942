//! Events that are refused, each for one reason, and oddities that are accepted.

use super::super::catalogue;
use super::{check, event, read_all, refused};
use crate::event::Form;
use crate::refusal::Reason;

#[test]
fn a_faulty_attribute_has_its_reason() {
    let long = format!(r#""e-1" => "{}""#, "x".repeat(1_025));
    let longest = format!(r#""e-1" => "{}""#, "x".repeat(1_024));
    let long_source = format!(r#""/gateway" => "{}""#, "x".repeat(1_025));
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
        (r#""data" => "traceparent":"00-1","data""#, Ok("1.5")),
    ]);
}

#[test]
fn a_faulty_time_has_its_reason() {
    let rows = [
        ("yesterday", Err(Reason::InvalidTime)),
        ("2026-11-15", Err(Reason::InvalidTime)),
        ("2026-11-15 11:00:00Z", Err(Reason::InvalidTime)),
        ("2026-11-15T11:00:00", Err(Reason::InvalidTime)),
        ("2026-02-30T11:00:00Z", Err(Reason::InvalidTime)),
        ("2026-11-15T11:00:00.Z", Err(Reason::InvalidTime)),
        ("2026-11-15T16:30:00.123456789+05:30", Ok("1.5")),
        ("2026-11-15T12:05:00Z", Ok("1.5")),
        ("2026-11-15T12:05:00.001Z", Err(Reason::TimeInFuture)),
        ("2026-10-11T12:00:00Z", Ok("1.5")),
        ("2026-10-11T11:59:59Z", Err(Reason::TimeTooOld)),
        ("2026-11-15T11:00:00+25:00", Err(Reason::InvalidTime)),
        ("2026-11-14T24:00:00Z", Err(Reason::InvalidTime)),
        ("2026-11-15t11:00:00-00:00", Ok("1.5")),
    ];
    for (time, expected) in rows {
        check(&[(&format!("2026-11-15T11:00:00Z => {time}"), expected)]);
    }
}

#[test]
fn a_faulty_value_has_its_reason() {
    let tiny = format!("0.{}5", "0".repeat(323));
    let smallest = format!("0.{}22250738585072014", "0".repeat(307));
    check(&[
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
        (":1.5 => :5e-324", Ok(&tiny)),
        (":1.5 => :2.2250738585072014e-308", Ok(&smallest)),
        (":1.5 => :1e38", Err(Reason::ValueTooLong)),
        (":1.5 => :1e-341", Err(Reason::ValueTooLong)),
    ]);
}

/// Each bound has a detail of its own.
#[test]
fn the_detail_names_the_bound_that_a_value_exceeds() {
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
        let reading = read_all(&body, &Form::Either, &catalogue);
        assert_eq!(reading.refused[0].detail, detail, "{edit}");
    }
    let user = event("transfer.completed => user.active")
        .replace("gigabytes", "user")
        .replace("1.5", "1e-341");
    let reading = read_all(&user, &Form::Either, &catalogue);
    assert_eq!(
        reading.refused[0].detail,
        "data.user has more than 340 digits after the point"
    );
}

/// A repeated member that is read refuses its event, with or without escapes in its name and
/// whatever its value.
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
        // Members that are not read may repeat, and so may names that only look alike.
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
}

#[test]
fn a_repeated_member_is_refused_on_the_path_to_a_value() {
    let tokens = |data: &str| {
        let body =
            event("transfer.completed => model.called").replace(r#"{"gigabytes":1.5}"#, data);
        let catalogue = catalogue();
        let reading = read_all(&body, &Form::Either, &catalogue);
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

/// Members that are not read cannot refuse an event, neither their own nor others of the batch.
#[test]
fn a_member_that_is_not_read_refuses_nothing() {
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
    let edits = odd.iter().map(|edit| event(edit)).collect::<Vec<_>>();
    let body = format!("[{}]", edits.join(","));
    let reading = read_all(&body, &Form::Batch, &catalogue);
    assert_eq!(
        (reading.usage().len(), refused(&reading)),
        (odd.len(), vec![])
    );
}

/// An attribute that cannot be decoded refuses only its own event, and so does an element that is
/// not an event.
#[test]
fn an_event_that_cannot_be_read_refuses_itself_only() {
    let catalogue = catalogue();
    let odd = event(r#""data" => "\ud83d\ude00":[{"\udfff":1e999}],"data""#);
    let faulty = [
        event(r#""id":"e-1" => "id":"\ud800""#),
        event(r#":1.5 => :"\ud800""#),
        r#""\ud800""#.to_owned(),
        "1e999".to_owned(),
        format!("{}{}", "[".repeat(10_000), "]".repeat(10_000)),
        r#"{"\ud800":1}"#.to_owned(),
    ];
    let body = format!("[{odd},{},{odd}]", faulty.join(","));
    let reading = read_all(&body, &Form::Batch, &catalogue);
    assert_eq!(reading.usage().len(), 2);
    let expected = [
        (1, Reason::WrongType),
        (2, Reason::InvalidValue),
        (3, Reason::NotAnObject),
        (4, Reason::NotAnObject),
        (5, Reason::NotAnObject),
        (6, Reason::MissingField),
    ];
    assert_eq!(refused(&reading), expected);
    for alone in [r#""\ud800""#, "1e999", "null", "[[]]"] {
        let form = if alone.starts_with('[') {
            Form::Batch
        } else {
            Form::Single
        };
        let reading = read_all(alone, &form, &catalogue);
        assert_eq!(refused(&reading), [(0, Reason::NotAnObject)], "{alone}");
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
        let reading = read_all(&body, &Form::Single, &catalogue);
        let refusal = &reading.refused[0];
        assert_eq!(refusal.id.as_deref(), Some("e-1"));
        assert!(!refusal.detail.contains(secret));
        assert!(
            !format!("{refusal:?}").contains("e-1"),
            "an id is returned to the caller, but not logged"
        );
    }
}

/// An invalid id is not returned to the caller.
#[test]
fn a_refusal_does_not_repeat_an_invalid_id() {
    let catalogue = catalogue();
    for (id, named) in [
        ("", false),
        ("e", true),
        (&"e".repeat(1_024), true),
        (&"e".repeat(1_025), false),
    ] {
        let body = event(&format!("e-1 => {id}")).replace("1.5}", "true}");
        let reading = read_all(&body, &Form::Single, &catalogue);
        assert_eq!(
            reading.refused[0].id.as_deref(),
            named.then_some(id),
            "{} bytes",
            id.len()
        );
    }
}
