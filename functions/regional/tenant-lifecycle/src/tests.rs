mod clients;
mod erasure;
mod fixtures;
mod mails;

use contract::application::Answer;
use fixtures::{World, case, world};
use kernel::{StatusReason, TenantStatus};
use runtime::Scheduled;
use serde_json::{Value, json};
use tenancy::{OperationState, Said, TaskKind};
use tenant_store::Erasure;
use tenantkit::{Newcomer, moment};

#[tokio::test]
async fn every_event_gets_its_response() {
    for case in testkit::cases("tenant-lifecycle") {
        let event = serde_json::from_value::<Scheduled>(case.payload.clone());
        assert_eq!(event.is_ok(), case.is_valid(), "{}", case.name);
        if let Ok(event) = event {
            let world = world(tenantkit::region().await).await;
            assert_eq!(
                crate::handler::handle(&world.adapters, event).await,
                Ok(()),
                "{}",
                case.name
            );
        }
    }
    let time = case("valid-schedule")["time"].clone();
    assert_eq!(
        time, "2026-11-20T10:01:00Z",
        "the clock of a run is its event's"
    );
}

#[tokio::test]
async fn an_unconfirmed_sign_up_expires_and_frees_its_alias_and_address() {
    let world = world(tenantkit::region().await).await;
    let onboarding = Some("8d5b3c1e-90a4-4f6e-b7d2-1f2e3d4c5b6a".parse().unwrap());
    let ada = Newcomer {
        onboarding,
        ..Newcomer::ada()
    };
    let made = world.region.register(&ada).await;
    world
        .region
        .make_account(&world.people, &made, &ada.password, ada.at)
        .await;
    world.run("2026-11-21T08:59:59Z").await.unwrap();
    assert_eq!(
        world.region.tenant(ada.tenant).await.status,
        TenantStatus::Pending
    );
    assert_eq!(world.accounts().await, 1);

    let end = "2026-11-21T09:00:00Z";
    world.run(end).await.unwrap();
    let tenant = world.region.tenant(ada.tenant).await;
    assert_eq!(tenant.status, TenantStatus::Closed);
    assert_eq!(
        world.reasons(ada.tenant).await,
        [StatusReason::SignedUp, StatusReason::Expired]
    );
    assert_eq!((world.accounts().await, world.personal(&ada).await), (0, 0));
    assert_eq!(world.scheduled().await, [], "no task is left");
    let record = world.erasure(ada.tenant).await;
    let audit_entries = record.audit_entries;
    assert_eq!(
        record,
        Erasure {
            accounts: 1,
            audit_entries,
            profiles: 1,
            erased_at: Some(moment(end)),
            ..Erasure::default()
        }
    );
    assert!(audit_entries >= 2, "the sign-up and its end");

    // The caller can see the reason for a while.
    let signup = world.region.signup(ada.tenant).await.unwrap();
    let seen = tenancy::Operation::of(&signup, &tenant);
    assert_eq!(seen.state, OperationState::Ended);
    let progress = world.region.published("OnboardingProgressed.v1").await;
    assert_eq!(
        progress.last().unwrap()["data"]["steps"][2]["reason"],
        "expired"
    );
    assert_eq!(world.region.published("TenantErased.v1").await.len(), 1);
    assert_eq!(
        world
            .region
            .published("TenantDeprovisioningRequested.v1")
            .await
            .len(),
        0
    );

    world.run("2026-11-22T09:00:00Z").await.unwrap();
    assert_eq!(
        (
            world.region.tenant(ada.tenant).await,
            world.erasure(ada.tenant).await
        ),
        (tenant, record)
    );
    // The same person can sign up again.
    let again = Newcomer {
        organisation: ada.organisation,
        name: ada.name,
        email: ada.email,
        ..Newcomer::somebody()
    };
    world.region.activate(&again).await;
}

#[tokio::test]
async fn a_confirmed_sign_up_does_not_expire() {
    let world = world(tenantkit::region().await).await;
    let ada = Newcomer::ada();
    world.region.activate(&ada).await;
    let active = world.region.tenant(ada.tenant).await;
    world.run("2026-12-21T09:00:00Z").await.unwrap();
    assert_eq!(world.region.tenant(ada.tenant).await, active);
}

#[tokio::test]
async fn an_unanswered_provisioning_fails_and_a_late_answer_still_completes_it() {
    let world = world(tenantkit::region().await.with_application()).await;
    let ada = Newcomer::ada();
    world.region.register(&ada).await;
    world.region.confirm(ada.tenant, ada.at).await;
    world.run("2026-11-20T09:59:59Z").await.unwrap();
    assert_eq!(world.scheduled().await, [TaskKind::Provisioning]);

    world.run("2026-11-20T10:00:00Z").await.unwrap();
    let tenant = world.region.tenant(ada.tenant).await;
    let failure = tenant.provisioning.unwrap().failure.unwrap();
    assert_eq!(
        (failure.reason.as_str(), failure.retryable),
        ("no-answer", true)
    );
    assert_eq!(
        (tenant.status, world.scheduled().await),
        (TenantStatus::Provisioning, vec![TaskKind::Expiry])
    );
    let signup = world.region.signup(ada.tenant).await.unwrap();
    let seen = tenancy::Operation::of(&signup, &world.region.tenant(ada.tenant).await);
    assert_eq!(seen.state, OperationState::Failed);

    let late = Answer {
        tenant: ada.tenant,
        attempt: Some(1),
        reason: None,
        retryable: None,
    };
    let tenant = world
        .region
        .answer(Said::Provisioned, &late, moment("2026-11-20T11:00:00Z"))
        .await;
    assert_eq!(tenant.status, TenantStatus::Active);
    world.run("2026-11-27T10:00:00Z").await.unwrap();
    assert_eq!(
        world.region.tenant(ada.tenant).await.status,
        TenantStatus::Active,
        "it is not given up"
    );
    assert_eq!(world.scheduled().await, []);
}

