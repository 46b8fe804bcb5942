use crate::handler::{Adapters, handle};
use kernel::{SubdomainDigest, Suspension, TenantId, TenantStatus};
use serde_json::{Value, json};
use tenancy::{Actor, ReservationState, Tenant, decide_subdomain_reservation};
use tenant_store::{Destination, LoadOptions};
use tenantkit::{Newcomer, Region};
use testkit::Case;

struct World {
    region: Region,
    adapters: Adapters,
}

/// A region where the tenant of the events is in use.
async fn world() -> World {
    let region = tenantkit::region().await;
    region.activate(&Newcomer::ada()).await;
    let adapters = Adapters {
        region: region.code.clone(),
        tenants: region.tenants.clone(),
        settings: region.settings,
    };
    World { region, adapters }
}

impl World {
    /// Delivers a batch. Returns the ids of the failed messages.
    async fn deliver(&self, batch: &Value) -> Vec<String> {
        let Ok(response) = handle(
            &self.adapters,
            serde_json::from_value(batch.clone()).unwrap(),
        )
        .await;
        response
            .batch_item_failures
            .into_iter()
            .map(|failure| failure.item_identifier)
            .collect()
    }

    async fn tenant(&self) -> Tenant {
        self.region.tenant(Newcomer::ada().tenant).await
    }

    /// The policy versions that were reported to home, in order.
    async fn acknowledged(&self) -> Vec<u64> {
        let published = self.region.published("TenantPolicyApplied.v1").await;
        let mut versions: Vec<u64> = published
            .iter()
            .map(|event| event["data"]["version"].as_u64().unwrap())
            .collect();
        versions.sort_unstable();
        versions
    }

    /// The last report of the tenant to home: status, reason, plan, revision.
    async fn last_status(&self) -> Value {
        let published = self.region.published("TenantStatusChanged.v1").await;
        let last = published
            .iter()
            .max_by_key(|event| event["sequence"].as_u64())
            .unwrap();
        let data = &last["data"];
        json!([
            data["status"],
            data["reason"],
            data["plan"],
            data["revision"]
        ])
    }
}

