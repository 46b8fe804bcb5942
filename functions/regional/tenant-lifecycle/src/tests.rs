mod clients;
mod fixtures;
mod mails;

use contract::application::Answer;
use fixtures::{World, case, world};
use kernel::{Role, StatusReason, TenantStatus};
use runtime::Scheduled;
use serde_json::{Value, json};
use std::time::Instant;
use tenancy::{DueKind, KeyDigest, OperationState, Said};
use tenant_store::{Erasure, Leaving, Reach};
use tenantkit::{Newcomer, moment};

#[tokio::test]
async fn every_event_gets_its_answer() {
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
async fn a_sign_up_that_nobody_confirms_expires_and_frees_all_it_held() {
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
    assert_eq!(world.waiting().await, [], "nothing is left to be looked at");
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

    // Whoever holds the handle can see why, for a while.
    let signup = world.region.signup(ada.tenant).await.unwrap();
    let seen = tenancy::Operation::of(&signup, &tenant);
    assert_eq!(seen.state, OperationState::Ended);
    let progress = world.region.stated("OnboardingProgressed.v1").await;
    assert_eq!(
        progress.last().unwrap()["data"]["steps"][2]["reason"],
        "expired"
    );
    assert_eq!(world.region.stated("TenantErased.v1").await.len(), 1);
    assert_eq!(
        world
            .region
            .stated("TenantDeprovisioningRequested.v1")
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
async fn silence_is_a_failure_that_a_late_answer_still_mends() {
    let world = world(tenantkit::region().await.with_application()).await;
    let ada = Newcomer::ada();
    world.region.register(&ada).await;
    world.region.confirm(ada.tenant, ada.at).await;
    world.run("2026-11-20T09:59:59Z").await.unwrap();
    assert_eq!(world.waiting().await, [DueKind::Provisioning]);

    world.run("2026-11-20T10:00:00Z").await.unwrap();
    let tenant = world.region.tenant(ada.tenant).await;
    let failure = tenant.provisioning.unwrap().failure.unwrap();
    assert_eq!(
        (failure.reason.as_str(), failure.retryable),
        ("no-answer", true)
    );
    assert_eq!(
        (tenant.status, world.waiting().await),
        (TenantStatus::Provisioning, vec![DueKind::Expiry])
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
    assert_eq!(world.waiting().await, []);
}

#[tokio::test]
async fn a_tenant_that_nobody_makes_resources_for_is_given_up_and_erased() {
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
            .stated("TenantDeprovisioningRequested.v1")
            .await
            .len(),
        1
    );
}

/// From the end of the grace period to the removal of the resources.
#[tokio::test]
async fn a_closure_ends_when_its_last_usage_is_settled_and_is_erased_after_the_retention() {
    let world = world(tenantkit::region().await.with_application()).await;
    let ada = Newcomer::ada();
    let made = world.region.activate(&ada).await;
    world
        .region
        .add_user(&made, "charles@engines.example", Role::Member, ada.at)
        .await;
    world
        .region
        .invite(
            ada.tenant,
            made.user.username,
            "mary@engines.example",
            Role::Member,
            ada.at,
        )
        .await;
    world
        .region
        .close(
            ada.tenant,
            &KeyDigest::of("undo", "code"),
            moment("2026-11-20T12:00:00Z"),
        )
        .await;
    let waiting = world.send_usage(ada.tenant).await;

    world.run("2026-12-20T11:59:59Z").await.unwrap();
    assert_eq!(
        world.status_for_usage(ada.tenant).await,
        TenantStatus::Closing
    );
    world.run("2026-12-20T12:00:00Z").await.unwrap();
    assert_eq!(
        world.region.tenant(ada.tenant).await.status,
        TenantStatus::Closing
    );
    assert_eq!(
        world.status_for_usage(ada.tenant).await,
        TenantStatus::Closed,
        "behind the fence"
    );
    for minute in 5..8 {
        world
            .run(&format!("2026-12-20T12:0{minute}:00Z"))
            .await
            .unwrap();
        assert_eq!(world.waiting().await, [DueKind::Drain], "a segment waits");
    }
    world.settle(ada.tenant, &waiting).await;
    world.run("2026-12-20T12:08:00Z").await.unwrap();
    assert_eq!(
        world.region.tenant(ada.tenant).await.status,
        TenantStatus::Closed
    );
    assert_eq!(
        world.reasons(ada.tenant).await.last(),
        Some(&StatusReason::GraceEnded)
    );
    assert_ne!(
        world.personal(&ada).await,
        0,
        "kept for the retention period"
    );

    world.run("2027-01-19T12:07:59Z").await.unwrap();
    assert_ne!(world.personal(&ada).await, 0);
    let (audit_entries, usage_items) = (
        world.audit_entries(ada.tenant).await,
        world.usage_items(ada.tenant).await,
    );
    assert!(
        audit_entries > 5 && usage_items >= 3,
        "{audit_entries} entries, {usage_items} items"
    );
    let end = "2027-01-19T12:08:00Z";
    world.run(end).await.unwrap();
    assert_eq!(
        (
            world.personal(&ada).await,
            world.usage_items(ada.tenant).await
        ),
        (0, 0)
    );
    let erased_at = Some(moment(end));
    let counted = Erasure {
        accounts: 2,
        invitations: 1,
        audit_entries,
        usage_items,
        profiles: 1,
        ..Erasure::default()
    };
    let record = Erasure {
        erased_at,
        ..counted
    };
    assert_eq!(world.erasure(ada.tenant).await, record);
    assert_eq!(world.region.stated("TenantErased.v1").await.len(), 1);
    assert_eq!(world.region.signup(ada.tenant).await, None);
    assert_eq!(
        world
            .region
            .stated("TenantDeprovisioningRequested.v1")
            .await[0]["data"]["attempt"],
        1
    );
    assert_eq!(world.waiting().await, [DueKind::Deprovisioning]);
}

#[tokio::test]
async fn a_removal_that_nobody_answers_is_asked_for_five_times() {
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
    assert_eq!(world.removals_asked().await, [1, 2, 3, 4, 5]);
    assert_eq!(world.waiting().await, []);
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
async fn a_removal_is_not_asked_for_again_once_it_is_answered_for_good() {
    for (said, retryable) in [
        (Said::Deprovisioned, None),
        (Said::DeprovisioningFailed, Some(false)),
    ] {
        let world = world(tenantkit::region().await.with_application()).await;
        let tenant = world.erased().await;
        world.run("2027-01-19T13:30:00Z").await.unwrap();
        assert_eq!(world.removals_asked().await, [1, 2]);
        let reason = retryable.map(|_| "not-ours".parse().unwrap());
        let answer = Answer {
            tenant,
            attempt: Some(2),
            reason,
            retryable,
        };
        world
            .region
            .answer(said, &answer, moment("2027-01-19T13:40:00Z"))
            .await;
        world.run("2027-01-20T12:00:00Z").await.unwrap();
        assert_eq!(
            (world.removals_asked().await, world.waiting().await),
            (vec![1, 2], vec![]),
            "{said:?}"
        );
    }
}

/// Cut off behind every step, and in the middle of the larger ones.
#[tokio::test]
async fn an_erasure_that_was_cut_off_goes_on_and_counts_everything_once() {
    let mut world = world(tenantkit::region().await).await;
    let ada = Newcomer::ada();
    let made = world.region.activate(&ada).await;
    world
        .region
        .make_account(&world.people, &made, &ada.password, ada.at)
        .await;
    for name in ["charles", "mary", "george"] {
        let user = world
            .region
            .add_user(
                &made,
                &format!("{name}@engines.example"),
                Role::Member,
                ada.at,
            )
            .await;
        let password = ada.password.parse().unwrap();
        let voucher = tenancy::Voucher::from_random([7; 16]);
        world
            .people
            .identity
            .sign_up(
                user.username,
                &user.email,
                &password,
                identity::Mailing::AtOnce,
                &voucher,
            )
            .await
            .unwrap();
    }
    world
        .region
        .invite(
            ada.tenant,
            made.user.username,
            "luigi@engines.example",
            Role::Admin,
            ada.at,
        )
        .await;
    for _ in 0..3 {
        let sent = world.send_usage(ada.tenant).await;
        world.settle(ada.tenant, &sent).await;
    }
    let time = world.end(ada.tenant).await;
    let expected = Erasure {
        accounts: 4,
        invitations: 1,
        audit_entries: world.audit_entries(ada.tenant).await,
        usage_items: world.usage_items(ada.tenant).await,
        profiles: 1,
        erased_at: Some(moment(&time)),
        ..Erasure::default()
    };

    let identity = world.cut_off_accounts();
    assert_eq!(world.run(&time).await.unwrap_err().kind(), "StillDue");
    assert_eq!(
        (world.accounts().await, world.erasures().await),
        (4, 0),
        "nothing is erased without the accounts"
    );
    world.adapters.identity = identity;
    // One account is deleted, and its user is not; another one is erased.
    let users = world
        .region
        .tenants
        .users_to_erase(ada.tenant)
        .await
        .unwrap();
    for user in &users[..2] {
        world
            .people
            .identity
            .delete_account(&user.account_name())
            .await
            .unwrap();
    }
    world.region.tenants.erase_user(&users[0]).await.unwrap();

    let usage = world.cut_off_usage();
    for _ in 0..2 {
        assert_eq!(world.run(&time).await.unwrap_err().kind(), "StillDue");
        let record = world.erasure(ada.tenant).await;
        let halfway = Erasure {
            usage_items: 0,
            profiles: 0,
            erased_at: None,
            ..expected.clone()
        };
        assert_eq!((record, world.accounts().await), (halfway, 0));
        assert_eq!(
            world.waiting().await,
            [DueKind::Erasure],
            "what failed is still due"
        );
    }
    world.adapters.usage = usage;
    let crate::adapters::Adapters { usage, tenants, .. } = &world.adapters;
    let note = |items| tenants.note_of_usage(ada.tenant, items);
    usage.erase_some(ada.tenant, note).await.unwrap();
    let Newcomer { signup, .. } = ada;
    world
        .region
        .tenants
        .erase_profile(ada.tenant, signup, true, moment(&time))
        .await
        .unwrap();

    for _ in 0..2 {
        world.run(&time).await.unwrap();
        assert_eq!(world.erasure(ada.tenant).await, expected);
        assert_eq!(world.region.stated("TenantErased.v1").await.len(), 1);
    }
    assert_eq!(
        (world.personal(&ada).await, world.waiting().await),
        (0, vec![])
    );
}

/// What is in the pool goes, whatever it is called: other spellings of a name, accounts of the
/// tenant's own provider that no user leads to. What another tenant's users have with the same
/// address stays.
#[tokio::test]
async fn an_erasure_leaves_no_account_with_an_address_of_the_tenant() {
    let world = world(tenantkit::region().await).await;
    let ada = Newcomer::ada();
    let made = world.region.activate(&ada).await;
    world
        .region
        .make_account(&world.people, &made, &ada.password, ada.at)
        .await;
    let other = Newcomer {
        email: ada.email.clone(),
        ..Newcomer::somebody()
    };
    let other = world.region.activate(&other).await;
    world
        .region
        .make_account(&world.people, &other, &ada.password, ada.at)
        .await;
    let uuid = made.user.username.to_string();
    for (name, email) in [
        (uuid.replace('-', ""), ada.email.as_str()),
        (format!("{{{uuid}}}"), ada.email.as_str()),
        (format!("urn:uuid:{uuid}"), ada.email.as_str()),
        (
            format!("oidc-{}_stray", ada.alias),
            "somebody-else@engines.example",
        ),
    ] {
        world.plant(&name, email).await;
    }
    assert_eq!(world.accounts().await, 6);
    let time = world.end(ada.tenant).await;
    world.run(&time).await.unwrap();
    assert_eq!(
        world.account_names().await,
        [other.user.username.to_string()]
    );
}

#[tokio::test]
async fn an_erasure_without_time_takes_one_step_a_turn() {
    let world = world(tenantkit::region().await).await;
    let ada = Newcomer::ada();
    let made = world.region.activate(&ada).await;
    world
        .region
        .invite(
            ada.tenant,
            made.user.username,
            "luigi@engines.example",
            Role::Admin,
            ada.at,
        )
        .await;
    let sent = world.send_usage(ada.tenant).await;
    world.settle(ada.tenant, &sent).await;
    let time = moment(&world.end(ada.tenant).await);
    let audit_entries = world.audit_entries(ada.tenant).await;
    let usage_items = world.usage_items(ada.tenant).await;
    let state = world
        .region
        .tenants
        .load(ada.tenant, Reach::SIGNUP)
        .await
        .unwrap()
        .state;
    let mut turns = 1;
    while world
        .adapters
        .erase(&state, time, Instant::now())
        .await
        .unwrap()
        == Leaving::Some
    {
        turns += 1;
        assert_eq!(world.erasure(ada.tenant).await.erased_at, None);
    }
    assert_eq!(
        turns, 6,
        "users, invitations, the trail, segments, totals, and the end"
    );
    let record = world.erasure(ada.tenant).await;
    assert_eq!(
        (record.audit_entries, record.usage_items),
        (audit_entries, usage_items)
    );
    assert_eq!(record.erased_at, Some(time));
}

/// More fail than are loaded at once, and all before the one that does not.
#[tokio::test]
async fn what_fails_does_not_keep_the_others_waiting() {
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
    assert_eq!(failure.kind(), "StillDue");
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
    let mut waiting = vec![DueKind::Erasure; 27];
    waiting.push(DueKind::Expiry);
    assert_eq!(world.waiting().await, waiting);
}

#[tokio::test]
async fn what_is_due_of_no_tenant_is_forgotten() {
    let world = world(tenantkit::region().await).await;
    let ada = Newcomer::ada();
    world.region.register(&ada).await;
    world.remove_tenant(ada.tenant).await;
    assert_eq!(world.waiting().await, [DueKind::Expiry]);
    world.run("2026-11-21T09:00:00Z").await.unwrap();
    assert_eq!(world.waiting().await, []);
    let stated: Vec<Value> = world.region.stated("TenantErased.v1").await;
    assert_eq!(json!(stated), json!([]));
}

#[tokio::test]
async fn a_table_that_is_not_there_fails_the_run() {
    let mut world = world(tenantkit::region().await).await;
    world.cut_off_tenants();
    assert_eq!(
        world.run("2026-11-21T09:00:00Z").await.unwrap_err().kind(),
        "DueNotLoaded"
    );
}
