use super::*;
use contract::application::Answer;

const UNDO: &str = "an-undo-code";

fn undo() -> KeyDigest {
    KeyDigest::of("closure", UNDO)
}

fn close(status: TenantStatus) -> State {
    let open = state(status);
    let by = Actor::User(open.signup.as_ref().unwrap().username);
    let changes = decide_closure(&open, by, undo(), &settings("external"), &context()).unwrap();
    assert_eq!(changes.due[0].at, at("2026-12-20T10:00:00Z"));
    after(&open, changes)
}

fn due(kind: TaskKind, moment: &str) -> ScheduledTask {
    ScheduledTask {
        at: at(moment),
        kind,
        tenant: ids().tenant,
    }
}

fn run_task(state: &State, due: &ScheduledTask, drained: bool, now: &str) -> (State, ChangeSet) {
    let changes = decide_task(
        state,
        due,
        drained,
        &catalogue(),
        &settings("external"),
        &context_at(now),
    )
    .unwrap();
    assert!(changes.done.contains(due), "the task is completed");
    (after(state, changes.clone()), changes)
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
                &context_at(now),
            )
        };
        assert_eq!(
            reopen(None, "2026-12-20T09:59:59Z").unwrap().tenant.status,
            status,
            "the earlier status"
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
    assert!(decide_reopening(&active, Actor::Holder, None, &settings("auto"), &context()).is_err());
}

#[test]
fn a_repeated_closure_only_changes_the_code() {
    let closing = close(TenantStatus::Active);
    let other = KeyDigest::of("closure", "another");
    let later = context_at("2026-11-25T10:00:00Z");
    let again = decide_closure(
        &closing,
        Actor::Holder,
        other.clone(),
        &settings("auto"),
        &later,
    )
    .unwrap();
    assert!(again.events.is_empty() && again.due.is_empty());
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
        "the grace period does not start again"
    );
}

#[test]
fn only_an_active_or_suspended_tenant_can_close() {
    for status in TenantStatus::ALL {
        let decided = decide_closure(
            &state(status),
            Actor::Holder,
            undo(),
            &settings("auto"),
            &context(),
        );
        let may = matches!(status, TenantStatus::Active | TenantStatus::Suspended);
        assert_eq!(decided.is_ok(), may, "{status}");
    }
}

/// A closing tenant whose resources the application made.
fn provisioned_and_closing() -> State {
    let mut closing = close(TenantStatus::Active);
    closing.tenant.provisioning = Some(Provisioning {
        attempt: 1,
        requested_at: context().now,
        answer_by: context().now,
        done_at: Some(context().now),
        failure: None,
    });
    closing
}

/// Grace period, fence, drain, end, retention, erasure and removal: each at its time and not
/// before.
#[test]
fn a_tenant_is_closed_step_by_step() {
    let (fenced, changes) = run_task(
        &provisioned_and_closing(),
        &due(TaskKind::Grace, "2026-12-20T10:00:00Z"),
        true,
        "2026-12-20T10:00:30Z",
    );
    assert!(changes.events.is_empty());
    assert_eq!(fenced.tenant.status, TenantStatus::Closing);
    assert!(fenced.tenant.closure.as_ref().unwrap().fenced_at.is_some());
    let drain = changes.due[0];
    assert_eq!(
        (drain.kind, drain.at),
        (TaskKind::Drain, at("2026-12-20T10:05:30Z"))
    );

    let (waiting, changes) = run_task(&fenced, &drain, false, "2026-12-20T10:05:31Z");
    assert_eq!(
        (waiting.tenant.status, changes.due[0].kind),
        (TenantStatus::Closing, TaskKind::Drain)
    );
    let drain = changes.due[0];
    let (closed, changes) = run_task(&waiting, &drain, true, "2026-12-20T10:06:31Z");
    assert_eq!(closed.tenant.status, TenantStatus::Closed);
    assert_eq!(published(&changes), ["status:grace_ended"]);
    let erasure = changes.due[0];
    assert_eq!(
        (erasure.kind, erasure.at),
        (TaskKind::Erasure, at("2026-12-30T10:06:31Z"))
    );
    assert!(is_erasable(&closed));

    let (erased, changes) = run_task(&closed, &erasure, true, "2026-12-30T10:07:00Z");
    assert_eq!(
        published(&changes),
        ["erased", "deprovision:1", "sbt_aws_offboardingRequest"]
    );
    assert!(!is_erasable(&erased));
    assert_eq!(erased.tenant.closure.as_ref().unwrap().undo, None);
}

/// The removal of resources is requested five times in all.
#[test]
fn an_unanswered_removal_is_given_up_and_a_late_answer_counts() {
    let mut silent = provisioned_and_closing();
    let mut deadline = due(TaskKind::Grace, "2026-12-20T10:00:00Z");
    for now in [
        "2026-12-20T10:00:30Z",
        "2026-12-20T10:06:31Z",
        "2026-12-30T10:07:00Z",
    ] {
        let (next, changes) = run_task(&silent, &deadline, true, now);
        (silent, deadline) = (next, changes.due[0]);
    }
    assert_eq!(deadline.kind, TaskKind::Deprovisioning);
    for attempt in 2..=5 {
        let (next, changes) = run_task(&silent, &deadline, true, &deadline.at.to_string());
        assert_eq!(published(&changes)[0], format!("deprovision:{attempt}"));
        (silent, deadline) = (next, changes.due[0]);
    }
    let (given_up, changes) = run_task(&silent, &deadline, true, &deadline.at.to_string());
    assert!(changes.events.is_empty() && changes.due.is_empty());
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
        &context(),
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
        "a late answer counts"
    );
}

#[test]
fn an_undone_closure_does_not_end_the_tenant() {
    let closing = close(TenantStatus::Active);
    let reopened =
        decide_reopening(&closing, Actor::Holder, None, &settings("auto"), &context()).unwrap();
    let reopened = after(&closing, reopened);
    let (still, changes) = run_task(
        &reopened,
        &due(TaskKind::Grace, "2026-12-20T10:00:00Z"),
        true,
        "2027-01-01T00:00:00Z",
    );
    assert_eq!(
        (still.tenant.status, changes.events.len()),
        (TenantStatus::Active, 0)
    );
}

#[test]
fn a_sign_up_that_nobody_confirms_expires_and_is_erased_at_once() {
    let pending = state(TenantStatus::Pending);
    let expiry = sign_up().due;
    let (expired, changes) = run_task(&pending, &expiry, true, "2026-11-21T10:00:00Z");
    assert_eq!(published(&changes), ["status:expired", "onboarding:2"]);
    assert_eq!(
        (changes.due[0].kind, changes.due[0].at),
        (TaskKind::Erasure, at("2026-11-21T10:00:00Z"))
    );
    assert!(is_erasable(&expired));
    let operation = Operation::of(expired.signup.as_ref().unwrap(), &expired.tenant);
    assert_eq!(
        (json!(operation.state), json!(operation.next)),
        (json!("ended"), json!("sign-up-anew"))
    );
    let (_, changes) = run_task(&expired, &changes.due[0], true, "2026-11-21T10:00:01Z");
    assert_eq!(
        published(&changes),
        ["erased"],
        "nothing was provisioned, so nothing is removed"
    );

    let (confirmed, changes) = run_task(
        &state(TenantStatus::Active),
        &expiry,
        true,
        "2026-11-21T10:00:00Z",
    );
    assert_eq!(
        (confirmed.tenant.status, changes.events.len()),
        (TenantStatus::Active, 0)
    );
}
