//! Labels that tenants choose.

use super::{World, occasion, world};
use crate::{Lead, Reach, TenantStoreError};
use contract::{ClaimDecision, VanityDecided};
use kernel::{ClaimDigest, TenantId};
use serde_json::json;
use tenancy::{Actor, DueKind, LabelUse, Tenant, VanityLabel};

impl World {
    async fn claim(&self, tenant: TenantId, label: &str, n: u32) {
        let (claim, occasion) = (ClaimDigest::from_bytes([7; 32]), occasion(n));
        let claimed = self.store.change(tenant, Reach::TENANT, |loaded| {
            tenancy::decide_address_claim(
                &loaded.state,
                &label.parse().unwrap(),
                &claim,
                Actor::Holder,
                &occasion,
            )
        });
        claimed.await.unwrap();
    }

    /// What follows from home's answer; nothing is looked up in the region.
    async fn answer(
        &self,
        tenant: TenantId,
        decision: ClaimDecision,
        revision: u64,
        n: u32,
    ) -> Result<Tenant, TenantStoreError> {
        let (claim, occasion) = (ClaimDigest::from_bytes([7; 32]), occasion(n));
        let decided = VanityDecided {
            tenant,
            claim,
            decision,
            revision,
        };
        let changed = self.store.change(tenant, Reach::TENANT, |loaded| {
            Ok(tenancy::decide_claim_decision(
                &loaded.state,
                &decided,
                LabelUse::Free,
                &occasion,
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
async fn a_chosen_label_is_kept_free_and_leads_to_the_tenant_and_is_free_again() {
    let world = world().await;
    let (one, other) = (
        world.active(1).await.tenant.id,
        world.active(2).await.tenant.id,
    );
    let reader = world.store.reader();
    let label: VanityLabel = "acme".parse().unwrap();
    world.claim(one, "acme", 3).await;
    assert!(!world.holds("ALIAS#acme").await, "home has not answered");
    assert_eq!(
        world
            .due()
            .await
            .iter()
            .filter(|due| due.kind == DueKind::Vanity)
            .count(),
        1
    );
    world
        .answer(one, ClaimDecision::Leased, 1, 4)
        .await
        .unwrap();
    assert_eq!(reader.resolve("acme").await.unwrap(), None);
    assert_eq!(reader.label_use(&label, one).await.unwrap(), LabelUse::Free);
    assert_eq!(
        reader.label_use(&label, other).await.unwrap(),
        LabelUse::Reserved
    );

    world.claim(other, "acme", 5).await;
    let stolen = world.answer(other, ClaimDecision::Leased, 1, 6).await;
    assert!(
        matches!(stolen, Err(TenantStoreError::Busy { .. })),
        "nobody's label is replaced"
    );

    world
        .answer(one, ClaimDecision::Confirmed, 2, 7)
        .await
        .unwrap();
    assert_eq!(reader.resolve("acme").await.unwrap(), Some(Lead::Here(one)));
    assert_eq!(
        reader.label_use(&label, other).await.unwrap(),
        LabelUse::Leading
    );
    assert!(
        world
            .due()
            .await
            .iter()
            .all(|due| due.kind != DueKind::Vanity || due.tenant == other)
    );
    let stored = reader.load_tenant(one).await.unwrap().unwrap();
    assert_eq!(stored.vanity_label().map(VanityLabel::expose), Some("acme"));

    let occasion = occasion(8);
    let released = world.store.change(one, Reach::TENANT, |loaded| {
        Ok(tenancy::decide_address_release(
            &loaded.state,
            Actor::Holder,
            &occasion,
        ))
    });
    assert_eq!(released.await.unwrap().tenant.vanity_label(), None);
    assert!(!world.holds("ALIAS#acme").await);
    let facts = world.facts().await;
    let claims = facts
        .iter()
        .filter(|(name, fact)| name == "VanityClaimed.v1" && fact["data"]["tenant"] == json!(one));
    let phases: Vec<_> = claims
        .map(|(_, fact)| fact["data"]["phase"].clone())
        .collect();
    assert_eq!(json!(phases), json!(["requested", "confirmed", "released"]));
    assert!(!json!(facts).to_string().contains("acme"));
}
