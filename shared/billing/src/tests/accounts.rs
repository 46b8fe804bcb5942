use super::*;
use contract::TenantStatusChanged;
use kernel::{StatusReason, TenantStatus, TenantStatus::*};

fn event(revision: u64, status: TenantStatus, plan: &str) -> TenantStatusChanged {
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
    changes.iter().fold(
        Account::new(tenant(1)),
        |account, (revision, at, status, plan)| {
            account
                .with_change(&event(*revision, *status, plan), &region, moment(at))
                .unwrap_or(account)
        },
    )
}

fn check(changes: &[(&str, TenantStatus, &str)], rows: &[(&str, Option<&str>)]) {
    let numbered: Vec<_> = (1..)
        .zip(changes)
        .map(|(n, (at, status, plan))| (n, *at, *status, *plan))
        .collect();
    let account = account(&numbered);
    for (month, plan) in rows {
        let billed = account.plan_for(period(month)).map(PlanCode::as_str);
        assert_eq!(billed, *plan, "{changes:?} in {month}");
    }
}

#[test]
fn a_tenant_in_use_at_any_moment_is_billed() {
    check(&[], &[("2026-10", None)]);
    check(
        &[("2026-10-01T00:00:00Z", Pending, "pro")],
        &[("2026-10", None), ("2026-11", None)],
    );
    check(
        &[
            ("2026-09-30T23:59:59Z", Pending, "pro"),
            ("2026-10-31T23:59:59Z", Active, "pro"),
        ],
        &[
            ("2026-09", None),
            ("2026-10", Some("pro")),
            ("2026-11", Some("pro")),
        ],
    );
    check(
        &[
            ("2026-09-05T00:00:00Z", Active, "pro"),
            ("2026-11-01T00:00:00Z", Closed, "pro"),
        ],
        &[
            ("2026-08", None),
            ("2026-09", Some("pro")),
            ("2026-10", Some("pro")),
            ("2026-11", None),
        ],
    );
    check(
        &[
            ("2026-09-05T00:00:00Z", Active, "pro"),
            ("2026-11-01T00:00:01Z", Closed, "pro"),
        ],
        &[("2026-11", Some("pro")), ("2026-12", None)],
    );
    check(
        &[
            ("2026-09-05T00:00:00Z", Active, "pro"),
            ("2026-09-06T00:00:00Z", Suspended, "pro"),
        ],
        &[("2026-10", Some("pro"))],
    );
    check(
        &[
            ("2026-09-05T00:00:00Z", Provisioning, "pro"),
            ("2026-09-06T00:00:00Z", Closed, "pro"),
        ],
        &[("2026-09", None)],
    );
    // Of two changes at a period's first moment the later one holds, so the tenant was never in
    // use.
    check(
        &[
            ("2026-10-01T00:00:00Z", Active, "pro"),
            ("2026-10-01T00:00:00Z", Closed, "pro"),
        ],
        &[("2026-09", None), ("2026-10", None)],
    );
}

/// A period includes its first moment, and excludes that of the next period.
#[test]
fn a_change_between_two_periods_belongs_to_the_later_one() {
    check(
        &[
            ("2026-10-01T00:00:00Z", Active, "starter"),
            ("2026-11-01T00:00:00Z", Active, "pro"),
        ],
        &[
            ("2026-09", None),
            ("2026-10", Some("starter")),
            ("2026-11", Some("pro")),
        ],
    );
    // The last of several changes at the first moment is the period's initial status.
    check(
        &[
            ("2026-10-01T00:00:00Z", Active, "pro"),
            ("2026-10-01T00:00:00Z", Closed, "pro"),
            ("2026-10-02T00:00:00Z", Closed, "pro"),
        ],
        &[("2026-09", None), ("2026-10", None), ("2026-11", None)],
    );
    check(
        &[
            ("2026-09-30T23:59:59.999999999Z", Active, "pro"),
            ("2026-10-01T00:00:00Z", Closed, "pro"),
        ],
        &[("2026-09", Some("pro")), ("2026-10", None)],
    );
    check(
        &[
            ("2026-10-01T00:00:00Z", Pending, "pro"),
            ("2026-10-31T23:59:59.999999999Z", Active, "pro"),
        ],
        &[("2026-10", Some("pro"))],
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
        &[
            ("2026-09", Some("starter")),
            ("2026-10", Some("pro")),
            ("2026-11", Some("starter")),
        ],
    );
}

