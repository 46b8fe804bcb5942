use crate::adapters::Adapters;
use crate::handler::handle;
use kernel::{MachineScope, Suspension};
use serde_json::{Value, json};
use tenancy::{
    ClientId, ClientWish, KeyDigest, SignUp, decide_client, decide_client_made, decide_revocation,
};
use tenant_store::{LoadOptions, TenantReader};
use tenantkit::{Newcomer, Region};
use testkit::Case;

/// The tenant's clients in the events.
const MACHINE: &str = "2example23456789example02";
const ENDED: &str = "4example23456789example04";

struct World {
    adapters: Adapters,
    region: Region,
    made: SignUp,
}

/// A region where Ada of the events has registered.
async fn world() -> World {
    let region = tenantkit::region().await;
    let made = region.register(&Newcomer::ada()).await;
    let adapters = Adapters {
        region: region.code.clone(),
        tenants: region.tenants.reader().clone(),
    };
    World {
        adapters,
        region,
        made,
    }
}

impl World {
    async fn activate(&self) {
        self.region
            .confirm(self.made.tenant.id, Newcomer::ada().at)
            .await;
    }

    async fn publish(&self, suspension: Option<Suspension>) {
        self.region
            .publish(self.made.tenant.id, "pro", suspension, Newcomer::ada().at)
            .await;
    }

    /// Creates a machine client of the tenant.
    async fn add_machine(&self, client_id: &str) {
        let (tenant, by, at) = (
            self.made.tenant.id,
            self.made.user.username,
            Newcomer::ada().at,
        );
        let id = ClientId::of(tenant, &KeyDigest::of("client", client_id));
        let request = ClientWish {
            id,
            scopes: vec![MachineScope::UsageWrite],
            replaces: None,
            by,
        };
        let requested = self
            .region
            .change(tenant, LoadOptions::TENANT, at, |loaded, context| {
                decide_client(&loaded.state, &[], &request, context).map(Some)
            });
        requested.await;
        let clients = self
            .region
            .tenants
            .reader()
            .load_clients(tenant)
            .await
            .unwrap();
        let made = self
            .region
            .change(tenant, LoadOptions::TENANT, at, |loaded, context| {
                decide_client_made(&loaded.state, &clients, id, client_id, context)
            });
        made.await;
    }

    /// Gives the tenant its own provider, and lets a person join with it.
    async fn join(&self, account: &str) {
        let (tenant, at) = (self.made.tenant.id, Newcomer::ada().at);
        self.trust(false).await;
        let newcomer = tenancy::Newcomer {
            account: account.parse().unwrap(),
            email: "grace@engines.example".parse().unwrap(),
            is_verified: true,
        };
        let joined = self
            .region
            .change(tenant, LoadOptions::TENANT, at, |loaded, context| {
                tenancy::decide_newcomer(
                    &loaded.state,
                    &newcomer,
                    tenancy::JoinConditions::default(),
                    context,
                )
            });
        joined.await;
    }

    /// Sets whether the tenant accepts addresses that its provider has not verified.
    async fn trust(&self, trusts_unverified_email: bool) {
        let set = self.region.change(
            self.made.tenant.id,
            LoadOptions::TENANT,
            Newcomer::ada().at,
            |loaded, _| {
                let mut changes = tenancy::ChangeSet::of(&loaded.state);
                let identity_provider = tenancy::ProviderName::of(&changes.tenant.alias);
                let client_id = "1example23456789example01".to_owned();
                changes.tenant.federation = Some(tenancy::Federation {
                    client_id,
                    identity_provider,
                    trusts_unverified_email,
                });
                Ok(Some(changes))
            },
        );
        set.await;
    }

    async fn revoke_machine(&self, client_id: &str) {
        let (tenant, by) = (self.made.tenant.id, self.made.user.username);
        let client = self
            .region
            .tenants
            .reader()
            .load_client(client_id)
            .await
            .unwrap()
            .unwrap();
        let revoked = self.region.change(
            tenant,
            LoadOptions::TENANT,
            Newcomer::ada().at,
            |loaded, context| Ok(decide_revocation(&loaded.state, &client, by, context)),
        );
        revoked.await;
    }

    /// The response's claims of both tokens, or the code of the refusal.
    async fn invoke(&self, case: &Case) -> Result<Value, String> {
        let event = serde_json::from_value(case.payload.clone()).unwrap();
        let answered = handle(&self.adapters, event)
            .await
            .map_err(|refusal| refusal.message().to_owned())?;
        let answered = serde_json::to_value(answered).unwrap();
        Ok(answered["response"]["claimsAndScopeOverrideDetails"].clone())
    }
}

fn case(name: &str) -> Case {
    testkit::cases("auth-pre-token")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
}

#[tokio::test]
async fn every_event_gets_its_response() {
    let world = world().await;
    world.activate().await;
    world.add_machine(MACHINE).await;
    world.add_machine(ENDED).await;
    world.revoke_machine(ENDED).await;
    world.join("oidc-23456789abcd_00u1a2b3c4").await;
    for case in testkit::cases("auth-pre-token") {
        let name = &case.name;
        let code = match name.as_str() {
            name if name.starts_with("valid-") => None,
            "invalid-other-tenant" => Some("other-tenant"),
            "invalid-machine-ended" => Some("client-ended"),
            "invalid-own-provider-no-verification" => Some("provider-address-unverified"),
            _ => Some("not-registered"),
        };
        let answered = world.invoke(&case).await;
        assert_eq!(answered.as_ref().err().map(String::as_str), code, "{name}");
        let Ok(details) = answered else { continue };
        if name == "valid-machine-of-the-provider" {
            assert_eq!(details, Value::Null, "{name}: its tokens stay as they are");
            continue;
        }
        let groups = &case.payload["request"]["groupConfiguration"];
        assert_eq!(
            details["groupOverrideDetails"], *groups,
            "{name}: groups stay"
        );
        assert_eq!(
            details["accessTokenGeneration"]["claimsToAddOrOverride"]["alias"], "23456789abcd",
            "{name}"
        );
    }
}

