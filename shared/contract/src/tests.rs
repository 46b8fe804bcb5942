use crate::application::{Answer, TenantAddressChanged, TenantDeprovisioningRequested, TenantProvisioningRequested};
use crate::catalogue::{Catalogue, ChargeModel, Tier};
use crate::*;
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
        of::<UsageWindowUpdated>(),
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
                ChargeModel::Package { size, .. } => assert!(*size > kernel::Quantity::zero()),
                ChargeModel::Standard { .. } => {}
            }
        }
    }
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
