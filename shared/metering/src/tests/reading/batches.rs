//! Batches: conflicts, tenants, and the first billing period.

use super::super::{catalogue, now, tenant};
use super::{event, number, read_all};
use crate::event::{Form, read};
use crate::event_key::Sender;
use crate::refusal::Reason;
use jiff::Timestamp;
use std::collections::BTreeSet;

#[test]
fn conflicts_are_refused_and_repetitions_are_not() {
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
    let mut reading = read_all(&body, &Form::Batch, &catalogue);
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

/// An event that is refused for another reason causes no conflict.
#[test]
fn an_event_of_an_unknown_tenant_causes_no_conflict() {
    let catalogue = catalogue();
    let foreign = event(":1.5 => :2").replace(&tenant(1).to_string(), &tenant(2).to_string());
    let body = format!("[{foreign},{},{foreign}]", event(""));
    let mut reading = read_all(&body, &Form::Batch, &catalogue);
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
    let mut reading = read_all(&batch, &Form::Batch, &catalogue);
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
fn an_event_before_the_first_billing_period_is_refused() {
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
