//! Parsing events from a request's body.

mod batches;
mod binary;
mod bodies;
mod corrections;
mod data;
mod faults;
mod keys;

use super::{catalogue, now, tenant};
use crate::event::{Form, ParsedBatch, Usage, read};
use crate::event_key::Sender;
use crate::refusal::Reason;
use crate::window::Measure;
use catalogue::Catalogue;

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

fn number(usage: &Usage<'_>) -> String {
    let Measure::Number(value) = usage.measure else {
        panic!("{:?}", usage.measure)
    };
    value.to_string()
}

/// Parses a body sent by a service of the provider.
fn read_all<'b, 'c>(
    body: &'b str,
    form: &'b Form,
    catalogue: &'c Catalogue,
) -> ParsedBatch<'b, 'c> {
    read(body.as_bytes(), form, Sender::Provider, catalogue, now()).unwrap()
}

/// The position and the reason of each refused event.
fn refused(reading: &ParsedBatch<'_, '_>) -> Vec<(usize, Reason)> {
    let refused = reading.refused.iter();
    refused
        .map(|refusal| (refusal.index, refusal.reason))
        .collect()
}

/// Parses one event for each row, and checks its value or its refusal.
fn check(rows: &[(&str, Result<&str, Reason>)]) {
    let catalogue = catalogue();
    for (edit, expected) in rows {
        let body = event(edit);
        let reading = read_all(&body, &Form::Either, &catalogue);
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
