use super::*;
use contract::application::Answer;

const UNDO: &str = "an-undo-code";

fn undo() -> KeyDigest {
    KeyDigest::of("closure", UNDO)
}

fn close(status: TenantStatus) -> State {
    let open = state(status);
    let by = Actor::User(open.signup.as_ref().unwrap().username);
    let outcome = decide_closure(&open, by, undo(), &settings("external"), &occasion()).unwrap();
    assert_eq!(outcome.due[0].at, at("2026-12-20T10:00:00Z"));
    after(&open, outcome)
}

fn due(kind: DueKind, moment: &str) -> Due {
    Due {
        at: at(moment),
        kind,
        tenant: ids().tenant,
    }
}

fn looked(state: &State, due: &Due, drained: bool, now: &str) -> (State, Outcome) {
    let outcome = decide_due(
        state,
        due,
        drained,
        &catalogue(),
        &settings("external"),
        &occasion_at(now),
    )
    .unwrap();
    assert!(outcome.done.contains(due), "what was due is done with");
    (after(state, outcome.clone()), outcome)
}

#[test]
fn a_closure_can_be_undone_until_its_grace_is_over() {
    for status in [TenantStatus::Active, TenantStatus::Suspended] {
        let closing = close(status);
        let reopen = |code: Option<&KeyDigest>, now: &str| {
            decide_reopening(
                &closing,
                Actor::Holder,
                code,
                &settings("auto"),
                &occasion_at(now),
            )
        };
        assert_eq!(
            reopen(None, "2026-12-20T09:59:59Z").unwrap().tenant.status,
            status,
            "as it was before"
        );
        let reopened = reopen(Some(&undo()), "2026-11-21T00:00:00Z").unwrap();
        assert_eq!(
            (reopened.tenant.closure.clone(), reopened.done.len()),
            (None, 1)
        );
        assert_eq!(
            reopen(Some(&KeyDigest::of("closure", "x")), "2026-11-21T00:00:00Z"),
            Err(Refusal::WrongCode)
        );
        assert!(reopen(None, "2026-12-20T10:00:00Z").is_err(), "too late");
    }
    let active = state(TenantStatus::Active);
    assert!(
        decide_reopening(&active, Actor::Holder, None, &settings("auto"), &occasion()).is_err()
    );
}

#[test]
fn a_repeated_closure_only_changes_the_code() {
    let closing = close(TenantStatus::Active);
    let other = KeyDigest::of("closure", "another");
    let later = occasion_at("2026-11-25T10:00:00Z");
    let again = decide_closure(
        &closing,
        Actor::Holder,
        other.clone(),
        &settings("auto"),
        &later,
    )
    .unwrap();
    assert!(again.statements.is_empty() && again.due.is_empty());
    let again = after(&closing, again);
    let reopen = |code| {
        decide_reopening(
            &again,
            Actor::Holder,
            Some(&code),
            &settings("auto"),
            &later,
        )
        .err()
    };
    assert_eq!(
        (reopen(undo()), reopen(other)),
        (Some(Refusal::WrongCode), None)
    );
    assert_eq!(
        again.tenant.closure.unwrap().ends_at,
        at("2026-12-20T10:00:00Z"),
        "the time does not begin anew"
    );
}

#[test]
fn who_cannot_close_is_refused() {
    for status in TenantStatus::ALL {
        let decided = decide_closure(
            &state(status),
            Actor::Holder,
            undo(),
            &settings("auto"),
            &occasion(),
        );
        let may = matches!(status, TenantStatus::Active | TenantStatus::Suspended);
        assert_eq!(decided.is_ok(), may, "{status}");
    }
}

/// A tenant whose closure was asked for, and whose resources the application made.
fn provisioned_and_closing() -> State {
    let mut closing = close(TenantStatus::Active);
    closing.tenant.provisioning = Some(Provisioning {
        attempt: 1,
        requested_at: occasion().now,
        answer_by: occasion().now,
        done_at: Some(occasion().now),
        failure: None,
    });
    closing
}