#[tokio::test]
async fn a_tenant_that_is_never_provisioned_is_closed_and_erased() {
    let world = world(tenantkit::region().await.with_application()).await;
    let ada = Newcomer::ada();
    world.region.register(&ada).await;
    world.region.confirm(ada.tenant, ada.at).await;
    world.run("2026-11-20T10:00:00Z").await.unwrap();
    world.run("2026-11-27T10:00:00Z").await.unwrap();
    let tenant = world.region.tenant(ada.tenant).await;
    assert_eq!(tenant.status, TenantStatus::Closed);
    assert!(tenant.closure.unwrap().erased_at.is_some());
    assert_eq!(
        world
            .region
            .published("TenantDeprovisioningRequested.v1")
            .await
            .len(),
        1
    );
}

#[tokio::test]
async fn an_unanswered_removal_of_resources_is_requested_five_times() {
    let world = world(tenantkit::region().await.with_application()).await;
    let tenant = world.erased().await;
    for hour in 12..20 {
        world
            .run(&format!("2027-01-19T{hour}:05:00Z"))
            .await
            .unwrap();
        world
            .run(&format!("2027-01-19T{hour}:55:00Z"))
            .await
            .unwrap();
    }
    assert_eq!(world.removals_requested().await, [1, 2, 3, 4, 5]);
    assert_eq!(world.scheduled().await, []);
    let deprovisioning = world
        .region
        .tenant(tenant)
        .await
        .closure
        .unwrap()
        .deprovisioning
        .unwrap();
    assert_eq!(deprovisioning.failure.unwrap().reason.as_str(), "no-answer");
}

#[tokio::test]
async fn an_answered_removal_of_resources_is_not_requested_again() {
    for (status, retryable) in [
        (Said::Deprovisioned, None),
        (Said::DeprovisioningFailed, Some(false)),
    ] {
        let world = world(tenantkit::region().await.with_application()).await;
        let tenant = world.erased().await;
        world.run("2027-01-19T13:30:00Z").await.unwrap();
        assert_eq!(world.removals_requested().await, [1, 2]);
        let reason = retryable.map(|_| "not-ours".parse().unwrap());
        let answer = Answer {
            tenant,
            attempt: Some(2),
            reason,
            retryable,
        };
        world
            .region
            .answer(status, &answer, moment("2027-01-19T13:40:00Z"))
            .await;
        world.run("2027-01-20T12:00:00Z").await.unwrap();
        assert_eq!(
            (world.removals_requested().await, world.scheduled().await),
            (vec![1, 2], vec![]),
            "{status:?}"
        );
    }
}

/// More tasks fail than are loaded at once, and all before the one that does not.
#[tokio::test]
async fn failed_tasks_do_not_hold_up_the_others() {
    let mut world = world(tenantkit::region().await).await;
    world.cut_off_accounts();
    let mut ids = Vec::new();
    for _ in 0..27 {
        let somebody = World::in_one_partition(Newcomer::somebody());
        world.region.register(&somebody).await;
        ids.push(somebody.tenant);
    }
    world.region = world.region.clone().with_application();
    let at = moment("2026-11-20T10:00:00Z");
    let other = World::in_one_partition(Newcomer {
        at,
        ..Newcomer::somebody()
    });
    world.region.register(&other).await;
    world
        .region
        .confirm(other.tenant, moment("2026-11-21T08:30:00Z"))
        .await;

    let failure = world.run("2026-11-21T09:30:00Z").await.unwrap_err();
    assert_eq!(failure.kind(), "TaskPending");
    let tenant = world.region.tenant(other.tenant).await;
    assert_eq!(
        tenant
            .provisioning
            .unwrap()
            .failure
            .unwrap()
            .reason
            .as_str(),
        "no-answer"
    );
    for id in ids {
        assert_eq!(
            world.region.tenant(id).await.status,
            TenantStatus::Closed,
            "expired, and to be erased"
        );
    }
    let mut scheduled = vec![TaskKind::Erasure; 27];
    scheduled.push(TaskKind::Expiry);
    assert_eq!(world.scheduled().await, scheduled);
}

#[tokio::test]
async fn a_due_task_of_a_missing_tenant_is_deleted() {
    let world = world(tenantkit::region().await).await;
    let ada = Newcomer::ada();
    world.region.register(&ada).await;
    world.remove_tenant(ada.tenant).await;
    assert_eq!(world.scheduled().await, [TaskKind::Expiry]);
    world.run("2026-11-21T09:00:00Z").await.unwrap();
    assert_eq!(world.scheduled().await, []);
    let published: Vec<Value> = world.region.published("TenantErased.v1").await;
    assert_eq!(json!(published), json!([]));
}

#[tokio::test]
async fn a_missing_table_fails_the_run() {
    let mut world = world(tenantkit::region().await).await;
    world.cut_off_tenants();
    assert_eq!(
        world.run("2026-11-21T09:00:00Z").await.unwrap_err().kind(),
        "TasksNotLoaded"
    );
}
