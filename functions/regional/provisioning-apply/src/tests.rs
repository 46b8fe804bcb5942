use crate::adapters::Adapters;
use crate::handler::handle;
use kernel::TenantStatus;
use serde_json::{Value, json};
use tenancy::{TaskKind, Tenant};
use tenantkit::{Newcomer, Region, moment};
use testkit::Case;

struct World {
    region: Region,
    adapters: Adapters,
}

/// A region where the tenant of the events is being provisioned, with an onboarding at home.
async fn world() -> World {
    let world = empty_world(
        tenantkit::region()
            .await
            .with_application()
            .with_builder_toolkit(),
    );
    let onboarding = Some("8d5b3c1e-90a4-4f6e-b7d2-1f2e3d4c5b6a".parse().unwrap());
    let ada = Newcomer {
        onboarding,
        ..Newcomer::ada()
    };
    world.region.register(&ada).await;
    world.region.confirm(ada.tenant, ada.at).await;
    world
}

fn empty_world(region: Region) -> World {
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

    /// The last report of the onboarding to home: the state and reason of its provisioning and
    /// activation.
    async fn progress(&self) -> Value {
        let published = self.region.published("OnboardingProgressed.v1").await;
        let last = published
            .iter()
            .max_by_key(|event| event["sequence"].as_u64())
            .unwrap();
        let step = |name: &str| {
            let steps = last["data"]["steps"].as_array().unwrap();
            let step = steps.iter().find(|step| step["name"] == name).unwrap();
            json!([step["state"], step["reason"]])
        };
        json!([step("provisioning"), step("activation")])
    }

    async fn due(&self, kind: TaskKind) -> usize {
        let due = self
            .region
            .tenants
            .reader()
            .load_due_tasks(moment("2100-01-01T00:00:00Z"), 100)
            .await
            .unwrap();
        due.iter().filter(|due| due.kind == kind).count()
    }

    /// Requests the resources once more.
    async fn retry(&self) {
        let Newcomer { tenant, at, .. } = Newcomer::ada();
        let Region {
            catalogue,
            settings,
            ..
        } = &self.region;
        let retried = self.region.change(
            tenant,
            tenant_store::LoadOptions::SIGNUP,
            at,
            |loaded, context| {
                tenancy::decide_retry(&loaded.state, catalogue, settings, context).map(Some)
            },
        );
        retried.await;
    }
}

