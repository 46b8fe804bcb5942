use crate::handler::{Adapters, handle};
use contract::TenantCounts;
use futures::future::join_all;
use kernel::TenantStatus;
use serde_json::{Value, json};
use tenancy::{
    Context, Federation, JoinConditions, ProviderName, SignUp, decide_federation, decide_newcomer,
};
use tenant_store::{LoadOptions, TenantView};
use tenantkit::{Newcomer, Region};
use testkit::Case;

struct World {
    adapters: Adapters,
    region: Region,
    made: SignUp,
}

/// A region where Ada of the events has registered.
async fn world() -> World {
    world_of(tenantkit::region().await).await
}

async fn world_of(region: Region) -> World {
    let made = region.register(&Newcomer::ada()).await;
    let adapters = Adapters {
        region: region.code.clone(),
        catalogue: region.catalogue.clone(),
        settings: region.settings,
        tenants: region.tenants.clone(),
    };
    World {
        adapters,
        region,
        made,
    }
}

impl World {
    async fn status(&self) -> TenantStatus {
        self.region.tenant(self.made.tenant.id).await.status
    }

    async fn events(&self) -> Vec<Value> {
        self.region.published("TenantStatusChanged.v1").await
    }
}

fn event<T: serde::de::DeserializeOwned>(name: &str) -> T {
    let case = testkit::cases("auth-post-confirmation")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap();
    serde_json::from_value(case.payload).unwrap()
}

#[tokio::test]
async fn every_event_gets_its_response() {
    for case in testkit::cases("auth-post-confirmation") {
        let world = world().await;
        let Case { name, payload } = &case;
        let handled = handle(
            &world.adapters,
            serde_json::from_value(payload.clone()).unwrap(),
        )
        .await;
        let activated = name == "valid-confirmed-sign-up";
        let status = if activated {
            TenantStatus::Active
        } else {
            TenantStatus::Pending
        };
        assert_eq!(world.status().await, status, "{name}");
        assert_eq!(
            world.events().await.len(),
            if activated { 2 } else { 1 },
            "{name}"
        );
        match handled {
            Ok(event) => {
                assert!(case.is_valid(), "{name}");
                assert_eq!(
                    serde_json::to_value(event).unwrap()["response"],
                    payload["response"],
                    "{name}"
                );
            }
            Err(refusal) => {
                assert!(!case.is_valid(), "{name}");
                assert_eq!(refusal.message(), "not-registered", "{name}");
            }
        }
    }
}

/// Cognito calls a trigger up to three times, and the API completes what a failed trigger left
/// undone.
#[tokio::test]
async fn repeated_and_concurrent_calls_activate_once() {
    let world = world().await;
    let calls = (0..8).map(|_| handle(&world.adapters, event("valid-confirmed-sign-up")));
    assert!(join_all(calls).await.iter().all(Result::is_ok));
    let events = world.events().await;
    let published: Vec<_> = events
        .iter()
        .map(|event| (&event["data"]["status"], &event["data"]["revision"]))
        .collect();
    assert_eq!(
        published,
        [
            (&json!("pending"), &json!(1)),
            (&json!("active"), &json!(2))
        ]
    );
    assert!(
        !json!(events).to_string().contains("ngines"),
        "nothing personal in an event"
    );
    let counts = world.adapters.tenants.reader().counts().await.unwrap();
    assert_eq!(
        counts,
        TenantCounts {
            active: 1,
            ..Default::default()
        }
    );
}

#[tokio::test]
async fn resources_from_the_application_are_requested_once() {
    let world = world_of(tenantkit::region().await.with_application()).await;
    for _ in 0..2 {
        handle(&world.adapters, event("valid-confirmed-sign-up"))
            .await
            .unwrap();
    }
    assert_eq!(world.status().await, TenantStatus::Provisioning);
    let requested = world
        .region
        .published("TenantProvisioningRequested.v1")
        .await;
    assert_eq!(
        (requested.len(), &requested[0]["data"]["tier"]),
        (1, &json!("pool"))
    );
}

/// The user pool itself confirms an account of a tenant's own provider, and calls the trigger.
#[tokio::test]
async fn an_account_of_the_tenants_own_provider_changes_nothing() {
    let world = world().await;
    let now = Newcomer::ada().at;
    handle(&world.adapters, event("valid-confirmed-sign-up"))
        .await
        .unwrap();
    let tenant = world.region.tenant(world.made.tenant.id).await;
    let account = format!("oidc-{}_subject", tenant.alias);
    let identity_provider = ProviderName::of(&tenant.alias);
    let federation = Federation {
        client_id: "client".to_owned(),
        identity_provider,
        trusts_unverified_email: false,
    };
    let newcomer = tenancy::Newcomer {
        account: account.parse().unwrap(),
        email: "grace@engines.example".parse().unwrap(),
        is_verified: true,
    };
    let federated =
        |loaded: &TenantView, _: &Context| Ok(decide_federation(&loaded.state, &federation));
    world
        .region
        .change(tenant.id, LoadOptions::TENANT, now, federated)
        .await;
    let joined = world
        .region
        .change(tenant.id, LoadOptions::TENANT, now, |loaded, context| {
            decide_newcomer(&loaded.state, &newcomer, JoinConditions::default(), context)
        });
    let joined = joined.await.tenant;
    let mut confirmed: Value = event("valid-confirmed-sign-up");
    confirmed["userName"] = json!(account);
    handle(&world.adapters, serde_json::from_value(confirmed).unwrap())
        .await
        .unwrap();
    assert_eq!(world.region.tenant(tenant.id).await, joined);
}