#[test]
fn a_tenant_that_left_is_billable_while_periods_can_be_adjusted() {
    let account = account(&[
        (1, "2026-08-20T00:00:00Z", Pending, "starter"),
        (2, "2026-08-21T00:00:00Z", Active, "starter"),
        (3, "2026-09-10T00:00:00Z", Active, "pro"),
        (4, "2026-09-20T00:00:00Z", Closed, "pro"),
    ]);
    let [starter, pro] = ["starter", "pro"].map(|plan| plan.parse().unwrap());
    for (month, expected) in [
        ("2026-07", None),
        ("2026-08", Some(Billability::InUse(&starter))),
        ("2026-09", Some(Billability::InUse(&pro))),
        ("2026-10", Some(Billability::Left(&pro))),
        ("2026-11", Some(Billability::Left(&pro))),
        ("2026-12", None),
    ] {
        assert_eq!(account.billability(period(month)), expected, "{month}");
    }
}

#[test]
fn usage_regions_are_listed_as_long_as_the_tenant_can_be_billed() {
    let (was, is) = (
        "us-east-1".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    );
    let mut account = Account::new(tenant(1));
    let apply = |account: &Account, revision, status, region, at| {
        account
            .with_change(&event(revision, status, "pro"), region, moment(at))
            .unwrap()
    };
    account = apply(&account, 1, Pending, &was, "2026-01-05T00:00:00Z");
    assert!(
        account.usage_regions(period("2026-01")).is_empty(),
        "the tenant is not in use"
    );
    account = apply(&account, 2, Active, &was, "2026-02-05T00:00:00Z");
    assert_eq!(account.usage_regions(period("2026-02")), [&was].into());
    account = apply(&account, 3, Active, &is, "2026-04-05T00:00:00Z");
    assert_eq!(
        account.usage_regions(period("2026-04")),
        [&is, &was].into(),
        "events of both regions may be on their way"
    );
    account = apply(&account, 4, Closed, &is, "2026-06-05T00:00:00Z");
    assert_eq!(account.usage_regions(period("2026-08")), [&is, &was].into());
    assert!(
        account.usage_regions(period("2026-09")).is_empty(),
        "the regions are not listed forever"
    );
}

#[test]
fn a_known_change_changes_nothing() {
    let account = account(&[(1, "2026-10-01T00:00:00Z", Active, "pro")]);
    let region = "eu-central-1".parse().unwrap();
    assert_eq!(
        account.with_change(
            &event(1, Active, "pro"),
            &region,
            moment("2026-10-01T00:00:00Z")
        ),
        None
    );
    assert_eq!(account.status(), Some(Active));
}

#[test]
fn a_busy_month_does_not_displace_the_month_before() {
    let mut changes = vec![
        ("2026-09-05T00:00:00Z".to_owned(), Active, "pro"),
        ("2026-10-20T00:00:00Z".to_owned(), Active, "starter"),
    ];
    // The tenant is closed and reopened, over and over.
    for minute in 0..30 {
        changes.push((format!("2026-11-02T10:{minute:02}:00Z"), Closing, "starter"));
        changes.push((format!("2026-11-02T10:{minute:02}:30Z"), Active, "pro"));
    }
    changes.push(("2026-11-02T11:00:00Z".to_owned(), Closed, "pro"));
    let rows: Vec<_> = changes
        .iter()
        .map(|(at, status, plan)| (at.as_str(), *status, *plan))
        .collect();
    check(
        &rows,
        &[
            ("2026-08", None),
            ("2026-09", Some("pro")),
            ("2026-10", Some("starter")),
            ("2026-11", Some("pro")),
            ("2026-12", None),
        ],
    );
}

/// The end of use is retained as long as the use itself.
#[test]
fn a_busy_month_does_not_displace_an_end_of_use() {
    let mut changes = vec![
        ("2026-08-05T00:00:00Z".to_owned(), Active, "pro"),
        ("2026-09-20T00:00:00Z".to_owned(), Closed, "pro"),
    ];
    changes.extend((0..60).map(|minute| (format!("2026-11-02T10:{minute:02}:00Z"), Active, "pro")));
    let rows: Vec<_> = changes
        .iter()
        .map(|(at, status, plan)| (at.as_str(), *status, *plan))
        .collect();
    check(
        &rows,
        &[
            ("2026-09", Some("pro")),
            ("2026-10", None),
            ("2026-11", Some("pro")),
        ],
    );
}

