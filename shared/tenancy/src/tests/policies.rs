use super::*;
use contract::TenantPolicy;
use kernel::Suspension;

pub(super) fn desired_policy(version: u64, suspension: Option<Suspension>) -> TenantPolicy {
    TenantPolicy {
        version,
        plan: "pro".parse().unwrap(),
        suspension,
        entitlements: vec!["sso".parse().unwrap()],
    }
}

pub(super) fn apply(state: &State, published: &TenantPolicy) -> (State, ChangeSet) {
    let changes = decide_policy(state, published, &settings("auto"), &context()).unwrap();
    (after(state, changes.clone()), changes)
}

/// A status, the policy's suspension, and the events that it publishes.
#[test]
fn a_policy_changes_status_and_plan() {
    fn check(
        status: TenantStatus,
        suspension: Option<Suspension>,
        to: TenantStatus,
        events: &[&str],
    ) {
        let (state, changes) = apply(&state(status), &desired_policy(1, suspension));
        assert_eq!(
            (state.tenant.status, state.tenant.plan.as_str()),
            (to, "pro"),
            "{status}"
        );
        assert_eq!(published(&changes), events, "{status}, {suspension:?}");
    }
    let (operator, dunning) = (Some(Suspension::Operator), Some(Suspension::Dunning));
    use TenantStatus::{Active, Closing, Pending, Suspended};
    check(Active, None, Active, &["status:plan_changed", "applied:1"]);
    check(
        Active,
        operator,
        Suspended,
        &["status:operator", "sbt_aws_deactivateRequest", "applied:1"],
    );
    check(
        Active,
        dunning,
        Suspended,
        &["status:dunning", "sbt_aws_deactivateRequest", "applied:1"],
    );
    check(
        Suspended,
        None,
        Active,
        &["status:operator", "sbt_aws_activateRequest", "applied:1"],
    );
    check(
        Suspended,
        dunning,
        Suspended,
        &["status:plan_changed", "applied:1"],
    );
    check(
        Pending,
        operator,
        Pending,
        &["status:plan_changed", "applied:1"],
    );
    check(
        Closing,
        operator,
        Closing,
        &["status:plan_changed", "applied:1"],
    );
    let (closed, changes) = apply(&state(TenantStatus::Closed), &desired_policy(1, operator));
    assert_eq!(
        (closed.tenant.plan.as_str(), published(&changes)),
        ("starter", vec!["applied:1".to_owned()]),
        "the tenant is closed"
    );
}

#[test]
fn a_suspension_ends_with_the_reason_that_it_began_with() {
    let (suspended, _) = apply(
        &state(TenantStatus::Active),
        &desired_policy(1, Some(Suspension::Dunning)),
    );
    let (active, changes) = apply(&suspended, &desired_policy(2, None));
    assert_eq!(active.tenant.status, TenantStatus::Active);
    assert_eq!(
        published(&changes),
        ["status:dunning", "sbt_aws_activateRequest", "applied:2"]
    );
    let (_, changes) = apply(&active, &desired_policy(2, None));
    assert_eq!(
        published(&changes),
        ["applied:2"],
        "the version in force is reported again"
    );
}

#[test]
fn a_plan_request_is_published_and_numbered() {
    let by = Actor::Clock;
    let request_in = |mode: &str, state: &State, plan: &str| {
        decide_plan_request(
            state,
            &plan.parse().unwrap(),
            by,
            &catalogue(),
            &settings(mode),
            &context(),
        )
    };
    let request = |state: &State, plan: &str| request_in("auto", state, plan);
    let active = state(TenantStatus::Active);
    let first = request(&active, "enterprise").unwrap();
    assert_eq!(published(&first), ["plan:1"]);
    let requested = after(&active, first);
    assert_eq!(published(&request(&requested, "pro").unwrap()), ["plan:2"]);
    assert_eq!(request(&requested, "platinum"), Err(Refusal::UnknownPlan));
    assert_eq!(
        request(&requested, "pro-in"),
        Err(Refusal::OtherPlanKind),
        "another currency"
    );
    assert_eq!(
        request_in("external", &requested, "enterprise"),
        Err(Refusal::OtherPlanKind),
        "another tier"
    );
    assert!(request_in("external", &requested, "pro").is_ok());
    assert!(request(&state(TenantStatus::Suspended), "pro").is_err());
}