/// Grace, fence, drain, end, retention, erasure, removal: each at its time, none before.
#[test]
fn a_tenant_ends_step_by_step() {
    let (fenced, outcome) = looked(
        &provisioned_and_closing(),
        &due(DueKind::Grace, "2026-12-20T10:00:00Z"),
        true,
        "2026-12-20T10:00:30Z",
    );
    assert!(outcome.statements.is_empty());
    assert_eq!(fenced.tenant.status, TenantStatus::Closing);
    assert!(fenced.tenant.closure.as_ref().unwrap().fenced_at.is_some());
    let drain = outcome.due[0];
    assert_eq!(
        (drain.kind, drain.at),
        (DueKind::Drain, at("2026-12-20T10:05:30Z"))
    );

    let (waiting, outcome) = looked(&fenced, &drain, false, "2026-12-20T10:05:31Z");
    assert_eq!(
        (waiting.tenant.status, outcome.due[0].kind),
        (TenantStatus::Closing, DueKind::Drain)
    );
    let drain = outcome.due[0];
    let (closed, outcome) = looked(&waiting, &drain, true, "2026-12-20T10:06:31Z");
    assert_eq!(closed.tenant.status, TenantStatus::Closed);
    assert_eq!(stated(&outcome), ["status:grace_ended"]);
    let erasure = outcome.due[0];
    assert_eq!(
        (erasure.kind, erasure.at),
        (DueKind::Erasure, at("2026-12-30T10:06:31Z"))
    );
    assert!(is_erasable(&closed));

    let (erased, outcome) = looked(&closed, &erasure, true, "2026-12-30T10:07:00Z");
    assert_eq!(
        stated(&outcome),
        ["erased", "deprovision:1", "sbt_aws_offboardingRequest"]
    );
    assert!(!is_erasable(&erased));
    assert_eq!(erased.tenant.closure.as_ref().unwrap().undo, None);
}

/// The removal of resources is asked for five times in all.
#[test]
fn a_removal_that_nobody_answers_is_given_up_and_a_late_answer_counts() {
    let mut silent = provisioned_and_closing();
    let mut deadline = due(DueKind::Grace, "2026-12-20T10:00:00Z");
    for now in [
        "2026-12-20T10:00:30Z",
        "2026-12-20T10:06:31Z",
        "2026-12-30T10:07:00Z",
    ] {
        let (next, outcome) = looked(&silent, &deadline, true, now);
        (silent, deadline) = (next, outcome.due[0]);
    }
    assert_eq!(deadline.kind, DueKind::Deprovisioning);
    for attempt in 2..=5 {
        let (next, outcome) = looked(&silent, &deadline, true, &deadline.at.to_string());
        assert_eq!(stated(&outcome)[0], format!("deprovision:{attempt}"));
        (silent, deadline) = (next, outcome.due[0]);
    }
    let (given_up, outcome) = looked(&silent, &deadline, true, &deadline.at.to_string());
    assert!(outcome.statements.is_empty() && outcome.due.is_empty());
    let open = given_up
        .tenant
        .closure
        .as_ref()
        .unwrap()
        .deprovisioning
        .as_ref()
        .unwrap();
    assert_eq!(open.failure.as_ref().unwrap().reason.as_str(), "no-answer");
    let answer = Answer {
        tenant: ids().tenant,
        attempt: None,
        reason: None,
        retryable: None,
    };
    let done = decide_answer(
        &given_up,
        Said::Deprovisioned,
        &answer,
        &settings("external"),
        &occasion(),
    )
    .unwrap();
    let done = after(&given_up, done.unwrap());
    assert!(
        done.tenant
            .closure
            .unwrap()
            .deprovisioning
            .unwrap()
            .done_at
            .is_some(),
        "late is not too late"
    );
}

#[test]
fn what_was_undone_does_not_end() {
    let closing = close(TenantStatus::Active);
    let reopened = decide_reopening(
        &closing,
        Actor::Holder,
        None,
        &settings("auto"),
        &occasion(),
    )
    .unwrap();
    let reopened = after(&closing, reopened);
    let (still, outcome) = looked(
        &reopened,
        &due(DueKind::Grace, "2026-12-20T10:00:00Z"),
        true,
        "2027-01-01T00:00:00Z",
    );
    assert_eq!(
        (still.tenant.status, outcome.statements.len()),
        (TenantStatus::Active, 0)
    );
}

#[test]
fn a_sign_up_that_nobody_confirms_expires_and_is_erased_at_once() {
    let pending = state(TenantStatus::Pending);
    let expiry = sign_up().due;
    let (expired, outcome) = looked(&pending, &expiry, true, "2026-11-21T10:00:00Z");
    assert_eq!(stated(&outcome), ["status:expired", "onboarding:2"]);
    assert_eq!(
        (outcome.due[0].kind, outcome.due[0].at),
        (DueKind::Erasure, at("2026-11-21T10:00:00Z"))
    );
    assert!(is_erasable(&expired));
    let operation = Operation::of(expired.signup.as_ref().unwrap(), &expired.tenant);
    assert_eq!(
        (json!(operation.state), json!(operation.next)),
        (json!("ended"), json!("sign-up-anew"))
    );
    let (_, outcome) = looked(&expired, &outcome.due[0], true, "2026-11-21T10:00:01Z");
    assert_eq!(
        stated(&outcome),
        ["erased"],
        "nothing was provisioned, so nothing is removed"
    );

    let (confirmed, outcome) = looked(
        &state(TenantStatus::Active),
        &expiry,
        true,
        "2026-11-21T10:00:00Z",
    );
    assert_eq!(
        (confirmed.tenant.status, outcome.statements.len()),
        (TenantStatus::Active, 0)
    );
}
