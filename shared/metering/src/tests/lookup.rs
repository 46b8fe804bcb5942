//! Requests for corrections, and the lookup of events by their keys.

use super::{catalogue, now, tenant};
use crate::*;
use catalogue::{Aggregation, Catalogue, Meter};
use dedupe::Entry;
use jiff::{SignedDuration, Timestamp};
use kernel::{BillingAnchor, SegmentId, UsageGroup, WindowSize};
use serde_json::{Value as Json, json};
use std::collections::BTreeSet;
use uuid::Uuid;

fn transfer(id: &str) -> Json {
    json!({ "specversion": "1.0", "type": "transfer.completed", "source": "/gateway", "id": id,
        "subject": tenant(1).to_string(), "time": "2026-11-15T11:00:00Z", "data": { "gigabytes": 5 } })
}

fn by_key(id: &str) -> Json {
    json!({ "key": { "tenant": tenant(1).to_string(), "source": "/gateway", "id": id }, "reason": "test" })
}

/// A correction by key with one member of the key, or of the correction, replaced.
fn with(mut correction: Json, member: &str, value: impl Into<Json>) -> Json {
    match member.strip_prefix("key.") {
        Some(member) => correction["key"][member] = value.into(),
        None => correction[member] = value.into(),
    }
    correction
}

fn read_all<'c>(
    catalogue: &'c Catalogue,
    corrections: &[Json],
) -> Result<ParsedCorrections<'c>, BodyError> {
    read_corrections(
        json!({ "corrections": corrections }).to_string().as_bytes(),
        catalogue,
        now(),
    )
}

/// Parses one correction by key.
fn read_keyed<'c>(
    catalogue: &'c Catalogue,
    correction: Json,
) -> Result<KeyedCorrection<'c>, Refusal> {
    let mut reading = read_all(catalogue, &[correction]).unwrap();
    assert_eq!(
        reading.tenants(),
        reading.keyed.iter().map(|keyed| keyed.tenant).collect()
    );
    reading.keyed.pop().ok_or_else(|| reading.refused.remove(0))
}

/// A segment with an event of a meter, `ago` before now.
fn segment(meter: &Meter, id: &str, ago: SignedDuration, value: i64) -> Segment {
    let (at, group) = (now() - ago, UsageGroup::default());
    let measure = match meter.aggregation {
        Aggregation::UniqueCount => Measure::Distinct(distinct_key(tenant(1), "text", id)),
        _ => Measure::Number(Value::new(value.into(), 0).unwrap()),
    };
    let content = content_hash(&meter.event_type, tenant(1), at, &measure, &group);
    let entry = Entry {
        key: event_key(Sender::Provider, "/gateway", id),
        content,
    };
    let usage = Usage {
        tenant: tenant(1),
        entry,
        meter,
        group,
        at,
        measure,
    };
    group_one(usage)
}

fn group_one(usage: Usage<'_>) -> Segment {
    group(
        [usage],
        |_| BillingAnchor::default(),
        || SegmentId::from_uuid(Uuid::nil()),
    )
    .remove(0)
}

fn seen(segments: &[&Segment], id: &str) -> Sightings {
    let sought = BTreeSet::from([event_key(Sender::Provider, "/gateway", id)]);
    let mut seen = Sightings::default();
    for segment in segments {
        seen.search(&sought, &segment.body);
    }
    seen
}

fn resolved<'c>(
    catalogue: &'c Catalogue,
    id: &str,
    seen: &Sightings,
) -> Result<Correction<'c>, Reason> {
    let keyed = read_keyed(catalogue, by_key(id)).unwrap();
    let index = keyed.index;
    keyed
        .resolve(seen, catalogue, now())
        .map(|valid| valid.correction)
        .map_err(|refusal| {
            assert_eq!((refusal.index, refusal.id.as_deref()), (index, Some(id)));
            refusal.reason
        })
}

fn meter(catalogue: &Catalogue, aggregation: Aggregation) -> &Meter {
    catalogue
        .meters
        .iter()
        .find(|meter| meter.aggregation == aggregation)
        .unwrap()
}

const HOUR: SignedDuration = SignedDuration::from_hours(1);

