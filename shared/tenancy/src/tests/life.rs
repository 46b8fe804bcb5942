use super::*;
use contract::StepState;
use kernel::{RegionCode, Role, StatusReason};

/// Every status with every change: listed transitions publish one event, all others are refused.
#[test]
fn the_table_decides_every_change() {
    let changes = [
        Change::Provision,
        Change::Activate,
        Change::Expire,
        Change::Suspend,
        Change::Reactivate,
        Change::Close,
        Change::Reopen,
        Change::Resuspend,
        Change::End,
        Change::Relocate,
        Change::Return,
    ];
    for from in TenantStatus::ALL {
        for change in changes {
            let rows: Vec<_> = TRANSITIONS
                .iter()
                .filter(|row| row.0 == from && row.1 == change)
                .collect();
            assert!(rows.len() <= 1, "{from} has one answer to {change:?}");
            let (state, reason) = (state(from), StatusReason::Operator);
            let decided = decide_change(
                &state,
                change,
                reason,
                Actor::Clock,
                &settings("auto"),
                &context(),
            );
            match rows.first() {
                None => assert_eq!(decided, Err(Refusal::NotFromHere { status: from })),
                Some((_, _, to)) => {
                    let changes = decided.unwrap();
                    assert_eq!((changes.tenant.status, changes.tenant.version), (*to, 2));
                    let activated_at = (change == Change::Activate).then_some(context().now);
                    assert_eq!(
                        changes.tenant.activated_at, activated_at,
                        "{from} {change:?}"
                    );
                    let events = changes.events.iter().filter_map(|event| match event {
                        TenantEvent::Status(event) => {
                            Some((event.data.status, event.data.revision, event.sequence))
                        }
                        _ => None,
                    });
                    assert_eq!(events.collect::<Vec<_>>(), [(*to, 2, 2)], "one event");
                    assert_eq!(changes.audit.len(), 1, "one entry");
                }
            }
        }
    }
    assert!(
        TRANSITIONS
            .iter()
            .all(|(from, _, _)| *from != TenantStatus::Closed),
        "closed is the end"
    );
}

#[test]
fn a_confirmation_takes_effect_once() {
    for (mode, to) in [
        ("auto", TenantStatus::Active),
        ("external", TenantStatus::Provisioning),
    ] {
        for status in TenantStatus::ALL {
            let decided =
                decide_confirmation(&state(status), &catalogue(), &settings(mode), &context());
            match status {
                TenantStatus::Pending => {
                    let changes = decided.unwrap().unwrap();
                    assert_eq!(changes.tenant.status, to);
                    assert_eq!(changes.done.len(), 1, "it no longer expires");
                    let signup = changes.signup.unwrap();
                    assert!(signup.identity_at.is_some() && signup.confirmed_at.is_some());
                    assert_eq!(signup.activated_at.is_some(), mode == "auto");
                    assert_eq!(changes.tenant.activated_at, signup.activated_at);
                }
                TenantStatus::Closed => assert!(decided.is_err()),
                _ => assert_eq!(decided, Ok(None), "{status}"),
            }
        }
    }
}

#[test]
fn a_late_failure_does_not_undo_a_recorded_account() {
    let pending = state(TenantStatus::Pending);
    let failed = decide_identity(&pending, Err(IdentityFailure::Unavailable), &context()).unwrap();
    assert_eq!(published(&failed), ["onboarding:2"]);
    let failed = after(&pending, failed);
    assert_eq!(
        failed.signup.as_ref().unwrap().identity_failure,
        Some(IdentityFailure::Unavailable)
    );
    let made = after(
        &failed,
        decide_identity(&failed, Ok(None), &context()).unwrap(),
    );
    let signup = made.signup.as_ref().unwrap();
    assert_eq!(
        (signup.identity_failure, signup.identity_at),
        (None, Some(context().now))
    );
    assert_eq!(
        decide_identity(&made, Err(IdentityFailure::Unavailable), &context()),
        None
    );
}

