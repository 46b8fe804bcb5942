//! The attributes of these rows that metering reads and does not write.

use super::{ANCHOR, context, policy, settings, sign_up, tenant_id, world};
use crate::write::LoadOptions;
use catalogue::Catalogue;
use futures::future::join_all;
use kernel::{MachineScope, TenantStatus, WindowSize};
use tenancy::{
    Actor, ClientId, ClientWish, KeyDigest, ScheduledTask, TaskKind, decide_alert_thresholds,
    decide_client, decide_client_made, decide_revocation, thresholds_of_plan,
};
use usage_store::PlanTerms;

#[tokio::test]
async fn terms_exist_for_existing_tenants_only() {
    let world = world().await;
    join_all((1..=120).map(|n| world.register(n))).await;
    let made = sign_up(7).0;
    world.confirm(made.tenant.id, 500).await.unwrap();
    let requested: Vec<_> = (1..=130).chain(1..=3).map(tenant_id).collect();
    let terms = world.terms.usage_terms(&requested).await.unwrap();
    assert_eq!(terms.len(), 120);
    let of = |n| {
        (
            terms[&tenant_id(n)].status,
            terms[&tenant_id(n)].billing_anchor.to_string(),
        )
    };
    assert_eq!(
        (of(7), of(8)),
        (
            (TenantStatus::Active, ANCHOR.into()),
            (TenantStatus::Pending, ANCHOR.into())
        )
    );
    // Billing begins with the period in which a tenant became active.
    let first = WindowSize::Month.start(context(500).now, ANCHOR.parse().unwrap());
    assert_eq!(
        (
            terms[&tenant_id(7)].first_moment(),
            terms[&tenant_id(8)].first_moment()
        ),
        (Some(first), None)
    );
    // Later changes of the tenant do not move it.
    let changed = world.apply(made.tenant.id, &policy(1), 501).await.unwrap();
    let terms = world.terms.usage_terms(&[tenant_id(7)]).await.unwrap();
    let stays = (changed.activated_at, terms[&tenant_id(7)].first_moment());
    assert_eq!(stays, (Some(context(500).now), Some(first)));
    assert!(world.terms.usage_terms(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_fenced_tenant_counts_as_closed_where_usage_is_taken() {
    let world = world().await;
    let made = world.active(1).await;
    let id = made.tenant.id;
    let (settings, catalogue) = (settings(), Catalogue::bundled().unwrap());
    let closing = world.store.change(id, LoadOptions::TENANT, |loaded| {
        let undo = KeyDigest::of("closure", "code");
        tenancy::decide_closure(&loaded.state, Actor::Holder, undo, &settings, &context(30))
            .map(Some)
    });
    let ends_at = closing.await.unwrap().tenant.closure.unwrap().ends_at;
    let status = async || world.terms.usage_terms(&[id]).await.unwrap()[&id].status;
    assert_eq!(status().await, TenantStatus::Closing);
    let due = ScheduledTask {
        at: ends_at,
        kind: TaskKind::Grace,
        tenant: id,
    };
    let fenced = world.store.change(id, LoadOptions::TENANT, |loaded| {
        tenancy::decide_task(
            &loaded.state,
            &due,
            true,
            &catalogue,
            &settings,
            &context(31),
        )
        .map(Some)
    });
    assert_eq!(fenced.await.unwrap().tenant.status, TenantStatus::Closing);
    assert_eq!(status().await, TenantStatus::Closed);
}

#[tokio::test]
async fn the_plan_and_the_tenants_own_thresholds_are_read_as_stored() {
    let world = world().await;
    let made = world.active(1).await;
    let (id, by) = (made.tenant.id, made.user.username);
    let plan_terms = async || world.terms.plan_terms(id).await.unwrap();
    let before = PlanTerms {
        plan: made.tenant.plan.clone(),
        alert_thresholds: made.tenant.alert_thresholds.clone(),
    };
    assert_eq!(plan_terms().await, Some(before));
    let catalogue = Catalogue::bundled().unwrap();
    let plan = catalogue.plan(&made.tenant.plan).unwrap();
    let own = thresholds_of_plan(plan, [("transfer-gb", &[25_u16, 90][..])]).unwrap();
    let changed = world.store.change(id, LoadOptions::TENANT, |loaded| {
        Ok(decide_alert_thresholds(
            &loaded.state,
            &own,
            by,
            &context(40),
        ))
    });
    changed.await.unwrap();
    let after = PlanTerms {
        plan: made.tenant.plan,
        alert_thresholds: own,
    };
    assert_eq!(plan_terms().await, Some(after));
    assert_eq!(world.terms.plan_terms(tenant_id(9)).await.unwrap(), None);
}

#[tokio::test]
async fn a_client_is_read_with_the_terms_of_its_tenant() {
    let world = world().await;
    let made = world.active(1).await;
    let (id, by) = (made.tenant.id, made.user.username);
    let client = ClientId::of(id, &KeyDigest::of("client", "machine"));
    let request = ClientWish {
        id: client,
        scopes: vec![MachineScope::UsageWrite],
        replaces: None,
        by,
    };
    let requested = world.store.change(id, LoadOptions::CLIENTS, |loaded| {
        decide_client(&loaded.state, &loaded.clients, &request, &context(50)).map(Some)
    });
    requested.await.unwrap();
    let named = world.store.change(id, LoadOptions::CLIENTS, |loaded| {
        let (state, clients) = (&loaded.state, &loaded.clients);
        decide_client_made(state, clients, client, "machine", &context(51))
    });
    named.await.unwrap();
    let read = async |name| {
        let read = world.terms.usage_terms_with_client(&[id], Some(name)).await;
        read.unwrap()
    };
    let (terms, found) = read("machine").await;
    let (found, now) = (found.unwrap(), context(52).now);
    assert_eq!((terms.len(), found.tenant), (1, id));
    assert!(found.may(MachineScope::UsageWrite, now));
    assert!(!found.may(MachineScope::UsageRead, now));
    assert_eq!(read("another").await.1, None);

    let ended = world.store.change(id, LoadOptions::CLIENTS, |loaded| {
        let (state, client) = (&loaded.state, &loaded.clients[0]);
        Ok(decide_revocation(state, client, by, &context(53)))
    });
    ended.await.unwrap();
    let ended = read("machine").await.1.unwrap();
    assert!(!ended.may(MachineScope::UsageWrite, now));
}