#[test]
fn a_found_event_is_taken_back_as_it_was_sent() {
    let catalogue = catalogue();
    for aggregation in [Aggregation::Sum, Aggregation::Count, Aggregation::Avg] {
        let sent = segment(meter(&catalogue, aggregation), "a", HOUR, 1);
        let other = segment(meter(&catalogue, aggregation), "b", HOUR, 1);
        let found = resolved(&catalogue, "a", &seen(&[&other, &sent, &sent], "a")).unwrap();
        let anchor = BillingAnchor::default();
        let void =
            group_corrections([found], |_| anchor, || SegmentId::from_uuid(Uuid::max())).remove(0);
        let (event, original) = (void.body.events()[0], sent.body.events()[0]);
        assert_eq!(
            (event.entry, event.measure, event.at),
            (original.entry, original.measure, original.at)
        );
        let (slot, original) = (&void.body.slots()[0], &sent.body.slots()[0]);
        assert_eq!(
            Slot {
                purpose: Purpose::Usage,
                ..slot.clone()
            },
            *original,
            "{aggregation:?}"
        );
        // A void does not prove that the event was sent.
        assert_eq!(
            resolved(&catalogue, "a", &seen(&[&void], "a")),
            Err(Reason::EventNotFound)
        );
    }
}

#[test]
fn a_replacement_is_found_by_its_key() {
    let catalogue = catalogue();
    let mut reading = read_all(
        &catalogue,
        &[json!({ "event": transfer("a"), "replacement": transfer("b"), "reason": "test" })],
    )
    .unwrap();
    let correction = reading.valid.remove(0).correction;
    let id = || SegmentId::from_uuid(Uuid::nil());
    let corrected = group_corrections([correction], |_| BillingAnchor::default(), id).remove(0);
    assert!(resolved(&catalogue, "b", &seen(&[&corrected], "b")).is_ok());
    assert_eq!(
        resolved(&catalogue, "a", &seen(&[&corrected], "a")),
        Err(Reason::EventNotFound)
    );
}

#[test]
fn a_key_without_exactly_one_event_is_refused() {
    let catalogue = catalogue();
    let sum = meter(&catalogue, Aggregation::Sum);
    let (five, six) = (segment(sum, "a", HOUR, 5), segment(sum, "a", HOUR, 6));
    assert_eq!(
        resolved(&catalogue, "a", &seen(&[], "a")),
        Err(Reason::EventNotFound)
    );
    assert_eq!(
        resolved(&catalogue, "a", &seen(&[&five, &six], "a")),
        Err(Reason::AmbiguousKey)
    );
    let mut merged = seen(&[&five], "a");
    merged.merge(seen(&[&six], "a"));
    assert_eq!(
        resolved(&catalogue, "a", &merged),
        Err(Reason::AmbiguousKey)
    );
    let mut cut_short = seen(&[], "a");
    cut_short.is_cut_short = true;
    assert_eq!(
        resolved(&catalogue, "a", &cut_short),
        Err(Reason::SearchCutShort)
    );
    let mut merged = seen(&[], "a");
    merged.merge(cut_short.clone());
    assert_eq!(
        resolved(&catalogue, "a", &merged),
        Err(Reason::SearchCutShort),
        "not all segments were searched"
    );
    merged.merge(seen(&[&five], "a"));
    assert!(resolved(&catalogue, "a", &merged).is_ok());
}

#[test]
fn an_event_of_an_irreversible_meter_is_not_taken_back() {
    let catalogue = catalogue();
    for aggregation in [
        Aggregation::Min,
        Aggregation::Max,
        Aggregation::Latest,
        Aggregation::UniqueCount,
    ] {
        let sent = segment(meter(&catalogue, aggregation), "a", HOUR, 5);
        assert_eq!(
            resolved(&catalogue, "a", &seen(&[&sent], "a")),
            Err(Reason::NotReversible),
            "{aggregation:?}"
        );
    }
}

#[test]
fn an_event_of_a_meter_that_has_changed_is_not_taken_back() {
    let catalogue = catalogue();
    let sum = meter(&catalogue, Aggregation::Sum);
    for (changed, expected) in [
        (
            Meter {
                window: WindowSize::Minute,
                ..sum.clone()
            },
            Err(Reason::UnknownMeter),
        ),
        (
            Meter {
                aggregation: Aggregation::Avg,
                ..sum.clone()
            },
            Err(Reason::UnknownMeter),
        ),
        (
            Meter {
                code: "gone".parse().unwrap(),
                ..sum.clone()
            },
            Err(Reason::UnknownMeter),
        ),
        (
            Meter {
                unit: "other".to_owned(),
                ..sum.clone()
            },
            Ok(()),
        ),
    ] {
        let sent = segment(&changed, "a", HOUR, 5);
        assert_eq!(
            resolved(&catalogue, "a", &seen(&[&sent], "a")).map(|_| ()),
            expected,
            "{}",
            changed.code
        );
    }
}

