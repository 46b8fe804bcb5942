use crate::*;
use kernel::{UsageGroup, WindowSize};

#[test]
fn charges_of_the_bundled_plans_are_valid() {
    let catalogue = Catalogue::bundled().unwrap();
    for plan in &catalogue.plans {
        for charge in &plan.charges {
            let meter = catalogue
                .meter(&charge.meter)
                .unwrap_or_else(|| panic!("{} prices an unknown meter", plan.code));
            assert!(!meter.is_internal(), "{} prices {}", plan.code, meter.code);
            match &charge.model {
                ChargeModel::Graduated { tiers } | ChargeModel::Volume { tiers } => {
                    assert_rising(tiers)
                }
                ChargeModel::Package { size, .. } => assert!(*size > kernel::PlanDecimal::zero()),
                ChargeModel::Standard { .. } => {}
            }
        }
    }
}

#[test]
fn allowances_of_the_bundled_plans_are_valid() {
    let catalogue = Catalogue::bundled().unwrap();
    for Plan {
        code, allowances, ..
    } in &catalogue.plans
    {
        for Allowance {
            meter,
            quantity,
            alert_percents,
        } in allowances
        {
            let meter = catalogue
                .meter(meter)
                .unwrap_or_else(|| panic!("{code} allows an unknown meter"));
            let grows = matches!(
                meter.aggregation,
                Aggregation::Count | Aggregation::Sum | Aggregation::Max | Aggregation::UniqueCount
            );
            let is_totalled =
                meter.aggregation != Aggregation::UniqueCount || meter.dimensions.is_empty();
            assert!(
                grows && is_totalled,
                "{code}: {} has no total that grows over a period",
                meter.code
            );
            assert!(
                *quantity > kernel::PlanDecimal::zero(),
                "{code}: {}",
                meter.code
            );
            assert!(
                alert_percents.is_sorted_by(|a, b| a < b) && alert_percents.len() <= 10,
                "{code}: {}",
                meter.code
            );
        }
    }
}

#[test]
fn bundled_meters_are_valid() {
    let catalogue = Catalogue::bundled().unwrap();
    for meter in &catalogue.meters {
        assert_eq!(
            meter.value.is_none(),
            meter.aggregation == Aggregation::Count,
            "{}",
            meter.code
        );
        assert!(
            meter.window < WindowSize::Month,
            "{}: periods are totalled anyway",
            meter.code
        );
        assert!(
            meter.dimensions.len() <= UsageGroup::DIMENSIONS_MAX,
            "{}",
            meter.code
        );
        let groups = meter.groups();
        assert!(groups.len() <= Meter::GROUPS_MAX, "{}", meter.code);
        assert!(
            groups
                .iter()
                .all(|group| group.as_str().parse::<UsageGroup>().is_ok()),
            "{}",
            meter.code
        );
        for dimension in &meter.dimensions {
            let values: std::collections::BTreeSet<_> = dimension.values.iter().collect();
            assert_eq!(
                values.len(),
                dimension.values.len(),
                "{}: {}",
                meter.code,
                dimension.code
            );
            assert!(
                dimension.default.iter().all(|other| values.contains(other)),
                "{}",
                meter.code
            );
        }
    }
    let tokens = catalogue
        .meters
        .iter()
        .find(|meter| meter.dimensions.len() == 2)
        .unwrap();
    assert_eq!(tokens.groups()[1].as_str(), "model=small,kind=output");
}

#[test]
fn an_event_type_belongs_to_one_bundled_meter() {
    let catalogue = Catalogue::bundled().unwrap();
    let types: std::collections::BTreeSet<_> = catalogue
        .meters
        .iter()
        .map(|meter| &meter.event_type)
        .collect();
    assert_eq!(types.len(), catalogue.meters.len());
}

#[test]
fn sign_ins_are_the_only_internal_meter() {
    let catalogue = Catalogue::bundled().unwrap();
    let internal: Vec<_> = catalogue
        .meters
        .iter()
        .filter(|meter| meter.is_internal())
        .collect();
    assert_eq!(internal, [catalogue.logins().unwrap()]);
}

fn assert_rising(tiers: &[Tier]) {
    let (last, bounded) = tiers.split_last().unwrap();
    assert!(last.up_to.is_none());
    let ends: Vec<_> = bounded
        .iter()
        .map(|tier| tier.up_to.clone().unwrap())
        .collect();
    assert!(ends.is_sorted());
}

#[test]
fn paths_select_one_value() {
    let member = |name: &str| PathStep::Member(name.to_owned());
    let rows = [
        ("$", Some(vec![])),
        ("$.gigabytes", Some(vec![member("gigabytes")])),
        ("$.a_1.b", Some(vec![member("a_1"), member("b")])),
        (
            "$['a b'][\"c\"][0]",
            Some(vec![member("a b"), member("c"), PathStep::Element(0)]),
        ),
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
        assert_eq!(
            path.as_ref().map(|path| path.steps().to_vec()),
            expected,
            "{text}"
        );
        assert!(path.is_none_or(|path| path.to_string() == text));
    }
}
