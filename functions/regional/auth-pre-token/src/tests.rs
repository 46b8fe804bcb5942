use crate::handler::{Adapters, handle};
use contract::TenantPolicy;
use contract::catalogue::Catalogue;
use kernel::EventId;
use outbox::Outbox;
use regional_store::{TenantReader, TenantStore};
use serde_json::{Value, json};
use tenancy::{IdempotencyKey, Identifiers, Occasion, SignUp, SignUpRequest, decide_sign_up};
use testkit::Case;

struct World {
    adapters: Adapters,
    tenants: TenantStore,
    made: SignUp,
}

/// A region where Ada of the events has registered.
async fn world() -> World {
    let aws = testkit::aws().await;
    let table = testkit::table(&aws, false).await;
    let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
    let tenants = TenantStore::new(&aws.config, table.clone(), outbox);
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
    let made = decide_sign_up(&registration, &catalogue, ids, &occasion());
    let key: IdempotencyKey = "a-key-of-the-tests-own".parse().unwrap();
    tenants.register(&made, &key.digest(), &key.fingerprint(&registration)).await.unwrap();
    let adapters = Adapters { region: occasion().region, tenants: TenantReader::new(&aws.config, table) };
    World { adapters, tenants, made }
}

fn occasion() -> Occasion {
    Occasion {
        region: "eu-central-1".parse().unwrap(),
        event: EventId::from_uuid(runtime::new_uuid()),
        now: runtime::now(),
    }
}

impl World {
    async fn activate(&self) {
        self.tenants.confirm(self.made.tenant.id, self.made.signup.id, &occasion()).await.unwrap();
    }

    async fn publish(&self, version: u64, suspended: bool) {
        let policy = TenantPolicy {
            version,
            plan: "pro".parse().unwrap(),
            suspended,
            entitlements: vec!["sso".parse().unwrap()],
        };
        self.tenants.apply_policy(self.made.tenant.id, &policy, &occasion()).await.unwrap();
    }

    /// The answer's claims of both tokens, or the code of the refusal.
    async fn invoke(&self, case: &Case) -> Result<Value, String> {
        let event = serde_json::from_value(case.payload.clone()).unwrap();
        let answered = handle(&self.adapters, event).await.map_err(|refusal| refusal.message().to_owned())?;
        let answered = serde_json::to_value(answered).unwrap();
        Ok(answered["response"]["claimsAndScopeOverrideDetails"].clone())
    }
}

fn case(name: &str) -> Case {
    testkit::cases("auth-pre-token").into_iter().find(|case| case.name == name).unwrap()
}

#[tokio::test]
async fn every_event_gets_its_answer() {
    let world = world().await;
    world.activate().await;
    for case in testkit::cases("auth-pre-token") {
        let name = &case.name;
        match world.invoke(&case).await {
            Ok(details) => {
                assert!(case.is_valid(), "{name}");
                let groups = &case.payload["request"]["groupConfiguration"];
                assert_eq!(details["groupOverrideDetails"], *groups, "{name}: groups stay");
            }
            Err(code) => {
                assert!(!case.is_valid(), "{name}");
                assert_eq!(code, "not-registered", "{name}");
            }
        }
    }
}

#[tokio::test]
async fn both_tokens_carry_the_tenants_claims_and_nothing_personal() {
    let world = world().await;
    world.activate().await;
    let details = world.invoke(&case("valid-sign-in")).await.unwrap();
    let claims = json!({
        "tenant_id": "01935f6e-7b10-7c3a-8f21-5a6b7c8d9e0f",
        "alias": "23456789abcd",
        "region": "eu-central-1",
        "role": "admin",
        "plan": "starter",
        "entitlements": ["api", "storage"],
        "policy_version": 0,
    });
    for token in ["idTokenGeneration", "accessTokenGeneration"] {
        assert_eq!(details[token]["claimsToAddOrOverride"], claims, "{token}");
    }
    assert!(!details.to_string().contains("ngines"));
}

/// At sign-in as at refresh, and from the moment on that the policy is applied.
#[tokio::test]
async fn nobody_gets_a_token_of_a_tenant_that_is_not_in_use() {
    let world = world().await;
    let cases = [case("valid-sign-in"), case("valid-refresh")];
    let check = async |code: Option<&str>| {
        for case in &cases {
            assert_eq!(world.invoke(case).await.err().as_deref(), code, "{}", case.name);
        }
    };
    check(Some("tenant-not-ready")).await;
    world.activate().await;
    check(None).await;
    world.publish(1, true).await;
    check(Some("tenant-suspended")).await;
    world.publish(2, false).await;
    check(None).await;
    let details = world.invoke(&cases[1]).await.unwrap();
    let claims = &details["accessTokenGeneration"]["claimsToAddOrOverride"];
    assert_eq!((&claims["plan"], &claims["policy_version"]), (&json!("pro"), &json!(2)));
}

#[tokio::test]
async fn an_unreachable_table_issues_no_token() {
    let aws = testkit::aws().await;
    let tenants = TenantReader::new(&aws.config, "no-such-table".to_owned());
    let adapters = Adapters { region: occasion().region, tenants };
    let event = serde_json::from_value(case("valid-sign-in").payload).unwrap();
    let Err(failure) = handle(&adapters, event).await else { panic!("issued without a look") };
    assert_eq!(failure.kind(), "TenantUnavailable");
    assert!(!failure.message().contains("no-such-table"), "no internals");
}
