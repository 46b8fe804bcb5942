use super::*;
use contract::TenantStatusChanged;
use kernel::{StatusReason, TenantStatus, TenantStatus::*};

fn fact(revision: u64, status: TenantStatus, plan: &str) -> TenantStatusChanged {
    TenantStatusChanged {
        tenant: tenant(1),
        alias: "23456789abcd".parse().unwrap(),
        plan: plan.parse().unwrap(),
        status,
        reason: StatusReason::Operator,
        revision,
    }
}

fn account(changes: &[(u64, &str, TenantStatus, &str)]) -> Account {
    let region = "eu-central-1".parse().unwrap();
    changes.iter().fold(Account::new(tenant(1)), |account, (revision, at, status, plan)| {
        account.learn(&fact(*revision, *status, plan), &region, moment(at)).unwrap_or(account)
    })
}

fn check(changes: &[(&str, TenantStatus, &str)], rows: &[(&str, Option<&str>)]) {
    let numbered: Vec<_> = (1..).zip(changes).map(|(n, (at, status, plan))| (n, *at, *status, *plan)).collect();
    let account = account(&numbered);
    for (month, plan) in rows {
        let billed = account.plan_for(period(month)).map(PlanCode::as_str);
        assert_eq!(billed, *plan, "{changes:?} in {month}");
    }
}

#[test]
fn whoever_was_in_use_at_any_moment_is_billed() {
    check(&[], &[("2026-10", None)]);
    check(&[("2026-10-01T00:00:00Z", Pending, "pro")], &[("2026-10", None), ("2026-11", None)]);
    check(
        &[("2026-09-30T23:59:59Z", Pending, "pro"), ("2026-10-31T23:59:59Z", Active, "pro")],
        &[("2026-09", None), ("2026-10", Some("pro")), ("2026-11", Some("pro"))],
    );
    check(
        &[("2026-09-05T00:00:00Z", Active, "pro"), ("2026-11-01T00:00:00Z", Closed, "pro")],
        &[("2026-08", None), ("2026-09", Some("pro")), ("2026-10", Some("pro")), ("2026-11", None)],
    );
    check(
        &[("2026-09-05T00:00:00Z", Active, "pro"), ("2026-11-01T00:00:01Z", Closed, "pro")],
        &[("2026-11", Some("pro")), ("2026-12", None)],
    );
    check(
        &[("2026-09-05T00:00:00Z", Active, "pro"), ("2026-09-06T00:00:00Z", Suspended, "pro")],
        &[("2026-10", Some("pro"))],
    );
    check(
        &[("2026-09-05T00:00:00Z", Provisioning, "pro"), ("2026-09-06T00:00:00Z", Closed, "pro")],
        &[("2026-09", None)],
    );
}

#[test]
fn a_period_is_billed_by_the_plan_that_it_ended_with() {
    check(
        &[
            ("2026-09-05T00:00:00Z", Active, "starter"),
            ("2026-10-15T00:00:00Z", Active, "pro"),
            ("2026-11-01T00:30:00Z", Active, "starter"),
        ],
        &[("2026-09", Some("starter")), ("2026-10", Some("pro")), ("2026-11", Some("starter"))],
    );
}

#[test]
fn who_left_is_looked_at_for_the_periods_that_can_be_adjusted() {
    let account = account(&[
        (1, "2026-08-20T00:00:00Z", Pending, "starter"),
        (2, "2026-08-21T00:00:00Z", Active, "starter"),
        (3, "2026-09-10T00:00:00Z", Active, "pro"),
        (4, "2026-09-20T00:00:00Z", Closed, "pro"),
    ]);
    let [starter, pro] = ["starter", "pro"].map(|plan| plan.parse().unwrap());
    for (month, expected) in [
        ("2026-07", None),
        ("2026-08", Some(Standing::InUse(&starter))),
        ("2026-09", Some(Standing::InUse(&pro))),
        ("2026-10", Some(Standing::Left(&pro))),
        ("2026-11", Some(Standing::Left(&pro))),
        ("2026-12", None),
    ] {
        assert_eq!(account.standing(period(month)), expected, "{month}");
    }
}

#[test]
fn a_known_change_changes_nothing() {
    let account = account(&[(1, "2026-10-01T00:00:00Z", Active, "pro")]);
    let region = "eu-central-1".parse().unwrap();
    assert_eq!(account.learn(&fact(1, Active, "pro"), &region, moment("2026-10-01T00:00:00Z")), None);
    assert_eq!(account.status(), Some(Active));
}

proptest! {
    #[test]
    fn order_and_repetition_do_not_matter(order in prop::collection::vec(1_u64..70, 0..200)) {
        let row = |n: &u64| (*n, "2026-10-01T00:00:00Z", Active, "pro");
        let learned = account(&order.iter().map(row).collect::<Vec<_>>());
        let mut sorted = order;
        sorted.sort_unstable();
        prop_assert_eq!(&learned, &account(&sorted.iter().map(row).collect::<Vec<_>>()));
        prop_assert!(learned.changes.len() <= Account::CHANGES_MAX);
    }
}
