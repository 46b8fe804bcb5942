use super::fixtures::{Step, decide, run};
use super::fixtures::{Step::*, at};
use crate::Refusal;
use crate::policy::RefusedPlan;
use crate::policy::SuspensionChange::{Lift, Suspend};
use kernel::Suspension::{Dunning, Operator};
use kernel::TenantStatus::{self, Active, Closed, Closing, Pending};

/// Checks a tenant after steps: region, status, revision | version, suspension, applied, attempts,
/// stuck.
fn check(steps: &[Step], expected: &str) {
    let tenant = run(steps).unwrap();
    let policy = &tenant.policy;
    let seen = format!(
        "{} {} r{} | v{} {} applied {} sent again {}{}",
        tenant.entry.region,
        tenant.entry.status,
        tenant.entry.revision,
        policy.policy.version,
        match policy.policy.suspension {
            Some(Operator) => "suspended",
            Some(Dunning) => "dunned",
            None => "open",
        },
        policy.applied_version,
        policy.attempts,
        if policy.is_stuck() { " stuck" } else { "" },
    );
    assert_eq!(seen, expected, "after {steps:?}");
}

#[test]
fn the_directory_follows_the_highest_revision() {
    let signed_up = Published("eu", 1, Pending, "pro");
    let active = Published("eu", 2, Active, "pro");
    check(
        std::slice::from_ref(&signed_up),
        "eu-central-1 pending r1 | v1 open applied 0 sent again 0",
    );
    check(
        &[signed_up.clone(), active.clone()],
        "eu-central-1 active r2 | v1 open applied 0 sent again 0",
    );
    check(
        &[active.clone(), signed_up.clone()],
        "eu-central-1 active r2 | v1 open applied 0 sent again 0",
    );
    check(
        &[active.clone(), active.clone()],
        "eu-central-1 active r2 | v1 open applied 0 sent again 0",
    );
}

/// Checks the desired plan after steps, with its version and the number of its request.
fn check_plan(steps: &[Step], expected: (&str, u64, u64)) {
    let policy = run(steps).unwrap().policy;
    let seen = (
        policy.policy.plan.as_str(),
        policy.policy.version,
        policy.plan_revision,
    );
    assert_eq!(seen, expected, "after {steps:?}");
    let catalogue = catalogue::Catalogue::bundled().unwrap();
    assert_eq!(
        policy.policy.entitlements,
        catalogue.plan(&policy.policy.plan).unwrap().entitlements
    );
}

#[test]
fn a_policy_has_a_new_version_when_home_wants_another_one() {
    let active = Published("eu", 1, Active, "starter");
    let rows = [
        (
            Published("eu", 2, TenantStatus::Suspended, "starter"),
            "eu-central-1 suspended r2 | v1 open applied 0 sent again 0",
        ),
        (
            Published("eu", 2, Closing, "starter"),
            "eu-central-1 closing r2 | v1 open applied 0 sent again 0",
        ),
        (
            Published("eu", 2, Active, "pro"),
            "eu-central-1 active r2 | v1 open applied 0 sent again 0",
        ),
        (
            Published("us", 2, Active, "starter"),
            "us-east-1 active r2 | v2 open applied 0 sent again 0",
        ),
        (
            Requested("eu", 1, "pro"),
            "eu-central-1 active r1 | v2 open applied 0 sent again 0",
        ),
        (
            Requested("eu", 1, "starter"),
            "eu-central-1 active r1 | v1 open applied 0 sent again 0",
        ),
        (
            Suspension(Suspend(Operator)),
            "eu-central-1 active r1 | v2 suspended applied 0 sent again 0",
        ),
        (
            Suspension(Suspend(Dunning)),
            "eu-central-1 active r1 | v2 dunned applied 0 sent again 0",
        ),
        (
            Suspension(Lift(Operator)),
            "eu-central-1 active r1 | v1 open applied 0 sent again 0",
        ),
    ];
    for (step, expected) in rows {
        check(&[active.clone(), step], expected);
    }
}

#[test]
fn a_suspension_lasts_until_home_lifts_it() {
    let active = Published("eu", 1, Active, "starter");
    let applied = Published("eu", 2, TenantStatus::Suspended, "starter");
    let suspended = [
        active.clone(),
        Suspension(Suspend(Dunning)),
        applied,
        Acknowledged("eu", 2),
    ];
    check(
        &suspended,
        "eu-central-1 suspended r2 | v2 dunned applied 2 sent again 0",
    );
    let with = |steps: &[Step]| [&suspended, steps].concat();
    check(
        &with(&[Suspension(Suspend(Dunning))]),
        "eu-central-1 suspended r2 | v2 dunned applied 2 sent again 0",
    );
    let lift = Suspension(Lift(Dunning));
    check(
        &with(std::slice::from_ref(&lift)),
        "eu-central-1 suspended r2 | v3 open applied 2 sent again 0",
    );
    check(
        &with(&[lift.clone(), lift]),
        "eu-central-1 suspended r2 | v3 open applied 2 sent again 0",
    );
    check(
        &with(&[Requested("eu", 1, "pro")]),
        "eu-central-1 suspended r2 | v3 dunned applied 2 sent again 0",
    );
}

