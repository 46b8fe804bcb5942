use crate::newcomer::{Newcomer, moment};
use crate::region::region;
use kernel::{Role, Suspension, TenantStatus};
use tenancy::KeyDigest;

#[tokio::test]
async fn a_tenant_reaches_every_state_by_real_decisions() {
    let region = region().await.with_application();
    let ada = Newcomer::ada();
    let made = region.register(&ada).await;
    assert_eq!(
        region.confirm(ada.tenant, ada.at).await.status,
        TenantStatus::Provisioning
    );
    assert_eq!(
        region
            .published("TenantProvisioningRequested.v1")
            .await
            .len(),
        1
    );

    let other = Newcomer::somebody();
    let made_other = region.activate(&other).await;
    assert_ne!(
        (made.tenant.id, &made.tenant.alias),
        (made_other.tenant.id, &made_other.tenant.alias)
    );
    let now = moment("2026-11-21T09:00:00Z");
    let user = region
        .add_user(&made_other, "charles@engines.example", Role::Member, now)
        .await;
    assert_eq!((user.role, user.confirmed_at), (Role::Member, Some(now)));
    let tenant = region
        .publish(other.tenant, "pro", Some(Suspension::Dunning), now)
        .await;
    assert_eq!(
        (tenant.status, tenant.users, tenant.invitations),
        (TenantStatus::Suspended, 2, 0)
    );
    let closing = region
        .close(other.tenant, &KeyDigest::of("undo", "code"), now)
        .await;
    assert_eq!(closing.status, TenantStatus::Closing);
    let revisions: Vec<_> = region.published("TenantStatusChanged.v1").await;
    let of_other = revisions
        .iter()
        .filter(|event| event["data"]["tenant"] == other.tenant.to_string());
    let revisions: Vec<_> = of_other
        .map(|event| event["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(revisions, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn an_administrator_has_an_account() {
    let region = region().await;
    let people = region.people().await;
    let ada = Newcomer::ada();
    let made = region.register(&ada).await;
    region
        .make_account(&people, &made, &ada.password, ada.at)
        .await;
    assert_eq!(
        region.signup(ada.tenant).await.unwrap().identity_at,
        Some(ada.at)
    );
    assert_eq!(
        region.tenant(ada.tenant).await.status,
        TenantStatus::Pending
    );
}