/// A segment keeps the event's window, not its time. The event is corrected while any part of the
/// window is at most 35 days ago.
#[test]
fn an_event_that_is_too_old_is_not_taken_back() {
    let catalogue = catalogue();
    let sum = meter(&catalogue, Aggregation::Sum);
    let oldest = now() - TIME_BEHIND_MAX;
    assert_eq!(
        sum.window.start(oldest, BillingAnchor::default()),
        oldest,
        "a window starts at this time"
    );
    for (ago_s, expected) in [(0, Ok(())), (1, Ok(())), (3_601, Err(Reason::TimeTooOld))] {
        let sent = segment(
            sum,
            "a",
            TIME_BEHIND_MAX + SignedDuration::from_secs(ago_s),
            5,
        );
        assert_eq!(
            resolved(&catalogue, "a", &seen(&[&sent], "a")).map(|_| ()),
            expected,
            "{ago_s} s before that"
        );
    }
}

#[test]
fn a_key_holds_the_sender_and_the_time_range() {
    let catalogue = catalogue();
    let event_key_of = |correction| read_keyed(&catalogue, correction).unwrap().key;
    let of = |sender| event_key(sender, "/gateway", "a");
    assert_eq!(event_key_of(by_key("a")), of(Sender::Provider));
    assert_eq!(
        event_key_of(with(by_key("a"), "sent_by", "provider")),
        of(Sender::Provider)
    );
    assert_eq!(
        event_key_of(with(by_key("a"), "sent_by", "tenant")),
        of(Sender::Tenant)
    );

    let sent = |correction| {
        read_keyed(&catalogue, correction)
            .map(|keyed| keyed.sent)
            .map_err(|refusal| refusal.reason)
    };
    let (first, last) = (now() - EVENT_KEYS_KEPT, now() + TIME_AHEAD_MAX);
    let at: Timestamp = "2026-11-10T00:00:00Z".parse().unwrap();
    assert_eq!(sent(by_key("a")), Ok((first, last)));
    assert_eq!(
        sent(with(by_key("a"), "key.sent_from", at.to_string())),
        Ok((at, last))
    );
    assert_eq!(
        sent(with(by_key("a"), "key.sent_from", "2020-01-01T00:00:00Z")),
        Ok((first, last))
    );
    assert_eq!(
        sent(with(by_key("a"), "key.sent_to", at.to_string())),
        Ok((first, at))
    );
    let both = with(
        with(by_key("a"), "key.sent_from", at.to_string()),
        "key.sent_to",
        at.to_string(),
    );
    assert_eq!(sent(both), Ok((at, at)));
    assert_eq!(
        sent(with(by_key("a"), "key.sent_to", "2020-01-01T00:00:00Z")),
        Err(Reason::InvalidTime)
    );
    assert_eq!(
        sent(with(by_key("a"), "key.sent_from", "2026-11-10")),
        Err(Reason::InvalidTime)
    );
}

/// Checks that each correction is refused for its reason, with the id of its event if it has a
/// valid one.
fn check_refused(rows: &[(Json, Option<&str>, Reason)]) {
    let catalogue = catalogue();
    for (correction, id, reason) in rows {
        let reading = read_all(&catalogue, std::slice::from_ref(correction)).unwrap();
        assert!(
            reading.valid.is_empty() && reading.keyed.is_empty(),
            "{correction}"
        );
        let refused: Vec<_> = reading
            .refused
            .iter()
            .map(|refusal| (refusal.id.as_deref(), refusal.reason))
            .collect();
        assert_eq!(refused, [(*id, *reason)], "{correction}");
    }
}

#[test]
fn a_correction_with_a_faulty_key_has_its_reason() {
    let (by_a, a, long) = (by_key("a"), Some("a"), "x".repeat(1_025));
    check_refused(&[
        (
            with(by_a.clone(), "key.tenant", "nobody"),
            a,
            Reason::InvalidTenant,
        ),
        (
            with(by_a.clone(), "key.source", ""),
            a,
            Reason::MissingField,
        ),
        (with(by_a, "key.source", long.as_str()), a, Reason::TooLong),
        (by_key(""), None, Reason::MissingField),
        (by_key(&long), None, Reason::TooLong),
    ]);
    // The longest permitted id.
    assert!(read_keyed(&catalogue(), by_key(&"x".repeat(1_024))).is_ok());
}