/// Checks the published suspension, its version, and the number of reasons for it.
fn check_suspension(
    changes: &[crate::SuspensionChange],
    expected: (Option<kernel::Suspension>, u64, usize),
) {
    let steps: Vec<Step> = changes.iter().map(|change| Suspension(*change)).collect();
    let policy = run(&[vec![Published("eu", 1, Active, "starter")], steps].concat())
        .unwrap()
        .policy;
    let seen = (
        policy.policy.suspension,
        policy.policy.version,
        policy.suspended_by.len(),
    );
    assert_eq!(seen, expected, "after {changes:?}");
}

#[test]
fn lifting_one_reason_does_not_lift_the_other() {
    let [operator, dunning] = [Some(Operator), Some(Dunning)];
    check_suspension(&[Suspend(Operator), Suspend(Dunning)], (operator, 2, 2));
    check_suspension(&[Suspend(Dunning), Suspend(Operator)], (operator, 3, 2));
    check_suspension(
        &[Suspend(Operator), Suspend(Dunning), Lift(Dunning)],
        (operator, 2, 1),
    );
    check_suspension(
        &[Suspend(Operator), Suspend(Dunning), Lift(Operator)],
        (dunning, 3, 1),
    );
    check_suspension(
        &[
            Suspend(Operator),
            Suspend(Dunning),
            Lift(Operator),
            Lift(Dunning),
        ],
        (None, 4, 0),
    );
    check_suspension(&[Suspend(Operator), Lift(Dunning)], (operator, 2, 1));
    check_suspension(&[Suspend(Dunning), Lift(Operator)], (dunning, 2, 1));
}

#[test]
fn the_highest_grantable_request_decides_the_plan() {
    let active = Published("eu", 1, Active, "starter");
    let after = |steps: &[Step]| [std::slice::from_ref(&active), steps].concat();
    let [pro, back] = [Requested("eu", 1, "pro"), Requested("eu", 2, "starter")];
    check_plan(&after(&[]), ("starter", 1, 0));
    check_plan(&after(std::slice::from_ref(&pro)), ("pro", 2, 1));
    check_plan(&after(&[pro.clone(), pro.clone()]), ("pro", 2, 1));
    check_plan(&after(&[pro.clone(), back.clone()]), ("starter", 3, 2));
    check_plan(&after(&[back, pro.clone()]), ("starter", 1, 2));
    check_plan(
        &after(&[pro.clone(), Published("eu", 2, Active, "starter")]),
        ("pro", 2, 1),
    );

    // A plan that the catalogue does not have, and one in another currency.
    for plan in ["gold", "pro-in"] {
        let refused = Requested("eu", 2, plan);
        for steps in [[pro.clone(), refused.clone()], [refused, pro.clone()]] {
            check_plan(&after(&steps), ("pro", 2, 1));
            let refused = run(&after(&steps)).unwrap().policy.refused_plan;
            assert_eq!(
                refused,
                Some(RefusedPlan {
                    plan: plan.parse().unwrap(),
                    revision: 2
                })
            );
        }
    }
    let indian = [
        Published("in", 1, Active, "pro-in"),
        Requested("in", 1, "pro"),
    ];
    check_plan(&indian, ("pro-in", 1, 0));
}

#[test]
fn a_closed_tenants_policy_does_not_change() {
    let closed = [
        Published("eu", 1, Active, "starter"),
        Suspension(Suspend(Operator)),
        Published("eu", 2, Closed, "starter"),
    ];
    let left = "eu-central-1 closed r2 | v2 suspended applied 0 sent again 0";
    check(&closed, left);
    for step in [
        Requested("eu", 1, "pro"),
        Suspension(Lift(Operator)),
        Polled(1_000_000),
        Erased("eu", 5),
    ] {
        check(&[&closed[..], &[step]].concat(), left);
    }
    let known = run(&closed).unwrap();
    assert_eq!(
        decide(Some(&known), &Suspension(Lift(Operator))),
        Err(Refusal::Closed)
    );
    // A tenant whose first event reports it as closed gets a policy, which is not sent.
    let known = run(&closed[2..]).unwrap();
    assert!(!known.policy.is_sent_after(None) && !known.policy.is_waiting());
}

#[test]
fn an_erasure_is_recorded_once() {
    let [active, closed] = [
        Published("eu", 1, Active, "starter"),
        Published("eu", 2, Closed, "starter"),
    ];
    let erased = |steps: &[Step]| run(steps).unwrap().entry.erased_at;
    assert_eq!(erased(&[active.clone(), closed.clone()]), None);
    assert_eq!(
        erased(&[active.clone(), closed.clone(), Erased("eu", 5)]),
        Some(at(5))
    );
    assert_eq!(
        erased(&[
            active.clone(),
            Erased("eu", 5),
            closed.clone(),
            Erased("eu", 6)
        ]),
        Some(at(5))
    );
    assert_eq!(erased(&[active, closed, Erased("us", 5)]), None);
}

