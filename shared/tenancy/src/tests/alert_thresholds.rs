//! A tenant's own usage thresholds.

use super::*;
use catalogue::AlertThresholds;

fn thresholds(wanted: &[(&str, &[u16])]) -> Result<AlertThresholds, FieldProblem> {
    let catalogue = catalogue();
    let plan = catalogue.plan(&"starter".parse().unwrap()).unwrap();
    thresholds_of_plan(plan, wanted.iter().copied())
}

#[test]
fn a_threshold_needs_a_meter_with_an_allowance() {
    let faulty =
        |wanted: &[(&str, &[u16])]| thresholds(wanted).map_err(|fault| fault.field).unwrap_err();
    for meter in ["", "active-users", "unheard-of", "API-CALLS"] {
        assert_eq!(faulty(&[(meter, &[50])]), "meter", "{meter}");
    }
    assert_eq!(
        faulty(&[("api-calls", &[50]), ("api-calls", &[60])]),
        "meter"
    );
    assert_eq!(faulty(&[("api-calls", &[]), ("api-calls", &[60])]), "meter");
    for percents in [&[0][..], &[1, 1_001], &[u16::MAX], &[7; 11]] {
        assert_eq!(
            faulty(&[("api-calls", percents)]),
            "percents",
            "{percents:?}"
        );
    }
    let most: Vec<u16> = (991..=1_000).collect();
    assert!(thresholds(&[("api-calls", &most), ("transfer-gb", &[1])]).is_ok());
    assert_eq!(
        thresholds(&[("api-calls", &[])]).unwrap(),
        AlertThresholds::default()
    );
}

#[test]
fn own_thresholds_are_merged_into_those_of_the_plan() {
    let own = thresholds(&[("transfer-gb", &[90, 25, 80, 90])]).unwrap();
    let catalogue = catalogue();
    let plan = catalogue.plan(&"starter".parse().unwrap()).unwrap();
    let merged: Vec<_> = plan
        .allowances
        .iter()
        .map(|allowance| own.added_to(allowance).alert_percents)
        .collect();
    assert_eq!(merged, [vec![50, 80, 100], vec![25, 50, 80, 90, 100]]);
    assert_eq!(
        own.of(&"transfer-gb".parse().unwrap()).collect::<Vec<_>>(),
        [25, 80, 90]
    );
}

#[test]
fn setting_the_same_thresholds_again_changes_nothing() {
    let (active, by) = (state(TenantStatus::Active), sign_up().user.username);
    let own = thresholds(&[("api-calls", &[25])]).unwrap();
    let set = decide_alert_thresholds(&active, &own, by, &context()).unwrap();
    let noted: Vec<_> = set
        .audit
        .iter()
        .map(|entry| (entry.actor, entry.action))
        .collect();
    assert_eq!(noted, [(Actor::User(by), AuditAction::SetAlertThresholds)]);
    assert!(set.events.is_empty(), "they stay in the region");
    let active = after(&active, set);
    assert_eq!(active.tenant.alert_thresholds, own);
    assert_eq!(decide_alert_thresholds(&active, &own, by, &context()), None);
    let cleared =
        decide_alert_thresholds(&active, &AlertThresholds::default(), by, &context()).unwrap();
    assert_eq!(
        after(&active, cleared).tenant.alert_thresholds,
        AlertThresholds::default()
    );
}
