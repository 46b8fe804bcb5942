//! From a tenant's closure to its complete erasure.

use super::fixtures::{World, world};
use kernel::{Role, StatusReason, TenantId, TenantStatus};
use std::time::Instant;
use tenancy::{KeyDigest, TaskKind};
use tenant_store::{Erasure, Leaving, LoadOptions};
use tenantkit::{Newcomer, moment};

/// A tenant with two users and an invitation, whose grace period ends on 20 December at noon.
async fn closing() -> (World, Newcomer) {
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
    (world, ada)
}

/// From the end of the grace period to the end of the tenant.
#[tokio::test]
async fn a_closure_ends_once_its_last_usage_is_rolled_up() {
    let (world, ada) = closing().await;
    let segments = world.send_usage(ada.tenant).await;
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
        assert_eq!(
            world.scheduled().await,
            [TaskKind::Drain],
            "a segment is pending"
        );
    }
    world.roll_up(ada.tenant, &segments).await;
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
}

/// From the end of the tenant to the removal of its resources.
#[tokio::test]
async fn a_closed_tenant_is_erased_after_the_retention() {
    let (world, ada) = closing().await;
    let segments = world.send_usage(ada.tenant).await;
    world.roll_up(ada.tenant, &segments).await;
    world.run("2026-12-20T12:00:00Z").await.unwrap();
    world.run("2026-12-20T12:08:00Z").await.unwrap();
    assert_eq!(
        world.region.tenant(ada.tenant).await.status,
        TenantStatus::Closed
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
    assert_eq!(world.region.published("TenantErased.v1").await.len(), 1);
    assert_eq!(world.region.signup(ada.tenant).await, None);
    assert_eq!(
        world
            .region
            .published("TenantDeprovisioningRequested.v1")
            .await[0]["data"]["attempt"],
        1
    );
    assert_eq!(world.scheduled().await, [TaskKind::Deprovisioning]);
}

/// A tenant with four accounts, an invitation and the usage of three segments.
async fn populated() -> (World, Newcomer) {
    let world = world(tenantkit::region().await).await;
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
        world.roll_up(ada.tenant, &sent).await;
    }
    (world, ada)
}

impl World {
    /// The record of a complete erasure of the populated tenant.
    async fn counted_in_full(&self, tenant: TenantId, time: &str) -> Erasure {
        Erasure {
            accounts: 4,
            invitations: 1,
            audit_entries: self.audit_entries(tenant).await,
            usage_items: self.usage_items(tenant).await,
            profiles: 1,
            erased_at: Some(moment(time)),
            ..Erasure::default()
        }
    }

    /// Deletes one user's account but not the user, and erases another user.
    async fn erase_some_users(&self, tenant: TenantId) {
        let users = self.region.tenants.users_to_erase(tenant).await.unwrap();
        for user in &users[..2] {
            let identity = &self.people.identity;
            identity.delete_account(&user.account_name()).await.unwrap();
        }
        self.region.tenants.erase_user(&users[0]).await.unwrap();
    }
}

/// Interrupted after every step, and within the larger ones.
#[tokio::test]
async fn an_interrupted_erasure_continues_and_counts_everything_once() {
    let (mut world, ada) = populated().await;
    let time = world.end(ada.tenant).await;
    let expected = world.counted_in_full(ada.tenant, &time).await;

    let identity = world.cut_off_accounts();
    assert_eq!(world.run(&time).await.unwrap_err().kind(), "TaskPending");
    assert_eq!(
        (world.accounts().await, world.erasures().await),
        (4, 0),
        "nothing is erased without the accounts"
    );
    world.adapters.identity = identity;
    world.erase_some_users(ada.tenant).await;

    let usage = world.cut_off_usage();
    for _ in 0..2 {
        assert_eq!(world.run(&time).await.unwrap_err().kind(), "TaskPending");
        let record = world.erasure(ada.tenant).await;
        let halfway = Erasure {
            usage_items: 0,
            profiles: 0,
            erased_at: None,
            ..expected.clone()
        };
        assert_eq!((record, world.accounts().await), (halfway, 0));
        assert_eq!(
            world.scheduled().await,
            [TaskKind::Erasure],
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
        assert_eq!(world.region.published("TenantErased.v1").await.len(), 1);
    }
    assert_eq!(
        (world.personal(&ada).await, world.scheduled().await),
        (0, vec![])
    );
}

/// Accounts are deleted whatever their names: other spellings, and accounts of the tenant's own
/// provider to which no user leads. Accounts of another tenant's users with the same address stay.
#[tokio::test]
async fn an_erasure_deletes_every_account_with_an_address_of_the_tenant() {
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
async fn an_erasure_without_time_does_one_step_a_slot() {
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
    world.roll_up(ada.tenant, &sent).await;
    let time = moment(&world.end(ada.tenant).await);
    let audit_entries = world.audit_entries(ada.tenant).await;
    let usage_items = world.usage_items(ada.tenant).await;
    let state = world
        .region
        .tenants
        .load(ada.tenant, LoadOptions::SIGNUP)
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
