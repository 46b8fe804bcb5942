use crate::handler::{Adapters, handle};
use kernel::{Suspension, TenantStatus};
use serde_json::{Value, json};
use tenancy::Tenant;
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
    let adapters = Adapters { region: region.code.clone(), tenants: region.tenants.clone(), settings: region.settings };
    World { region, adapters }
}

impl World {
    /// Delivers a batch, and says which of its messages failed.
    async fn deliver(&self, batch: &Value) -> Vec<String> {
        let Ok(response) = handle(&self.adapters, serde_json::from_value(batch.clone()).unwrap()).await;
        response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
    }

    async fn tenant(&self) -> Tenant {
        self.region.tenant(Newcomer::ada().tenant).await
    }

    /// The versions that home was told of, in order.
    async fn acknowledged(&self) -> Vec<u64> {
        let stated = self.region.stated("TenantPolicyApplied.v1").await;
        let mut versions: Vec<u64> = stated.iter().map(|fact| fact["data"]["version"].as_u64().unwrap()).collect();
        versions.sort_unstable();
        versions
    }

    /// The last that home was told of the tenant: status, reason, plan, revision.
    async fn last_status(&self) -> Value {
        let stated = self.region.stated("TenantStatusChanged.v2").await;
        let last = stated.iter().max_by_key(|fact| fact["sequence"].as_u64()).unwrap();
        let data = &last["data"];
        json!([data["status"], data["reason"], data["plan"], data["revision"]])
    }
}

fn case(name: &str) -> Value {
    testkit::cases("policy-apply").into_iter().find(|case| case.name == name).unwrap().payload
}

#[tokio::test]
async fn every_event_gets_its_answer() {
    for case in testkit::cases("policy-apply") {
        let world = world().await;
        let before = world.tenant().await;
        let failed = world.deliver(&case.payload).await;
        let Case { name, payload } = &case;
        if case.is_valid() {
            assert!(failed.is_empty(), "{name}");
            assert_eq!(world.acknowledged().await.len(), payload["Records"].as_array().unwrap().len(), "{name}");
        } else {
            assert_eq!(failed, [payload["Records"][0]["messageId"].as_str().unwrap()], "{name}");
            assert_eq!((world.tenant().await, world.acknowledged().await), (before, vec![]), "{name}");
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
    assert_eq!(world.last_status().await, json!(["active", "plan_changed", "pro", 3]), "another plan is stated once");
    assert!(world.deliver(&case("valid-first")).await.is_empty());
    let again = world.tenant().await;
    assert_eq!(Tenant { edition: after.edition, ..again }, after);
    assert_eq!(world.acknowledged().await, [3, 3, 3, 3]);
    assert_eq!(world.last_status().await[3], 3);
}

#[tokio::test]
async fn a_suspension_and_its_end_are_stated_with_who_wanted_them() {
    for (case_name, suspension, reason) in [
        ("valid-suspension", Suspension::Dunning, "dunning"),
        ("valid-former-version", Suspension::Operator, "operator"),
    ] {
        let world = world().await;
        assert!(world.deliver(&case(case_name)).await.is_empty());
        let suspended = world.tenant().await;
        assert_eq!((suspended.status, suspended.policy.suspension), (TenantStatus::Suspended, Some(suspension)));
        assert_eq!(world.last_status().await, json!(["suspended", reason, "pro", 3]));

        let mut end = case("valid-suspension");
        let mut body: Value = serde_json::from_str(end["Records"][0]["body"].as_str().unwrap()).unwrap();
        let policy = &mut body["detail"]["data"]["policy"];
        (policy["version"], policy["suspension"]) = (json!(5), Value::Null);
        end["Records"][0]["body"] = Value::String(body.to_string());
        assert!(world.deliver(&end).await.is_empty());
        assert_eq!(world.tenant().await.status, TenantStatus::Active);
        assert_eq!(world.last_status().await, json!(["active", reason, "pro", 4]));
    }
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