#[test]
fn an_invalid_correction_has_its_reason() {
    let (by_a, a) = (by_key("a"), Some("a"));
    let full = json!({ "event": transfer("a"), "reason": "test" });
    let (same, mut foreign) = (transfer("a"), transfer("b"));
    foreign["subject"] = json!(tenant(2).to_string());
    check_refused(&[
        (
            with(by_a.clone(), "sent_by", "meridian"),
            a,
            Reason::InvalidSender,
        ),
        (
            with(full.clone(), "sent_by", "nobody"),
            a,
            Reason::InvalidSender,
        ),
        (
            with(by_a.clone(), "reason", "two words"),
            a,
            Reason::InvalidReason,
        ),
        (
            with(by_a.clone(), "replacement", same.clone()),
            a,
            Reason::SameEventKey,
        ),
        (
            with(full.clone(), "replacement", same),
            a,
            Reason::SameEventKey,
        ),
        (
            with(by_a.clone(), "replacement", foreign.clone()),
            a,
            Reason::OtherTenant,
        ),
        (
            with(full.clone(), "replacement", foreign),
            a,
            Reason::OtherTenant,
        ),
        (
            with(full, "key", by_a["key"].clone()),
            a,
            Reason::MissingField,
        ),
        (json!({ "reason": "test" }), None, Reason::MissingField),
    ]);
}

/// A replacement of a tenant's own event is in the provider's namespace.
#[test]
fn a_replacement_may_have_the_source_and_id_of_a_tenants_own_event() {
    let catalogue = catalogue();
    let theirs = with(
        with(by_key("a"), "sent_by", "tenant"),
        "replacement",
        transfer("a"),
    );
    assert!(read_keyed(&catalogue, theirs).is_ok());
}

#[test]
fn the_number_of_corrections_by_key_is_bounded() {
    let catalogue = catalogue();
    let keyed = |count: usize| {
        (0..count)
            .map(|n| by_key(&n.to_string()))
            .collect::<Vec<_>>()
    };
    let most = read_all(&catalogue, &keyed(KEYED_CORRECTIONS_MAX)).unwrap();
    assert_eq!(
        most.keyed
            .iter()
            .map(|keyed| keyed.index)
            .collect::<Vec<_>>(),
        (0..20).collect::<Vec<_>>()
    );
    let one_more = read_all(&catalogue, &keyed(KEYED_CORRECTIONS_MAX + 1));
    assert_eq!(one_more.err(), Some(BodyError::TooManyKeys { keys: 21 }));
}

#[test]
fn corrections_before_the_first_period_are_refused() {
    let catalogue = catalogue();
    let early = |id: &str| {
        let mut event = transfer(id);
        event["time"] = json!("2026-11-15T10:59:59Z");
        event
    };
    let rows = [
        (json!({ "event": transfer("a"), "reason": "test" }), None),
        (
            json!({ "event": early("a"), "reason": "test" }),
            Some("time"),
        ),
        (
            json!({ "event": transfer("a"), "replacement": early("b"), "reason": "test" }),
            Some("replacement: time"),
        ),
        (
            json!({ "event": transfer("a"), "replacement": transfer("b"), "reason": "test" }),
            None,
        ),
        (by_key("a"), None),
        (
            with(by_key("a"), "replacement", early("b")),
            Some("replacement: time"),
        ),
    ];
    let corrections: Vec<Json> = rows
        .iter()
        .map(|(correction, _)| correction.clone())
        .collect();
    let mut reading = read_all(&catalogue, &corrections).unwrap();
    let first = "2026-11-15T11:00:00Z".parse().unwrap();
    reading.keep_billable(|id| (id == tenant(1)).then_some(first));
    assert_eq!((reading.valid.len(), reading.keyed.len()), (2, 1));
    for (index, (correction, detail)) in rows.iter().enumerate() {
        let refusal = reading
            .refused
            .iter()
            .find(|refusal| refusal.index == index);
        assert_eq!(
            refusal.map(|refusal| refusal.reason),
            detail.map(|_| Reason::BeforeFirstPeriod),
            "{correction}"
        );
        assert!(
            refusal.is_none_or(|refusal| refusal.detail.starts_with(detail.unwrap())),
            "{correction}"
        );
    }
    reading.keep_billable(|_| None);
    assert!(reading.valid.is_empty() && reading.keyed.is_empty());
    assert_eq!(
        reading
            .refused
            .iter()
            .map(|refusal| refusal.index)
            .collect::<Vec<_>>(),
        [0, 1, 2, 3, 4, 5]
    );
}