/// Cognito gets back all members that it sent, also those of a later version of the event.
#[tokio::test]
async fn the_event_is_returned_unchanged() {
    let world = world().await;
    world.activate().await;
    let mut payload = case("valid-sign-in-to-tenant").payload;
    payload["request"]["later"] = json!({ "member": [1, null] });
    payload["later"] = json!(true);
    let answered = handle(
        &world.adapters,
        serde_json::from_value(payload.clone()).unwrap(),
    )
    .await;
    let mut answered = serde_json::to_value(
        answered
            .map_err(|refusal| refusal.message().to_owned())
            .unwrap(),
    )
    .unwrap();
    answered["response"] = payload["response"].clone();
    assert_eq!(answered, payload);
}

/// The tenant's claims without a role. A tenant that is not active has no working machines either.
#[tokio::test]
async fn a_machine_gets_its_tenants_claims() {
    let world = world().await;
    world.activate().await;
    world.add_machine(MACHINE).await;
    let details = world.invoke(&case("valid-machine")).await.unwrap();
    let claims = json!({
        "tenant_id": "01935f6e-7b10-7c3a-8f21-5a6b7c8d9e0f",
        "alias": "23456789abcd",
        "region": "eu-central-1",
        "plan": "starter",
        "entitlements": ["api", "storage"],
        "policy_version": 0,
    });
    assert_eq!(
        details["accessTokenGeneration"]["claimsToAddOrOverride"],
        claims
    );
    world.publish(Some(Suspension::Operator)).await;
    assert_eq!(
        world.invoke(&case("valid-machine")).await.err().as_deref(),
        Some("tenant-suspended")
    );
    world.publish(None).await;
    world.revoke_machine(MACHINE).await;
    assert_eq!(
        world.invoke(&case("valid-machine")).await.err().as_deref(),
        Some("client-ended")
    );
}

#[tokio::test]
async fn both_tokens_have_the_tenants_claims_and_no_personal_data() {
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

/// At sign-in and at refresh, from the moment when the policy is applied.
#[tokio::test]
async fn nobody_gets_a_token_of_a_tenant_that_is_not_active() {
    let world = world().await;
    let cases = [case("valid-sign-in"), case("valid-refresh")];
    let check = async |code: Option<&str>| {
        for case in &cases {
            assert_eq!(
                world.invoke(case).await.err().as_deref(),
                code,
                "{}",
                case.name
            );
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
    assert_eq!(
        (&claims["plan"], &claims["policy_version"]),
        (&json!("pro"), &json!(2))
    );
}

/// An item that leads to a tenant is no proof: the tenant itself has to have the person, or the
/// machine.
#[tokio::test]
async fn nobody_gets_a_token_of_a_tenant_that_does_not_have_them() {
    let world = world().await;
    world.activate().await;
    world.add_machine(MACHINE).await;
    let other = world.region.activate(&Newcomer::somebody()).await.tenant.id;
    for (name, partition, sort) in [
        (
            "valid-sign-in",
            format!("USER#{}", world.made.user.username),
            "USER",
        ),
        ("valid-machine", format!("CLIENT#{MACHINE}"), "CLIENT"),
    ] {
        assert!(world.invoke(&case(name)).await.is_ok(), "{name}");
        world.region.mislead(&partition, sort, other).await;
        assert_eq!(
            world.invoke(&case(name)).await,
            Err("not-registered".to_owned()),
            "{name}"
        );
    }
}

#[tokio::test]
async fn an_unreachable_table_issues_no_token() {
    let aws = testkit::aws().await;
    let tenants = TenantReader::new(&aws.config, "no-such-table".to_owned());
    let adapters = Adapters {
        region: "eu-central-1".parse().unwrap(),
        tenants,
    };
    let event = serde_json::from_value(case("valid-sign-in").payload).unwrap();
    let Err(failure) = handle(&adapters, event).await else {
        panic!("issued without a look")
    };
    assert_eq!(failure.kind(), "TenantUnavailable");
    assert!(!failure.message().contains("no-such-table"), "no internals");
}

/// It is checked at every token, so that access ends within the hour once the tenant stops trusting
/// its provider.
#[tokio::test]
async fn an_unverified_address_gets_a_token_as_long_as_the_tenant_trusts_its_provider() {
    let world = world().await;
    world.activate().await;
    world.join("oidc-23456789abcd_00u1a2b3c4").await;
    let mut unverified = case("invalid-own-provider-no-verification");
    for trusts in [true, false, true] {
        world.trust(trusts).await;
        for value in [Value::Null, json!("false"), json!(false), json!(1)] {
            unverified.payload["request"]["userAttributes"]["email_verified"] = value.clone();
            assert_eq!(world.invoke(&unverified).await.is_ok(), trusts, "{value}");
        }
        for value in [json!("true"), json!("True"), json!(true)] {
            unverified.payload["request"]["userAttributes"]["email_verified"] = value.clone();
            assert!(world.invoke(&unverified).await.is_ok(), "{value}");
        }
    }
}