#[test]
fn an_acknowledgement_counts_for_its_region_only() {
    let active = Published("eu", 1, Active, "starter");
    let moved = Published("us", 2, Active, "starter");
    check(
        &[active.clone(), Acknowledged("eu", 1)],
        "eu-central-1 active r1 | v1 open applied 1 sent again 0",
    );
    check(
        &[active.clone(), Acknowledged("in", 1)],
        "eu-central-1 active r1 | v1 open applied 0 sent again 0",
    );
    check(
        &[active.clone(), Acknowledged("eu", 1), moved.clone()],
        "us-east-1 active r2 | v2 open applied 0 sent again 0",
    );
    check(
        &[active.clone(), moved.clone(), Acknowledged("eu", 1)],
        "us-east-1 active r2 | v2 open applied 0 sent again 0",
    );
    check(
        &[active, moved, Acknowledged("us", 2)],
        "us-east-1 active r2 | v2 open applied 2 sent again 0",
    );
}

#[test]
fn an_unapplied_policy_is_sent_again_with_growing_intervals() {
    let active = Published("eu", 1, Active, "starter");
    let polls = |seconds: &[i64]| -> Vec<Step> {
        std::iter::once(active.clone())
            .chain(seconds.iter().map(|second| Polled(*second)))
            .collect()
    };
    check(
        &polls(&[119]),
        "eu-central-1 active r1 | v1 open applied 0 sent again 0",
    );
    check(
        &polls(&[120]),
        "eu-central-1 active r1 | v1 open applied 0 sent again 1",
    );
    check(
        &polls(&[120, 120, 359]),
        "eu-central-1 active r1 | v1 open applied 0 sent again 1",
    );
    check(
        &polls(&[120, 360]),
        "eu-central-1 active r1 | v1 open applied 0 sent again 2",
    );
    let to_stuck = [120, 360, 840, 1800, 3720];
    check(
        &polls(&to_stuck),
        "eu-central-1 active r1 | v1 open applied 0 sent again 5 stuck",
    );
    // The wait is at most an hour, and never infinite.
    let on = [&to_stuck[..], &[7319, 7320, 10_920]].concat();
    check(
        &polls(&on),
        "eu-central-1 active r1 | v1 open applied 0 sent again 7 stuck",
    );
    let answered = [polls(&on), vec![Acknowledged("eu", 1), Polled(1_000_000)]].concat();
    check(
        &answered,
        "eu-central-1 active r1 | v1 open applied 1 sent again 7",
    );
}

#[test]
fn sending_again_repeats_the_same_event() {
    let sent = run(&[Published("eu", 1, Active, "starter")])
        .unwrap()
        .policy;
    let again = run(&[Published("eu", 1, Active, "starter"), Polled(120)])
        .unwrap()
        .policy;
    assert_eq!(again.published(), sent.published());
    assert_eq!(again.sent_at, at(120));
    let applied = run(&[Published("eu", 1, Active, "starter"), Acknowledged("eu", 1)])
        .unwrap()
        .policy;
    assert!(sent.is_sent_after(None));
    assert!(again.is_sent_after(Some(&sent)));
    assert!(!applied.is_sent_after(Some(&sent)));
}

#[test]
fn contradictory_events_are_refused() {
    let active = Published("eu", 3, Active, "starter");
    let rows = [
        (
            Published("us", 3, Active, "starter"),
            "the tenant is known in eu-central-1, and us-east-1 reports it",
        ),
        (
            Published("us", 2, Active, "starter"),
            "the tenant is known in eu-central-1, and us-east-1 reports it",
        ),
        (
            Published("eu", 3, Pending, "starter"),
            "revision 3 was published before with other content",
        ),
        (
            Acknowledged("eu", 2),
            "version 2 was acknowledged, and 1 is the highest published",
        ),
        (
            Requested("us", 1, "pro"),
            "the tenant is known in eu-central-1, and us-east-1 reports it",
        ),
        (
            Erased("us", 1),
            "the tenant is known in eu-central-1, and us-east-1 reports it",
        ),
    ];
    let known = run(&[active]).unwrap();
    for (step, expected) in rows {
        let refusal = decide(Some(&known), &step).unwrap_err().to_string();
        assert!(refusal.starts_with(expected), "{step:?} gave {refusal}");
    }
    for step in [
        Acknowledged("eu", 1),
        Requested("eu", 1, "pro"),
        Suspension(Lift(Operator)),
        Erased("eu", 1),
    ] {
        assert_eq!(decide(None, &step), Err(Refusal::UnknownTenant), "{step:?}");
    }
    let plan = "gold".parse().unwrap();
    assert_eq!(
        decide(None, &Published("eu", 1, Active, "gold")),
        Err(Refusal::UnknownPlan { plan })
    );
}
