use super::*;
use contract::application::Answer;

fn answer(attempt: Option<u64>, reason: Option<&str>, retryable: Option<bool>) -> Answer {
    let reason = reason.map(|reason| reason.parse().unwrap());
    Answer {
        tenant: ids().tenant,
        attempt,
        reason,
        retryable,
    }
}

/// A tenant whose resources were requested.
fn requested() -> State {
    let pending = state(TenantStatus::Pending);
    let settings = settings("external");
    let changes = decide_confirmation(&pending, &catalogue(), &settings, &context())
        .unwrap()
        .unwrap();
    assert_eq!(
        published(&changes),
        [
            "status:confirmed",
            "provision:1",
            "sbt_aws_onboardingRequest",
            "onboarding:2"
        ]
    );
    assert_eq!(
        changes.due,
        [ScheduledTask {
            at: at("2026-11-20T11:00:00Z"),
            kind: TaskKind::Provisioning,
            tenant: ids().tenant
        }]
    );
    after(&pending, changes)
}

fn receive(state: &State, kind: Said, answer: &Answer) -> Option<ChangeSet> {
    decide_answer(
        state,
        kind,
        answer,
        &settings("external"),
        &context_at("2026-11-20T10:30:00Z"),
    )
    .unwrap()
}

fn shown(state: &State) -> (String, String) {
    let operation = Operation::of(state.signup.as_ref().unwrap(), &state.tenant);
    (
        json!(operation.state).as_str().unwrap().to_owned(),
        json!(operation.next).as_str().unwrap().to_owned(),
    )
}

fn silence(state: &State) -> State {
    let deadline = ScheduledTask {
        at: at("2026-11-20T11:00:00Z"),
        kind: TaskKind::Provisioning,
        tenant: ids().tenant,
    };
    let later = context_at("2026-11-20T11:00:01Z");
    after(
        state,
        decide_task(
            state,
            &deadline,
            true,
            &catalogue(),
            &settings("external"),
            &later,
        )
        .unwrap(),
    )
}

#[test]
fn an_answer_of_the_application_activates_once() {
    let requested = requested();
    assert_eq!(shown(&requested), ("waiting".into(), "wait".into()));
    let changes = receive(&requested, Said::Provisioned, &answer(Some(1), None, None)).unwrap();
    assert_eq!(published(&changes), ["status:provisioned", "onboarding:3"]);
    assert_eq!(changes.done.len(), 1, "the deadline is removed");
    let active = after(&requested, changes);
    assert_eq!(shown(&active), ("done".into(), "sign-in".into()));
    assert_eq!(
        receive(&active, Said::Provisioned, &answer(Some(1), None, None)),
        None
    );
    assert_eq!(
        receive(
            &active,
            Said::ProvisioningFailed,
            &answer(Some(1), None, None)
        ),
        None,
        "a late failure changes nothing"
    );
}

#[test]
fn a_failure_shows_whether_it_can_be_retried() {
    for (retryable, next) in [
        (None, "retry-provisioning"),
        (Some(true), "retry-provisioning"),
        (Some(false), "none"),
    ] {
        let requested = requested();
        let failed = receive(
            &requested,
            Said::ProvisioningFailed,
            &answer(None, Some("quota"), retryable),
        )
        .unwrap();
        let failed = after(&requested, failed);
        assert_eq!(shown(&failed), ("failed".into(), next.into()));
        let steps = Operation::of(failed.signup.as_ref().unwrap(), &failed.tenant).steps;
        assert_eq!(json!(steps[3])["reason"], "quota");
        let again = decide_retry(&failed, &catalogue(), &settings("external"), &context());
        match retryable {
            Some(false) => assert_eq!(again, Err(Refusal::NothingToRetry)),
            _ => {
                let again = again.unwrap();
                assert_eq!(published(&again)[0], "provision:2");
                let again = after(&failed, again);
                assert_eq!(shown(&again), ("waiting".into(), "wait".into()));
                assert_eq!(
                    receive(
                        &again,
                        Said::ProvisioningFailed,
                        &answer(Some(1), None, None)
                    ),
                    None,
                    "an old answer"
                );
            }
        }
    }
    assert_eq!(
        decide_retry(
            &requested(),
            &catalogue(),
            &settings("external"),
            &context()
        ),
        Err(Refusal::NothingToRetry),
        "nothing failed yet"
    );
}

