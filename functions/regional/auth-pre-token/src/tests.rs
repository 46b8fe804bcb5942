use crate::handler::{Adapters, handle};
use kernel::Suspension;
use regional_store::TenantReader;
use serde_json::{Value, json};
use tenancy::SignUp;
use tenantkit::{Newcomer, Region};
use testkit::Case;

struct World {
    adapters: Adapters,
    region: Region,
    made: SignUp,
}

/// A region where Ada of the events has registered.
async fn world() -> World {
    let region = tenantkit::region().await;
    let made = region.register(&Newcomer::ada()).await;
    let adapters = Adapters { region: region.code.clone(), tenants: region.tenants.reader().clone() };
    World { adapters, region, made }
}

impl World {
    async fn activate(&self) {
        self.region.confirm(self.made.tenant.id, Newcomer::ada().at).await;
    }

    async fn publish(&self, suspension: Option<Suspension>) {
        self.region.publish(self.made.tenant.id, "pro", suspension, Newcomer::ada().at).await;
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
    world.publish(Some(Suspension::Dunning)).await;
    check(Some("tenant-suspended")).await;
    world.publish(None).await;
    check(None).await;
    let details = world.invoke(&cases[1]).await.unwrap();
    let claims = &details["accessTokenGeneration"]["claimsToAddOrOverride"];
    assert_eq!((&claims["plan"], &claims["policy_version"]), (&json!("pro"), &json!(2)));
}

#[tokio::test]
async fn an_unreachable_table_issues_no_token() {
    let aws = testkit::aws().await;
    let tenants = TenantReader::new(&aws.config, "no-such-table".to_owned());
    let adapters = Adapters { region: "eu-central-1".parse().unwrap(), tenants };
    let event = serde_json::from_value(case("valid-sign-in").payload).unwrap();
    let Err(failure) = handle(&adapters, event).await else { panic!("issued without a look") };
    assert_eq!(failure.kind(), "TenantUnavailable");
    assert!(!failure.message().contains("no-such-table"), "no internals");
}