#[test]
fn claims_are_refused_unless_the_tenant_is_in_use() {
    fn check(status: TenantStatus, suspended_by_home: bool, code: Option<&str>) {
        let mut tenant = state(status).tenant;
        tenant.policy.suspension = suspended_by_home.then_some(kernel::Suspension::Operator);
        let refused = claims(&tenant, Role::Admin, &context().region)
            .err()
            .map(|refusal| refusal.to_string());
        assert_eq!(refused.as_deref(), code, "{status}, {suspended_by_home}");
    }
    check(TenantStatus::Pending, false, Some("tenant-not-ready"));
    check(TenantStatus::Provisioning, false, Some("tenant-not-ready"));
    check(TenantStatus::Active, false, None);
    check(TenantStatus::Active, true, Some("tenant-suspended"));
    check(TenantStatus::Suspended, false, Some("tenant-suspended"));
    check(TenantStatus::Closing, false, Some("tenant-closed"));
    check(TenantStatus::Closed, false, Some("tenant-closed"));
    check(TenantStatus::Relocating, false, None);
    check(TenantStatus::Relocating, true, Some("tenant-suspended"));
}

#[test]
fn claims_contain_tenant_role_and_policy() {
    let region: RegionCode = "ap-south-1".parse().unwrap();
    let claims = claims(&state(TenantStatus::Active).tenant, Role::Member, &region).unwrap();
    assert_eq!(
        json!(claims),
        json!({
            "tenant_id": "00000000-0000-0000-0000-000000000002",
            "alias": Alias::from_random([7; 16]),
            "region": "ap-south-1",
            "role": "member",
            "plan": "starter",
            "entitlements": ["api", "storage"],
            "policy_version": 0,
        })
    );
}

/// Given the tenant's status and the sign-up's steps: the state and the next action that the caller
/// sees.
#[test]
fn an_operation_names_the_next_action() {
    fn check(
        status: TenantStatus,
        identity: Result<bool, IdentityFailure>,
        state_: &str,
        next: &str,
        done: usize,
    ) {
        let State { tenant, signup } = state(status);
        let mut signup = signup.unwrap();
        signup.identity_at = identity.is_ok_and(|done| done).then(|| context().now);
        signup.identity_failure = identity.err();
        let confirmed = status != TenantStatus::Pending;
        signup.confirmed_at = confirmed.then(|| context().now);
        signup.activated_at =
            (confirmed && status != TenantStatus::Provisioning).then(|| context().now);
        signup.routed_at = signup.activated_at;
        let operation = Operation::of(&signup, &tenant);
        let steps = operation
            .steps
            .iter()
            .filter(|step| step.state == StepState::Done)
            .count();
        let seen = (json!(operation.state), json!(operation.next), steps);
        assert_eq!(
            seen,
            (json!(state_), json!(next), done),
            "{status}, {identity:?}"
        );
    }
    check(
        TenantStatus::Pending,
        Ok(false),
        "waiting",
        "repeat-sign-up",
        1,
    );
    check(
        TenantStatus::Pending,
        Err(IdentityFailure::Unavailable),
        "failed",
        "repeat-sign-up",
        1,
    );
    check(
        TenantStatus::Pending,
        Err(IdentityFailure::Refused),
        "failed",
        "repeat-sign-up",
        1,
    );
    let weak = Err(IdentityFailure::PasswordRefused);
    check(
        TenantStatus::Pending,
        weak,
        "failed",
        "repeat-sign-up-with-other-password",
        1,
    );
    check(TenantStatus::Pending, Ok(true), "waiting", "confirm", 2);
    check(TenantStatus::Provisioning, Ok(true), "waiting", "wait", 3);
    check(TenantStatus::Active, Ok(true), "done", "sign-in", 6);
    check(TenantStatus::Active, Ok(false), "done", "sign-in", 6);
    check(
        TenantStatus::Active,
        Err(IdentityFailure::Unavailable),
        "done",
        "sign-in",
        6,
    );
    check(TenantStatus::Relocating, Ok(true), "done", "sign-in", 6);
    check(TenantStatus::Suspended, Ok(true), "ended", "none", 6);
    check(TenantStatus::Closed, Ok(true), "ended", "none", 6);
}
