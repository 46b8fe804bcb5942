use crate::application::{
    Answer, TenantAddressChanged, TenantDeprovisioningRequested, TenantProvisioningRequested,
    UsageThresholdReached,
};
use crate::*;
use kernel::{UsageGroup, WindowSize};
use schemars::schema_for;
use serde_json::{Value, json};

/// The schema of each event, as published in `docs/schemas/`.
fn schemas() -> Vec<(&'static str, Value)> {
    fn of<T: BusEvent + schemars::JsonSchema>() -> (&'static str, Value) {
        (T::TYPE, schema_for!(Envelope<T>).to_value())
    }
    let mut schemas = vec![
        of::<TenantStatusChanged>(),
        of::<UsageWindowUpdated>(),
        of::<UsageSealed>(),
        of::<UsageResendRequested>(),
        of::<UsageStreamRequested>(),
        of::<UsageStreamEndReported>(),
        of::<TenantPolicyPublished>(),
        of::<TenantPolicyApplied>(),
        of::<HeartbeatReported>(),
        of::<RegionBillingTotaled>(),
        of::<PlanChangeRequested>(),
        of::<TenantErased>(),
        of::<OnboardingProgressed>(),
        of::<RegionDescribed>(),
        of::<SubdomainReservationUpdated>(),
        of::<SubdomainReservationDecided>(),
        of::<TenantAddressChanged>(),
        of::<UsageThresholdReached>(),
        of::<TenantProvisioningRequested>(),
        of::<TenantDeprovisioningRequested>(),
        (Answer::PROVISIONED, schema_for!(Answer).to_value()),
        (Answer::PROVISIONING_FAILED, schema_for!(Answer).to_value()),
        (Answer::DEPROVISIONED, schema_for!(Answer).to_value()),
        (
            Answer::DEPROVISIONING_FAILED,
            schema_for!(Answer).to_value(),
        ),
    ];
    schemas
        .iter_mut()
        .for_each(|(_, schema)| join_lines(schema));
    schemas
}

/// Joins the lines of each description, since line breaks depend on the source's width.
fn join_lines(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if let Some(Value::String(description)) = members.get_mut("description") {
                *description = description.split_whitespace().collect::<Vec<_>>().join(" ");
            }
            members.values_mut().for_each(join_lines);
        }
        Value::Array(items) => items.iter_mut().for_each(join_lines),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A published version never changes. To change an event, add `.v2` beside it. The schema of a new
/// event is written by `MERIDIAN_WRITE_SCHEMAS=1 cargo test -p contract`.
#[test]
fn published_schemas_do_not_change() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas");
    for (name, schema) in schemas() {
        let file = folder.join(format!("{name}.json"));
        let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
        if std::env::var_os("MERIDIAN_WRITE_SCHEMAS").is_some() && !file.exists() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&file, &text).unwrap();
        }
        let published = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(
            published, text,
            "{name} is published: add a new version instead of editing it"
        );
    }
}

/// Every text of a schema is an enumeration, a pattern or a format, and so cannot hold free text.
#[test]
fn no_field_can_hold_free_text() {
    for (name, schema) in schemas() {
        assert_closed(name, &schema);
    }
}

fn assert_closed(at: &str, schema: &Value) {
    match schema {
        Value::Object(members) => {
            if members.get("type") == Some(&json!("string")) {
                let closed = ["enum", "const", "pattern", "format"]
                    .iter()
                    .any(|key| members.contains_key(*key));
                assert!(closed, "{at} can hold free text");
            }
            for (key, member) in members {
                assert_closed(&format!("{at}/{key}"), member);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| assert_closed(at, item)),
        _ => {}
    }
}

#[test]
fn the_check_finds_a_text_without_a_closed_form() {
    let open = json!({ "properties": { "note": { "type": "string" } } });
    assert!(std::panic::catch_unwind(|| assert_closed("open", &open)).is_err());
}

#[test]
fn streams_have_one_text() {
    for text in [
        "region",
        "billing",
        "tenant:01890a5d-ac96-774b-bcce-b302099a8057",
        "usage:01890a5d-ac96-774b-bcce-b302099a8057",
    ] {
        assert_eq!(text.parse::<Stream>().unwrap().to_string(), text);
    }
    for text in [
        "",
        "regions",
        "tenant",
        "tenant:",
        "user:01890a5d-ac96-774b-bcce-b302099a8057",
    ] {
        assert!(text.parse::<Stream>().is_err(), "{text}");
    }
}

#[test]
fn a_seal_digest_does_not_depend_on_order() {
    let total = |size, start: &str, value: &str| UsageWindow {
        meter: "api-calls".parse().unwrap(),
        group: UsageGroup::default(),
        size,
        start: start.parse().unwrap(),
        part: WindowPart::Window,
        value: value.parse().unwrap(),
        events: 1,
        latest_at: None,
        revision: 1,
    };
    let day = total(WindowSize::Day, "2026-11-30T06:30:00Z", "1");
    let month = total(WindowSize::Month, "2026-11-01T06:30:00Z", "1");
    let digest = SealDigest::of([&day, &month]);
    assert_eq!(digest, SealDigest::of([&month, &day]));
    assert_ne!(digest, SealDigest::of([&day]));
    assert_ne!(
        digest,
        SealDigest::of([
            &UsageWindow {
                revision: 2,
                ..day.clone()
            },
            &month
        ])
    );
    assert_eq!(digest.to_string().parse(), Ok(digest));
    assert!(
        [&day, &month]
            .into_iter()
            .all(|total| SealDigest::covers(day.start, total))
    );
    let adjustment = UsageWindow {
        part: WindowPart::Adjustment,
        ..day.clone()
    };
    let hour = total(WindowSize::Hour, "2026-12-01T05:30:00Z", "1");
    let before = total(WindowSize::Day, "2026-11-29T06:30:00Z", "1");
    assert!(
        [adjustment, hour, before]
            .iter()
            .all(|total| !SealDigest::covers(day.start, total))
    );
}