#[test]
fn a_missing_answer_is_a_failure_and_a_late_one_counts() {
    let silent = silence(&requested());
    assert_eq!(
        shown(&silent),
        ("failed".into(), "retry-provisioning".into())
    );
    assert_eq!(
        silence(&silent).tenant.provisioning,
        silent.tenant.provisioning,
        "a deadline fails once"
    );
    let late = receive(&silent, Said::Provisioned, &answer(Some(1), None, None)).unwrap();
    assert_eq!(
        shown(&after(&silent, late)),
        ("done".into(), "sign-in".into())
    );
}

#[test]
fn an_old_deadline_does_not_fail_a_new_attempt() {
    let requested = requested();
    let failed = after(
        &requested,
        receive(
            &requested,
            Said::ProvisioningFailed,
            &answer(None, None, None),
        )
        .unwrap(),
    );
    let again = decide_retry(
        &failed,
        &catalogue(),
        &settings("external"),
        &context_at("2026-11-20T10:40:00Z"),
    );
    let again = after(&failed, again.unwrap());
    assert_eq!(shown(&silence(&again)), ("waiting".into(), "wait".into()));
}

#[test]
fn an_answer_is_recognised_by_its_detail_type() {
    for (name, kind) in [
        ("TenantProvisioned.v1", Some(Said::Provisioned)),
        ("sbt_aws_provisionFailure", Some(Said::ProvisioningFailed)),
        ("TenantDeprovisioned.v1", Some(Said::Deprovisioned)),
        (
            "sbt_aws_deprovisionFailure",
            Some(Said::DeprovisioningFailed),
        ),
        ("TenantStatusChanged.v1", None),
    ] {
        assert_eq!(Said::by_type(name), kind, "{name}");
    }
}

#[test]
fn a_tenant_that_cannot_be_provisioned_is_closed_and_erased() {
    let requested = requested();
    let failed = receive(
        &requested,
        Said::ProvisioningFailed,
        &answer(None, Some("quota"), Some(false)),
    )
    .unwrap();
    let expiry = failed.due[0];
    assert_eq!(
        (expiry.kind, expiry.at),
        (TaskKind::Expiry, at("2026-11-27T10:30:00Z"))
    );
    let failed = after(&requested, failed);
    let settings = settings("external");
    let expire = |state: &State, now: &str| {
        let due = ScheduledTask {
            at: at(now),
            ..expiry
        };
        decide_task(state, &due, true, &catalogue(), &settings, &context_at(now)).unwrap()
    };
    assert!(
        expire(&failed, "2026-11-27T10:29:59Z").events.is_empty(),
        "not before its time"
    );
    let given_up = expire(&failed, "2026-11-27T10:30:00Z");
    assert_eq!(published(&given_up)[0], "status:expired");
    let given_up = after(&failed, given_up);
    assert_eq!(shown(&given_up), ("ended".into(), "sign-up-anew".into()));
    let erased = decide_erased(&given_up, &catalogue(), &settings, &context()).unwrap();
    assert_eq!(
        published(&erased)[1],
        "deprovision:1",
        "partial resources are removed"
    );

    let made = receive(&failed, Said::Provisioned, &answer(None, None, None)).unwrap();
    let made = after(&failed, made);
    assert_eq!(
        expire(&made, "2026-11-27T10:30:00Z").tenant.status,
        TenantStatus::Active
    );
}

#[test]
fn the_applications_own_reason_stays_in_the_region() {
    let failed = receive(
        &requested(),
        Said::ProvisioningFailed,
        &answer(None, Some("ada-lovelace"), None),
    )
    .unwrap();
    let shown = failed.events.iter().find_map(|event| match event {
        TenantEvent::Onboarding(event) => Some(json!(event).to_string()),
        _ => None,
    });
    let shown = shown.unwrap();
    assert!(
        shown.contains("\"application\"") && !shown.contains("lovelace"),
        "{shown}"
    );
}
