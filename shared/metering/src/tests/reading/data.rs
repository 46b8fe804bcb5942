//! The data of an event: where a meter finds its value and its dimensions.

use super::super::catalogue;
use super::{event, read_all};
use crate::event::Form;
use crate::refusal::Reason;
use crate::window::Measure;

/// Parses one event of a meter with this data, and returns its group and measure.
fn read_data(event_type: &str, data: &str) -> Result<(String, Measure), (Reason, String)> {
    let body =
        event(&format!("transfer.completed => {event_type}")).replace(r#"{"gigabytes":1.5}"#, data);
    let catalogue = catalogue();
    let reading = read_all(&body, &Form::Single, &catalogue);
    let usage = reading
        .usage()
        .next()
        .map(|usage| (usage.group.to_string(), usage.measure));
    usage.ok_or_else(|| (reading.refused[0].reason, reading.refused[0].detail.clone()))
}

#[test]
fn values_and_dimensions_are_read_at_the_meters_paths() {
    let number = |value: &str| Measure::Number(value.parse().unwrap());
    let model = |data: &str| read_data("model.called", data);
    let large = r#"{"model":"large","usage":{"tokens":12,"kind":"output"}}"#;
    assert_eq!(
        model(large),
        Ok(("model=large,kind=output".to_owned(), number("12")))
    );
    let with_defaults = r#"{"model":"small","usage":{"tokens":"1.5","kind":"guessed"}}"#;
    assert_eq!(
        model(with_defaults),
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

/// A meter that counts events needs no data: without an object, its dimensions have their default
/// values.
#[test]
fn dimensions_of_data_without_an_object_have_their_defaults() {
    let mut catalogue = catalogue();
    let transfer = catalogue
        .meters
        .iter_mut()
        .find(|meter| meter.event_type == "transfer.completed")
        .unwrap();
    (transfer.aggregation, transfer.value) = (catalogue::Aggregation::Count, None);
    let group = |data: &str| {
        let body = event("").replace(r#"{"gigabytes":1.5}"#, data);
        let reading = read_all(&body, &Form::Single, &catalogue);
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

#[test]
fn different_values_have_different_keys() {
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