#[test]
fn changes_of_the_oldest_of_many_periods_are_dropped() {
    let months: Vec<String> = (2000..2060)
        .flat_map(|year| [4, 9].map(|month| format!("{year}-{month:02}-05T00:00:00Z")))
        .collect();
    let rows: Vec<_> = (1..)
        .zip(&months)
        .map(|(n, at)| (n, at.as_str(), Active, "pro"))
        .collect();
    let account = account(&rows);
    assert_eq!(account.changes.len(), Account::CHANGES_MAX);
    assert_eq!(account.plan_for(period("2035-01")), None);
    assert_eq!(
        account.plan_for(period("2036-04")).map(PlanCode::as_str),
        Some("pro")
    );
    let region = "eu-central-1".parse().unwrap();
    assert_eq!(
        account.with_change(
            &event(1, Active, "pro"),
            &region,
            moment("2000-04-05T00:00:00Z")
        ),
        None
    );
}

/// Changes within four months, by rising revision, with many at the same time and many at the first
/// moment of a month.
fn any_changes() -> impl Strategy<Value = Vec<(Timestamp, TenantStatus, &'static str)>> {
    let at = prop_oneof![
        4 => (8_u8..12, 1_u8..29, 0_u8..24).prop_map(|(month, day, hour)| format!("2026-{month:02}-{day:02}T{hour:02}:00:00Z")),
        1 => (8_u8..12).prop_map(|month| format!("2026-{month:02}-01T00:00:00Z")),
    ];
    let status = prop::sample::select(TenantStatus::ALL.to_vec());
    let plan = prop::sample::select(vec!["starter", "pro", "enterprise"]);
    let change = (at.prop_map(|at| moment(&at)), status, plan);
    // The clocks of regions differ, so that a change may have an earlier time than the revision
    // before it.
    (prop::collection::vec(change, 0..200), any::<bool>()).prop_map(|(mut changes, is_skewed)| {
        if !is_skewed {
            changes.sort_by_key(|(at, ..)| *at);
        }
        changes
    })
}

proptest! {
    #[test]
    fn order_and_repetition_do_not_matter(order in prop::collection::vec(1_u64..70, 0..200)) {
        let row = |n: &u64| (*n, "2026-10-01T00:00:00Z", Active, "pro");
        let bounded = account(&order.iter().map(row).collect::<Vec<_>>());
        let mut sorted = order;
        sorted.sort_unstable();
        prop_assert_eq!(&bounded, &account(&sorted.iter().map(row).collect::<Vec<_>>()));
        prop_assert!(bounded.changes.len() <= Account::CHANGES_MAX);
    }

    #[test]
    fn a_dropped_change_decided_nothing(
        (changes, order) in any_changes().prop_flat_map(|changes| {
            let order = (0..changes.len()).chain(0..changes.len()).collect::<Vec<_>>();
            (Just(changes), Just(order).prop_shuffle())
        }),
    ) {
        let region: kernel::RegionCode = "eu-central-1".parse().unwrap();
        let number = |index: usize| u64::try_from(index).unwrap();
        let change = |(index, (at, status, plan)): (usize, &(Timestamp, TenantStatus, &str))| Change {
            revision: number(index),
            at: *at,
            region: region.clone(),
            status: *status,
            plan: plan.parse().unwrap(),
        };
        let unlimited = Account { tenant: tenant(1), changes: changes.iter().enumerate().map(change).collect() };
        let apply = |account: Account, index: usize| {
            let (at, status, plan) = changes[index];
            account.with_change(&event(number(index), status, plan), &region, at).unwrap_or(account)
        };
        let bounded = order.iter().fold(Account::new(tenant(1)), |account, index| apply(account, *index));
        for month in ["2026-07", "2026-08", "2026-09", "2026-10", "2026-11", "2026-12", "2027-01"] {
            prop_assert_eq!(bounded.plan_for(period(month)), unlimited.plan_for(period(month)), "{}", month);
            prop_assert_eq!(bounded.billability(period(month)), unlimited.billability(period(month)), "{}", month);
        }
        prop_assert_eq!(bounded.status(), unlimited.status());
        prop_assert!(bounded.changes.len() <= Account::CHANGES_MAX);
    }
}
