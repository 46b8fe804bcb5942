use crate::handler::{Adapters, handle};
use contract::catalogue::Catalogue;
use kernel::EventId;
use outbox::Outbox;
use regional_store::TenantStore;
use serde_json::{Value, json};
use tenancy::{IdempotencyKey, Identifiers, Occasion, SignUp, SignUpRequest, Tenant, decide_sign_up};
use testkit::Case;

struct World {
    adapters: Adapters,
    outbox: Outbox,
    made: SignUp,
}

/// A region where the tenant of the events has signed up.
async fn world() -> World {
    let aws = testkit::aws().await;
    let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
    let tenants = TenantStore::new(&aws.config, testkit::table(&aws, false).await, outbox.clone());
    let catalogue = Catalogue::bundled().unwrap();
    let request: SignUpRequest = serde_json::from_value(json!({
        "organisation": "Analytical Engines Ltd",
        "name": "Ada Lovelace",
        "email": "ada@engines.example",
        "password": "Difference-Engine-2",
        "plan": "starter",
    }))
    .unwrap();
    let registration = request.validate(&catalogue).unwrap();
    let ids = Identifiers {
        signup: "7d4f2f0e-6d53-4a7e-9a55-0c8f3a1b2c3d".parse().unwrap(),
        tenant: "01935f6e-7b10-7c3a-8f21-5a6b7c8d9e0f".parse().unwrap(),
        alias: "23456789abcd".parse().unwrap(),
    };
    let occasion = Occasion {
        region: "eu-central-1".parse().unwrap(),
        event: EventId::from_uuid(runtime::new_uuid()),
        now: runtime::now(),
    };
    let made = decide_sign_up(&registration, &catalogue, ids, &occasion);
    let key: IdempotencyKey = "a-key-of-the-tests-own".parse().unwrap();
    tenants.register(&made, &key.digest(), &key.fingerprint(&registration)).await.unwrap();
    World { adapters: Adapters { region: occasion.region, tenants }, outbox, made }
}

impl World {
    /// Delivers a batch, and says which of its messages failed.
    async fn deliver(&self, batch: &Value) -> Vec<String> {
        let Ok(response) = handle(&self.adapters, serde_json::from_value(batch.clone()).unwrap()).await;
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    async fn tenant(&self) -> Tenant {
        self.adapters.tenants.reader().load_tenant(self.made.tenant.id).await.unwrap().unwrap()
    }

    /// The versions that home was told of, in order.
    async fn acknowledged(&self) -> Vec<u64> {
        let rows = self.outbox.sweep("2100-01-01T00:00:00Z".parse().unwrap(), 1000).await.unwrap();
        let mut versions: Vec<_> = rows
            .iter()
            .filter(|row| row.detail_type == "TenantPolicyApplied.v1")
            .map(|row| serde_json::from_str::<Value>(&row.detail).unwrap()["data"]["version"].as_u64().unwrap())
            .collect();
        versions.sort_unstable();
        versions
    }
}

fn case(name: &str) -> Value {
    testkit::cases("policy-apply").into_iter().find(|case| case.name == name).unwrap().payload
}

#[tokio::test]
async fn every_event_gets_its_answer() {
    for case in testkit::cases("policy-apply") {
        let world = world().await;
        let failed = world.deliver(&case.payload).await;
        let Case { name, payload } = &case;
        if case.is_valid() {
            assert!(failed.is_empty(), "{name}");
            assert_eq!(world.acknowledged().await.len(), payload["Records"].as_array().unwrap().len(), "{name}");
        } else {
            assert_eq!(failed, [payload["Records"][0]["messageId"].as_str().unwrap()], "{name}");
            assert_eq!(
                (world.tenant().await, world.acknowledged().await),
                (world.made.tenant.clone(), vec![]),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn duplicates_and_late_ones_change_nothing_and_are_acknowledged_with_what_holds() {
    let world = world().await;
    assert!(world.deliver(&case("valid-duplicate-and-reordered")).await.is_empty());
    let after = world.tenant().await;
    assert_eq!((after.policy.version, after.plan.as_str()), (3, "pro"));
    assert_eq!(world.acknowledged().await, [3, 3, 3]);
    assert!(world.deliver(&case("valid-first")).await.is_empty());
    assert_eq!(world.tenant().await, after);
    assert_eq!(world.acknowledged().await, [3, 3, 3, 3]);
    assert!(world.deliver(&case("valid-suspension")).await.is_empty());
    assert!(world.tenant().await.policy.suspended);
}

/// A poison message does not keep the rest of its batch from being applied.
#[tokio::test]
async fn only_what_cannot_be_applied_comes_again() {
    let world = world().await;
    let mut batch = case("valid-first");
    let mut poison = case("invalid-no-json")["Records"][0].clone();
    poison["messageId"] = json!("poison");
    batch["Records"].as_array_mut().unwrap().insert(0, poison);
    assert_eq!(world.deliver(&batch).await, ["poison"]);
    assert_eq!(world.tenant().await.policy.version, 1);
}