fn case(name: &str) -> Value {
    testkit::cases("policy-apply")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

#[tokio::test]
async fn every_case_has_its_expected_result() {
    for case in testkit::cases("policy-apply") {
        let world = world().await;
        let before = world.tenant().await;
        let failed = world.deliver(&case.payload).await;
        let Case { name, payload } = &case;
        if case.is_valid() {
            assert!(failed.is_empty(), "{name}");
            let bodies = payload["Records"]
                .as_array()
                .unwrap()
                .iter()
                .map(|record| record["body"].as_str().unwrap());
            let policies = bodies
                .filter(|body| body.contains("TenantPolicyPublished"))
                .count();
            assert_eq!(world.acknowledged().await.len(), policies, "{name}");
        } else {
            assert_eq!(
                failed,
                [payload["Records"][0]["messageId"].as_str().unwrap()],
                "{name}"
            );
            assert_eq!(
                (world.tenant().await, world.acknowledged().await),
                (before, vec![]),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn duplicate_and_late_policies_are_acknowledged_with_the_version_in_force() {
    let world = world().await;
    assert!(
        world
            .deliver(&case("valid-duplicate-and-reordered"))
            .await
            .is_empty()
    );
    let after = world.tenant().await;
    assert_eq!((after.policy.version, after.plan.as_str()), (3, "pro"));
    assert_eq!(world.acknowledged().await, [3, 3, 3]);
    assert_eq!(
        world.last_status().await,
        json!(["active", "plan_changed", "pro", 3]),
        "another plan is published once"
    );
    assert!(world.deliver(&case("valid-first")).await.is_empty());
    let again = world.tenant().await;
    assert_eq!(
        Tenant {
            generation: after.generation,
            ..again
        },
        after
    );
    assert_eq!(world.acknowledged().await, [3, 3, 3, 3]);
    assert_eq!(world.last_status().await[3], 3);
}

#[tokio::test]
async fn a_suspension_and_its_end_are_published_with_their_reason() {
    let published = |version: u64, suspension: Value| {
        let mut event = case("valid-suspension");
        let mut body: Value =
            serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap();
        let policy = &mut body["detail"]["data"]["policy"];
        (policy["version"], policy["suspension"]) = (json!(version), suspension);
        event["Records"][0]["body"] = Value::String(body.to_string());
        event
    };
    for (suspension, reason) in [
        (Suspension::Dunning, "dunning"),
        (Suspension::Operator, "operator"),
    ] {
        let world = world().await;
        assert!(
            world
                .deliver(&published(4, json!(suspension)))
                .await
                .is_empty()
        );
        let suspended = world.tenant().await;
        assert_eq!(
            (suspended.status, suspended.policy.suspension),
            (TenantStatus::Suspended, Some(suspension))
        );
        assert_eq!(
            world.last_status().await,
            json!(["suspended", reason, "pro", 3])
        );

        assert!(world.deliver(&published(5, Value::Null)).await.is_empty());
        assert_eq!(world.tenant().await.status, TenantStatus::Active);
        assert_eq!(
            world.last_status().await,
            json!(["active", reason, "pro", 4])
        );
    }
}

/// A poison message does not block the rest of its batch.
#[tokio::test]
async fn only_failed_decisions_are_redelivered() {
    let world = world().await;
    let mut batch = case("valid-first");
    let mut poison = case("invalid-no-json")["Records"][0].clone();
    poison["messageId"] = json!("poison");
    batch["Records"].as_array_mut().unwrap().insert(0, poison);
    assert_eq!(world.deliver(&batch).await, ["poison"]);
    assert_eq!(world.tenant().await.policy.version, 1);
}

/// The digest of the subdomain in the events.
const RESERVATION: &str = "5d41402abc4b2a76b9719d911017c5925d41402abc4b2a76b9719d911017c592";

impl World {
    async fn reservation(&self, tenant: TenantId) {
        let digest: SubdomainDigest = RESERVATION.parse().unwrap();
        self.region
            .change(
                tenant,
                LoadOptions::TENANT,
                Newcomer::ada().at,
                |loaded, context| {
                    decide_subdomain_reservation(
                        &loaded.state,
                        &"acme".parse().unwrap(),
                        &digest,
                        Actor::Holder,
                        context,
                    )
                },
            )
            .await;
    }

    /// Home's answer to the region's report under a revision.
    async fn answer(&self, tenant: TenantId, decision: &str, revision: u64) {
        let mut batch = case("valid-reservation-leased");
        let mut body: Value =
            serde_json::from_str(batch["Records"][0]["body"].as_str().unwrap()).unwrap();
        body["detail"]["data"] = json!({ "tenant": tenant, "digest": RESERVATION, "decision": decision, "revision": revision });
        batch["Records"][0]["body"] = Value::String(body.to_string());
        assert!(self.deliver(&batch).await.is_empty());
    }

    /// The phases of the reservation that were reported to home, in order.
    async fn phases(&self, tenant: TenantId) -> Vec<String> {
        let published = self
            .region
            .published("SubdomainReservationUpdated.v1")
            .await;
        let of_tenant = published
            .iter()
            .filter(|event| event["data"]["tenant"] == json!(tenant));
        let phases = of_tenant.map(|event| {
            (
                event["sequence"].as_u64(),
                event["data"]["phase"].as_str().unwrap().to_owned(),
            )
        });
        let mut phases: Vec<_> = phases.collect();
        phases.sort();
        phases.into_iter().map(|(_, phase)| phase).collect()
    }

    async fn lead(&self) -> Option<Destination> {
        self.region.tenants.reader().resolve("acme").await.unwrap()
    }
}

/// Each answer of home takes the reservation to its next phase, once.
#[tokio::test]
async fn a_subdomain_routes_to_the_tenant_after_homes_confirmation() {
    let world = world().await;
    let tenant = Newcomer::ada().tenant;
    world.reservation(tenant).await;
    for _ in 0..2 {
        assert!(
            world
                .deliver(&case("valid-reservation-leased"))
                .await
                .is_empty()
        );
        assert_eq!(
            (world.lead().await, world.phases(tenant).await),
            (None, vec!["requested".into(), "confirmed".into()])
        );
    }
    for _ in 0..2 {
        world.answer(tenant, "confirmed", 2).await;
        assert_eq!(world.lead().await, Some(Destination::Here(tenant)));
        assert_eq!(
            world
                .region
                .published("TenantAddressChanged.v1")
                .await
                .len(),
            1
        );
    }
    world.answer(tenant, "refused", 2).await;
    assert_eq!(
        world.lead().await,
        Some(Destination::Here(tenant)),
        "it is decided"
    );
    for event in ["SubdomainReservationUpdated.v1", "TenantAddressChanged.v1"] {
        assert!(
            !json!(world.region.published(event).await)
                .to_string()
                .contains("acme"),
            "{event} names the subdomain"
        );
    }
}

#[tokio::test]
async fn a_refused_subdomain_is_available_to_others() {
    let world = world().await;
    let tenant = Newcomer::ada().tenant;
    world.reservation(tenant).await;
    world.answer(tenant, "leased", 1).await;
    let other = world.region.activate(&Newcomer::somebody()).await.tenant.id;
    world.reservation(other).await;
    world.answer(other, "leased", 1).await;
    assert_eq!(
        world.phases(other).await,
        ["requested"],
        "the subdomain is kept free for the first one"
    );
    world.answer(tenant, "refused", 2).await;
    let subdomains = world.tenant().await.subdomains.unwrap();
    assert_eq!(
        subdomains.reservation.unwrap().state,
        ReservationState::Refused
    );
    world.answer(other, "leased", 1).await;
    world.answer(other, "confirmed", 2).await;
    assert_eq!(world.lead().await, Some(Destination::Here(other)));
    world.reservation(tenant).await;
    world.answer(tenant, "leased", 3).await;
    assert_eq!(
        world.phases(tenant).await,
        ["requested", "confirmed", "requested", "released"]
    );
    assert_eq!(world.lead().await, Some(Destination::Here(other)));
}
