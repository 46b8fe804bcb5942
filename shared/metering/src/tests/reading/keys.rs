//! Event keys and content hashes.

use super::super::{catalogue, now, tenant};
use super::{check, event, read_all};
use crate::event::{Form, Usage, read};
use crate::event_key::{Sender, content_hash, distinct_key, event_key};
use crate::refusal::Reason;
use crate::value::Value;
use crate::window::Measure;
use jiff::SignedDuration;
use kernel::UsageGroup;
use std::collections::BTreeSet;

/// Sign-ins are counted by the region itself, with the same keys and hashes as sent events.
#[test]
fn no_client_can_send_an_event_of_an_internal_meter() {
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
fn the_key_is_of_source_and_id_and_the_hash_of_the_content() {
    let catalogue = catalogue();
    let entry = |edit: &str| {
        let body = event(edit);
        read_all(&body, &Form::Single, &catalogue)
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
        "the boundary between source and id is hashed too"
    );
}

/// The namespace follows from the token, and no text of an event can reach another namespace.
#[test]
fn senders_have_separate_namespaces_of_ids() {
    let senders = [Sender::Tenant, Sender::Provider, Sender::Meridian];
    let parts = [
        "", "a", "b", "ab", "\u{1}", "\u{2}", "\u{1}a", "tenant", "provider",
    ];
    let mut keys = BTreeSet::new();
    for sender in senders {
        for (source, id) in parts
            .iter()
            .flat_map(|source| parts.iter().map(move |id| (source, id)))
        {
            keys.insert(event_key(sender, source, id));
        }
    }
    assert_eq!(keys.len(), senders.len() * parts.len() * parts.len());
}

#[test]
fn the_content_hash_covers_the_group() {
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
fn the_content_hash_covers_everything_that_counts() {
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
    let hashes = rows
        .iter()
        .map(|(kind, tenant, at, measure, group)| content_hash(kind, *tenant, *at, measure, group));
    assert_eq!(hashes.collect::<BTreeSet<_>>().len(), rows.len());
}
