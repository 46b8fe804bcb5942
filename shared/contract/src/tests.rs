use crate::application::{
    Answer, TenantAddressChanged, TenantDeprovisioningRequested, TenantProvisioningRequested, UsageLevelReached,
};
use crate::catalogue::{Aggregation, Allowance, Catalogue, ChargeModel, Meter, Plan, Tier};
use crate::*;
use kernel::{UsageGroup, WindowSize};
use schemars::schema_for;
use serde_json::{Value, json};

/// Each fact's schema, as it is published under `docs/schemas/`.
fn schemas() -> Vec<(&'static str, Value)> {
    fn of<T: Fact + schemars::JsonSchema>() -> (&'static str, Value) {
        (T::TYPE, schema_for!(Envelope<T>).to_value())
    }
    vec![
        of::<v1::TenantStatusChanged>(),
        of::<TenantStatusChanged>(),
        of::<v1::UsageWindowUpdated>(),
        of::<UsageWindowUpdated>(),
        of::<UsageSealed>(),
        of::<UsageResendRequested>(),
        of::<UsageStreamRequested>(),
        of::<UsageStreamStated>(),
        of::<v1::TenantPolicyPublished>(),
        of::<TenantPolicyPublished>(),
        of::<TenantPolicyApplied>(),
        of::<HeartbeatReported>(),
        of::<RegionBillingTotaled>(),
        of::<PlanChangeRequested>(),
        of::<TenantErased>(),
        of::<OnboardingProgressed>(),
        of::<RegionDescribed>(),
        of::<VanityClaimed>(),
        of::<VanityDecided>(),
        of::<TenantAddressChanged>(),
        of::<UsageLevelReached>(),
        of::<TenantProvisioningRequested>(),
        of::<TenantDeprovisioningRequested>(),
        (Answer::PROVISIONED, schema_for!(Answer).to_value()),
        (Answer::PROVISIONING_FAILED, schema_for!(Answer).to_value()),
        (Answer::DEPROVISIONED, schema_for!(Answer).to_value()),
        (Answer::DEPROVISIONING_FAILED, schema_for!(Answer).to_value()),
    ]
}

/// A published version never changes. To change a fact, add `.v2` beside it; a new fact's schema is
/// written by `MERIDIAN_WRITE_SCHEMAS=1 cargo test -p contract`.
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
        assert_eq!(published, text, "{name} is published: add a new version instead of editing it");
    }
}

/// Every text of a schema is an enumeration, a pattern or a format: free text has no place to be.
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
                let closed = ["enum", "const", "pattern", "format"].iter().any(|key| members.contains_key(*key));
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
fn a_text_without_a_closed_form_is_found() {
    let open = json!({ "properties": { "note": { "type": "string" } } });
    assert!(std::panic::catch_unwind(|| assert_closed("open", &open)).is_err());
}

