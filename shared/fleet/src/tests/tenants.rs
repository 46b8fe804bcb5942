use super::fixtures::{Step, decide, run};
use super::fixtures::{Step::*, at};
use crate::Refusal;
use kernel::TenantStatus::{Active, Closed, Closing, Pending, Suspended};

/// Checks a tenant after steps: region, status, revision | version, suspended, applied, attempts, stuck.
fn check(steps: &[Step], expected: &str) {
    let tenant = run(steps).unwrap();
    let policy = &tenant.policy;
    let seen = format!(
        "{} {} r{} | v{} {} applied {} sent again {}{}",
        tenant.entry.region,
        tenant.entry.status,
        tenant.entry.revision,
        policy.policy.version,
        if policy.policy.suspended { "suspended" } else { "open" },
        policy.applied_version,
        policy.attempts,
        if policy.is_stuck() { " stuck" } else { "" },
    );
    assert_eq!(seen, expected, "after {steps:?}");
}

#[test]
fn the_directory_follows_the_highest_revision() {
    let signed_up = Stated("eu", 1, Pending, "pro");
    let active = Stated("eu", 2, Active, "pro");
    check(std::slice::from_ref(&signed_up), "eu-central-1 pending r1 | v1 open applied 0 sent again 0");
    check(&[signed_up.clone(), active.clone()], "eu-central-1 active r2 | v1 open applied 0 sent again 0");
    check(&[active.clone(), signed_up.clone()], "eu-central-1 active r2 | v1 open applied 0 sent again 0");
    check(&[active.clone(), active.clone()], "eu-central-1 active r2 | v1 open applied 0 sent again 0");
}

#[test]
fn a_policy_has_a_new_version_when_it_changed() {
    let active = Stated("eu", 1, Active, "starter");
    let rows = [
        (Stated("eu", 2, Suspended, "starter"), "eu-central-1 suspended r2 | v2 suspended applied 0 sent again 0"),
        (Stated("eu", 2, Closed, "starter"), "eu-central-1 closed r2 | v2 suspended applied 0 sent again 0"),
        (Stated("eu", 2, Closing, "starter"), "eu-central-1 closing r2 | v1 open applied 0 sent again 0"),
        (Stated("eu", 2, Active, "pro"), "eu-central-1 active r2 | v2 open applied 0 sent again 0"),
        (Stated("us", 2, Active, "starter"), "us-east-1 active r2 | v2 open applied 0 sent again 0"),
    ];
    for (step, expected) in rows {
        check(&[active.clone(), step], expected);
    }
}

#[test]
fn an_acknowledgement_counts_for_its_region_only() {
    let active = Stated("eu", 1, Active, "starter");
    let moved = Stated("us", 2, Active, "starter");
    check(&[active.clone(), Acknowledged("eu", 1)], "eu-central-1 active r1 | v1 open applied 1 sent again 0");
    check(&[active.clone(), Acknowledged("in", 1)], "eu-central-1 active r1 | v1 open applied 0 sent again 0");
    check(
        &[active.clone(), Acknowledged("eu", 1), moved.clone()],
        "us-east-1 active r2 | v2 open applied 0 sent again 0",
    );
    check(
        &[active.clone(), moved.clone(), Acknowledged("eu", 1)],
        "us-east-1 active r2 | v2 open applied 0 sent again 0",
    );
    check(&[active, moved, Acknowledged("us", 2)], "us-east-1 active r2 | v2 open applied 2 sent again 0");
}

#[test]
fn an_unapplied_policy_is_sent_again_at_growing_distance() {
    let active = Stated("eu", 1, Active, "starter");
    let sweeps = |seconds: &[i64]| -> Vec<Step> {
        std::iter::once(active.clone()).chain(seconds.iter().map(|second| Swept(*second))).collect()
    };
    check(&sweeps(&[119]), "eu-central-1 active r1 | v1 open applied 0 sent again 0");
    check(&sweeps(&[120]), "eu-central-1 active r1 | v1 open applied 0 sent again 1");
    check(&sweeps(&[120, 120, 359]), "eu-central-1 active r1 | v1 open applied 0 sent again 1");
    check(&sweeps(&[120, 360]), "eu-central-1 active r1 | v1 open applied 0 sent again 2");
    let to_stuck = [120, 360, 840, 1800, 3720];
    check(&sweeps(&to_stuck), "eu-central-1 active r1 | v1 open applied 0 sent again 5 stuck");
    // The wait is never longer than an hour, and never without end.
    let on = [&to_stuck[..], &[7319, 7320, 10_920]].concat();
    check(&sweeps(&on), "eu-central-1 active r1 | v1 open applied 0 sent again 7 stuck");
    let answered = [sweeps(&on), vec![Acknowledged("eu", 1), Swept(1_000_000)]].concat();
    check(&answered, "eu-central-1 active r1 | v1 open applied 1 sent again 7");
}

#[test]
fn sending_again_repeats_the_same_event() {
    let sent = run(&[Stated("eu", 1, Active, "starter")]).unwrap().policy;
    let again = run(&[Stated("eu", 1, Active, "starter"), Swept(120)]).unwrap().policy;
    assert_eq!(again.published(), sent.published());
    assert_eq!(again.sent_at, at(120));
    let applied = run(&[Stated("eu", 1, Active, "starter"), Acknowledged("eu", 1)]).unwrap().policy;
    assert!(sent.is_sent_after(None));
    assert!(again.is_sent_after(Some(&sent)));
    assert!(!applied.is_sent_after(Some(&sent)));
}

#[test]
fn what_cannot_be_is_refused() {
    let active = Stated("eu", 3, Active, "starter");
    let rows = [
        (Stated("us", 3, Active, "starter"), "the tenant is known in eu-central-1, and us-east-1 claims it"),
        (Stated("us", 2, Active, "starter"), "the tenant is known in eu-central-1, and us-east-1 claims it"),
        (Stated("eu", 3, Suspended, "starter"), "revision 3 was stated before with other content"),
        (Stated("eu", 4, Active, "gold"), "the catalogue has no plan gold"),
        (Acknowledged("eu", 2), "version 2 was acknowledged, and 1 is the highest published"),
    ];
    let known = run(&[active]).unwrap();
    for (step, expected) in rows {
        let refusal = decide(Some(&known), &step).unwrap_err().to_string();
        assert!(refusal.starts_with(expected), "{step:?} gave {refusal}");
    }
    assert_eq!(decide(None, &Acknowledged("eu", 1)), Err(Refusal::UnknownTenant));
}
