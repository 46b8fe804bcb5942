//! Custom subdomains.

use super::{World, context, world};
use crate::TenantStoreError;
use crate::resolve::Destination;
use crate::write::LoadOptions;
use contract::{ReservationDecision, SubdomainReservationDecided};
use kernel::{SubdomainDigest, TenantId};
use serde_json::json;
use tenancy::{Actor, CustomSubdomain, SubdomainUse, TaskKind, Tenant};

impl World {
    async fn reservation(&self, tenant: TenantId, subdomain: &str, n: u32) {
        let (reservation, context) = (SubdomainDigest::from_bytes([7; 32]), context(n));
        let reserved = self.store.change(tenant, LoadOptions::TENANT, |loaded| {
            tenancy::decide_subdomain_reservation(
                &loaded.state,
                &subdomain.parse().unwrap(),
                &reservation,
                Actor::Holder,
                &context,
            )
        });
        reserved.await.unwrap();
    }

    /// Applies home's decision on a reservation.
    async fn answer(
        &self,
        tenant: TenantId,
        decision: ReservationDecision,
        revision: u64,
        n: u32,
    ) -> Result<Tenant, TenantStoreError> {
        let (digest, context) = (SubdomainDigest::from_bytes([7; 32]), context(n));
        let decided = SubdomainReservationDecided {
            tenant,
            digest,
            decision,
            revision,
        };
        let changed = self.store.change(tenant, LoadOptions::TENANT, |loaded| {
            Ok(tenancy::decide_reservation_answer(
                &loaded.state,
                &decided,
                SubdomainUse::Free,
                &context,
            ))
        });
        changed.await.map(|state| state.tenant)
    }

    async fn holds(&self, pk: &str) -> bool {
        let items = self
            .client
            .scan()
            .table_name(&self.table)
            .send()
            .await
            .unwrap();
        items
            .items()
            .iter()
            .any(|item| item["pk"].as_s().unwrap() == pk)
    }
}

#[tokio::test]
async fn a_custom_subdomain_is_reserved_then_leads_to_the_tenant_then_is_free_again() {
    let world = world().await;
    let (one, other) = (
        world.active(1).await.tenant.id,
        world.active(2).await.tenant.id,
    );
    let reader = world.store.reader();
    let subdomain: CustomSubdomain = "acme".parse().unwrap();
    world.reservation(one, "acme", 3).await;
    assert!(!world.holds("ALIAS#acme").await, "home has not decided yet");
    assert_eq!(
        world
            .due()
            .await
            .iter()
            .filter(|due| due.kind == TaskKind::Subdomains)
            .count(),
        1
    );
    world
        .answer(one, ReservationDecision::Leased, 1, 4)
        .await
        .unwrap();
    assert_eq!(reader.resolve("acme").await.unwrap(), None);
    assert_eq!(
        reader.subdomain_use(&subdomain, one).await.unwrap(),
        SubdomainUse::Free
    );
    assert_eq!(
        reader.subdomain_use(&subdomain, other).await.unwrap(),
        SubdomainUse::Reserved
    );

    world.reservation(other, "acme", 5).await;
    let stolen = world.answer(other, ReservationDecision::Leased, 1, 6).await;
    assert!(
        matches!(stolen, Err(TenantStoreError::Busy { .. })),
        "nobody's subdomain is replaced"
    );

    world
        .answer(one, ReservationDecision::Confirmed, 2, 7)
        .await
        .unwrap();
    assert_eq!(
        reader.resolve("acme").await.unwrap(),
        Some(Destination::Here(one))
    );
    assert_eq!(
        reader.subdomain_use(&subdomain, other).await.unwrap(),
        SubdomainUse::Leading
    );
    assert!(
        world
            .due()
            .await
            .iter()
            .all(|due| due.kind != TaskKind::Subdomains || due.tenant == other)
    );
    let stored = reader.load_tenant(one).await.unwrap().unwrap();
    assert_eq!(
        stored.custom_subdomain().map(CustomSubdomain::expose),
        Some("acme")
    );

    let context = context(8);
    let released = world.store.change(one, LoadOptions::TENANT, |loaded| {
        Ok(tenancy::decide_subdomain_release(
            &loaded.state,
            Actor::Holder,
            &context,
        ))
    });
    assert_eq!(released.await.unwrap().tenant.custom_subdomain(), None);
    assert!(!world.holds("ALIAS#acme").await);
    let events = world.events().await;
    let reservations = events.iter().filter(|(name, event)| {
        name == "SubdomainReservationUpdated.v1" && event["data"]["tenant"] == json!(one)
    });
    let phases: Vec<_> = reservations
        .map(|(_, event)| event["data"]["phase"].clone())
        .collect();
    assert_eq!(json!(phases), json!(["requested", "confirmed", "released"]));
    assert!(!json!(events).to_string().contains("acme"));
}