#[test]
fn the_bundled_catalogue_is_sound() {
    let catalogue = Catalogue::bundled().unwrap();
    for plan in &catalogue.plans {
        for charge in &plan.charges {
            let meter =
                catalogue.meter(&charge.meter).unwrap_or_else(|| panic!("{} prices an unknown meter", plan.code));
            assert!(!meter.is_internal(), "{} prices {}", plan.code, meter.code);
            match &charge.model {
                ChargeModel::Graduated { tiers } | ChargeModel::Volume { tiers } => assert_rising(tiers),
                ChargeModel::Package { size, .. } => assert!(*size > kernel::PlanDecimal::zero()),
                ChargeModel::Standard { .. } => {}
            }
        }
    }
    for Plan { code, allowances, .. } in &catalogue.plans {
        for Allowance { meter, quantity, alert_percents } in allowances {
            let meter = catalogue.meter(meter).unwrap_or_else(|| panic!("{code} allows an unknown meter"));
            let grows = matches!(
                meter.aggregation,
                Aggregation::Count | Aggregation::Sum | Aggregation::Max | Aggregation::UniqueCount
            );
            let is_totalled = meter.aggregation != Aggregation::UniqueCount || meter.dimensions.is_empty();
            assert!(grows && is_totalled, "{code}: {} has no total that grows over a period", meter.code);
            assert!(*quantity > kernel::PlanDecimal::zero(), "{code}: {}", meter.code);
            assert!(alert_percents.is_sorted_by(|a, b| a < b) && alert_percents.len() <= 10, "{code}: {}", meter.code);
        }
    }
    for meter in &catalogue.meters {
        assert_eq!(meter.value.is_none(), meter.aggregation == Aggregation::Count, "{}", meter.code);
        assert!(meter.window < WindowSize::Month, "{}: periods are totalled anyway", meter.code);
        assert!(meter.dimensions.len() <= UsageGroup::DIMENSIONS_MAX, "{}", meter.code);
        let groups = meter.groups();
        assert!(groups.len() <= Meter::GROUPS_MAX, "{}", meter.code);
        assert!(groups.iter().all(|group| group.as_str().parse::<UsageGroup>().is_ok()), "{}", meter.code);
        for dimension in &meter.dimensions {
            let values: std::collections::BTreeSet<_> = dimension.values.iter().collect();
            assert_eq!(values.len(), dimension.values.len(), "{}: {}", meter.code, dimension.code);
            assert!(dimension.otherwise.iter().all(|other| values.contains(other)), "{}", meter.code);
        }
    }
    let tokens = catalogue.meters.iter().find(|meter| meter.dimensions.len() == 2).unwrap();
    assert_eq!(tokens.groups()[1].as_str(), "model=small,kind=output");
    let types: std::collections::BTreeSet<_> = catalogue.meters.iter().map(|meter| &meter.event_type).collect();
    assert_eq!(types.len(), catalogue.meters.len(), "an event type belongs to one meter");
    let internal: Vec<_> = catalogue.meters.iter().filter(|meter| meter.is_internal()).collect();
    assert_eq!(internal, [catalogue.logins().unwrap()]);
}

fn assert_rising(tiers: &[Tier]) {
    let (last, bounded) = tiers.split_last().unwrap();
    assert!(last.up_to.is_none());
    let ends: Vec<_> = bounded.iter().map(|tier| tier.up_to.clone().unwrap()).collect();
    assert!(ends.is_sorted());
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
    for text in ["", "regions", "tenant", "tenant:", "user:01890a5d-ac96-774b-bcce-b302099a8057"] {
        assert!(text.parse::<Stream>().is_err(), "{text}");
    }
}

#[test]
fn paths_name_one_value() {
    let member = |name: &str| PathStep::Member(name.to_owned());
    let rows = [
        ("$", Some(vec![])),
        ("$.gigabytes", Some(vec![member("gigabytes")])),
        ("$.a_1.b", Some(vec![member("a_1"), member("b")])),
        ("$['a b'][\"c\"][0]", Some(vec![member("a b"), member("c"), PathStep::Element(0)])),
        ("$[12].ä", Some(vec![PathStep::Element(12), member("ä")])),
        ("", None),
        ("gigabytes", None),
        ("$.", None),
        ("$.1a", None),
        ("$..a", None),
        ("$.*", None),
        ("$[*]", None),
        ("$[-1]", None),
        ("$[01]", None),
        ("$['a]", None),
        ("$[a]", None),
        ("$.a ", None),
        ("$[?@.a]", None),
        ("$.a.a.a.a.a.a.a.a.a", None),
    ];
    for (text, expected) in rows {
        let path = text.parse::<ValuePath>().ok();
        assert_eq!(path.as_ref().map(|path| path.steps().to_vec()), expected, "{text}");
        assert!(path.is_none_or(|path| path.to_string() == text));
    }
}

#[test]
fn a_seal_is_of_the_totals_whatever_their_order() {
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
    assert_ne!(digest, SealDigest::of([&UsageWindow { revision: 2, ..day.clone() }, &month]));
    assert_eq!(digest.to_string().parse(), Ok(digest));
    assert!([&day, &month].into_iter().all(|total| SealDigest::covers(day.start, total)));
    let adjustment = UsageWindow { part: WindowPart::Adjustment, ..day.clone() };
    let hour = total(WindowSize::Hour, "2026-12-01T05:30:00Z", "1");
    let before = total(WindowSize::Day, "2026-11-29T06:30:00Z", "1");
    assert!([adjustment, hour, before].iter().all(|total| !SealDigest::covers(day.start, total)));
}
