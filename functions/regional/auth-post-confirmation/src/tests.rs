use crate::handler::{Adapters, handle};
use contract::TenantCounts;
use contract::catalogue::Catalogue;
use futures::future::join_all;
use kernel::{EventId, TenantStatus};
use outbox::Outbox;
use regional_store::TenantStore;
use serde_json::{Value, json};
use tenancy::{IdempotencyKey, Identifiers, Occasion, SignUp, SignUpRequest, decide_sign_up};
use testkit::Case;

struct World {
    adapters: Adapters,
    outbox: Outbox,
    made: SignUp,
}

/// A region where Ada of the events has registered.
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
    async fn status(&self) -> TenantStatus {
        let tenant = self.adapters.tenants.reader().load_tenant(self.made.tenant.id).await.unwrap();
        tenant.unwrap().status
    }

    async fn facts(&self) -> Vec<Value> {
        let rows = self.outbox.sweep("2100-01-01T00:00:00Z".parse().unwrap(), 1000).await.unwrap();
        let mut facts: Vec<Value> = rows.iter().map(|row| serde_json::from_str(&row.detail).unwrap()).collect();
        facts.sort_by_key(|fact| fact["sequence"].as_u64());
        facts
    }
}

fn event<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let case = testkit::cases("auth-post-confirmation").into_iter().find(|case| case.name == name).unwrap();
    serde_json::from_value(case.payload).unwrap()
}

#[tokio::test]
async fn every_event_gets_its_answer() {
    for case in testkit::cases("auth-post-confirmation") {
        let world = world().await;
        let Case { name, payload } = &case;
        let handled = handle(&world.adapters, serde_json::from_value(payload.clone()).unwrap()).await;
        let activated = name == "valid-confirmed-sign-up";
        let status = if activated { TenantStatus::Active } else { TenantStatus::Pending };
        assert_eq!(world.status().await, status, "{name}");
        assert_eq!(world.facts().await.len(), if activated { 2 } else { 1 }, "{name}");
        match handled {
            Ok(event) => {
                assert!(case.is_valid(), "{name}");
                assert_eq!(serde_json::to_value(event).unwrap()["response"], payload["response"], "{name}");
            }
            Err(refusal) => {
                assert!(!case.is_valid(), "{name}");
                assert_eq!(refusal.message(), "not-registered", "{name}");
            }
        }
    }
}

/// Cognito calls a trigger up to three times, and the API completes what a trigger left undone.
#[tokio::test]
async fn repeated_and_simultaneous_calls_activate_once() {
    let world = world().await;
    let calls = (0..8).map(|_| handle(&world.adapters, event("valid-confirmed-sign-up")));
    assert!(join_all(calls).await.iter().all(Result::is_ok));
    let facts = world.facts().await;
    let told: Vec<_> = facts.iter().map(|fact| (&fact["data"]["status"], &fact["data"]["revision"])).collect();
    assert_eq!(told, [(&json!("pending"), &json!(1)), (&json!("active"), &json!(2))]);
    assert!(!json!(facts).to_string().contains("ngines"), "nothing personal in a fact");
    let counts = world.adapters.tenants.reader().counts().await.unwrap();
    assert_eq!(counts, TenantCounts { active: 1, ..Default::default() });
}
