//! Policies that arrive in any order.

use super::*;

#[tokio::test]
async fn the_highest_policy_version_applies_and_every_delivery_is_acknowledged() {
    let world = world().await;
    let made = world.active(1).await;
    let versions = [3, 1, 5, 5, 2, 4];
    join_all(versions.iter().enumerate().map(|(place, version)| {
        let (world, tenant) = (&world, made.tenant.id);
        async move {
            world
                .apply(
                    tenant,
                    &policy(*version),
                    u32::try_from(place).unwrap() + 10,
                )
                .await
                .unwrap()
        }
    }))
    .await;
    let tenant = world
        .store
        .reader()
        .load_tenant(made.tenant.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (
            tenant.policy.version,
            tenant.policy.suspension,
            tenant.plan.as_str()
        ),
        (5, None, "pro")
    );
    assert_eq!(tenant.status, TenantStatus::Active);
    let events = world.events().await;
    let acknowledged: Vec<_> = events
        .iter()
        .filter(|(kind, _)| kind == "TenantPolicyApplied.v1")
        .collect();
    assert_eq!(acknowledged.len(), versions.len());
    assert_eq!(acknowledged.last().unwrap().1["data"]["version"], json!(5));
    let published = events
        .iter()
        .filter(|(kind, _)| kind == "TenantStatusChanged.v1");
    let revisions: Vec<_> = published
        .map(|(_, event)| event["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(
        revisions,
        (1..=tenant.version).collect::<Vec<_>>(),
        "every version is published once"
    );
}

#[tokio::test]
async fn a_policy_of_an_unknown_tenant_writes_nothing() {
    let world = world().await;
    let refused = world.apply(tenant_id(9), &policy(1), 1).await;
    assert!(matches!(refused, Err(TenantStoreError::UnknownTenant)));
    assert_eq!((world.items().await, world.events().await.len()), (0, 0));
}