fn case(name: &str) -> Value {
    testkit::cases("provisioning-apply")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

#[tokio::test]
async fn every_case_has_its_expected_result() {
    for case in testkit::cases("provisioning-apply") {
        let world = world().await;
        let before = world.tenant().await;
        let failed = world.deliver(&case.payload).await;
        let Case { name, payload } = &case;
        if case.is_valid() {
            assert!(failed.is_empty(), "{name}");
        } else {
            assert_eq!(
                failed,
                [payload["Records"][0]["messageId"].as_str().unwrap()],
                "{name}"
            );
            assert_eq!(world.tenant().await, before, "{name}");
        }
    }
}

#[tokio::test]
async fn resources_make_the_tenant_active_once() {
    for name in [
        "valid-provisioned",
        "valid-toolkit-success",
        "valid-toolkit-job-output",
    ] {
        let world = world().await;
        assert_eq!(world.due(TaskKind::Provisioning).await, 1);
        assert!(world.deliver(&case(name)).await.is_empty());
        let active = world.tenant().await;
        let provisioning = active.provisioning.clone().unwrap();
        assert_eq!(active.status, TenantStatus::Active, "{name}");
        // Our clock's time: the application's may be from before an outage.
        assert!(
            provisioning.done_at > Some(moment("2026-11-20T10:00:01Z"))
                && provisioning.failure.is_none()
        );
        assert_eq!(
            world.due(TaskKind::Provisioning).await,
            0,
            "the deadline is done with"
        );
        assert_eq!(
            world.progress().await,
            json!([["done", null], ["done", null]])
        );

        assert!(world.deliver(&case(name)).await.is_empty());
        assert_eq!(
            world.tenant().await,
            active,
            "the same answer again changes nothing"
        );
        assert!(
            world
                .deliver(&case("valid-failed-for-good"))
                .await
                .is_empty()
        );
        assert_eq!(
            world.tenant().await,
            active,
            "nor does a failure that comes late"
        );
        let published = world.region.published("TenantStatusChanged.v1").await;
        assert_eq!(
            published
                .iter()
                .filter(|event| event["data"]["reason"] == "provisioned")
                .count(),
            1
        );
    }
}

#[tokio::test]
async fn a_failure_is_reported_with_its_reason_and_retried_where_it_is_retryable() {
    for (name, reason, retryable) in [
        ("valid-failed-retryable", "quota-exceeded", true),
        ("valid-failed-for-good", "unsupported-plan", false),
        ("valid-toolkit-failure", "unspecified", true),
    ] {
        let world = world().await;
        assert!(world.deliver(&case(name)).await.is_empty());
        let tenant = world.tenant().await;
        let failure = tenant.provisioning.unwrap().failure.unwrap();
        assert_eq!(
            (failure.reason.as_str(), failure.retryable),
            (reason, retryable),
            "{name}"
        );
        assert_eq!(tenant.status, TenantStatus::Provisioning);
        assert_eq!(
            world.progress().await,
            json!([["failed", "application"], ["waiting", null]]),
            "its words stay"
        );
        assert_eq!(world.due(TaskKind::Provisioning).await, 0);
    }
}

#[tokio::test]
async fn an_answer_to_an_earlier_attempt_does_not_fail_the_next() {
    let world = world().await;
    assert!(
        world
            .deliver(&case("valid-failed-retryable"))
            .await
            .is_empty()
    );
    world.retry().await;
    let second = world.tenant().await;
    assert_eq!(
        second.provisioning.as_ref().map(|open| open.attempt),
        Some(2)
    );
    assert!(
        world
            .deliver(&case("valid-failed-retryable"))
            .await
            .is_empty()
    );
    assert_eq!(
        world.tenant().await,
        second,
        "the failure of the first attempt came again"
    );
    // The success of an earlier attempt counts too.
    assert!(world.deliver(&case("valid-provisioned")).await.is_empty());
    assert_eq!(world.tenant().await.status, TenantStatus::Active);
}

#[tokio::test]
async fn an_answer_without_a_request_changes_nothing() {
    let world = empty_world(tenantkit::region().await);
    world.region.register(&Newcomer::ada()).await;
    for name in [
        "valid-provisioned",
        "valid-failed-retryable",
        "valid-deprovisioned",
        "valid-deprovisioning-failed",
    ] {
        let before = world.tenant().await;
        assert!(world.deliver(&case(name)).await.is_empty());
        assert_eq!(world.tenant().await, before, "{name}");
    }
}

/// A region that publishes no events for the toolkit accepts none from it.
#[tokio::test]
async fn the_toolkits_answers_are_accepted_where_it_is_enabled() {
    let world = empty_world(tenantkit::region().await.with_application());
    let ada = Newcomer::ada();
    world.region.register(&ada).await;
    let waiting = world.region.confirm(ada.tenant, ada.at).await;
    assert_eq!(world.deliver(&case("valid-toolkit-success")).await.len(), 1);
    assert_eq!(world.tenant().await, waiting);
}

/// A poison message does not block the rest of its batch.
#[tokio::test]
async fn only_failed_answers_are_redelivered() {
    let world = world().await;
    let mut batch = case("valid-provisioned");
    let mut poison = case("invalid-no-json")["Records"][0].clone();
    poison["messageId"] = json!("poison");
    batch["Records"].as_array_mut().unwrap().insert(0, poison);
    assert_eq!(world.deliver(&batch).await, ["poison"]);
    assert_eq!(world.tenant().await.status, TenantStatus::Active);
}
