use crate::handler::{Adapters, handle};
use aws_lambda_events::event::sqs::SqsEvent;
use central_store::CentralStore;
use contract::catalogue::Catalogue;
use contract::{Envelope, TenantPolicyPublished};
use fleet::{Counts, Tenant};
use kernel::Timestamp;
use outbox::Outbox;
use serde_json::{Value, json};

const TENANT: &str = "0199a1f0-0000-7000-8000-000000000001";

async fn adapters() -> Adapters {
    let aws = testkit::aws().await;
    Adapters {
        store: CentralStore::new(&aws.config, testkit::table(&aws, false).await),
        outbox: Outbox::new(&aws.config, testkit::table(&aws, false).await),
        catalogue: Catalogue::bundled().unwrap(),
    }
}

fn case(name: &str) -> Value {
    let cases = testkit::cases("fleet-directory");
    cases.into_iter().find(|case| case.name == name).unwrap().payload
}

/// Runs a payload as Lambda would, and returns the ids of the messages that come again.
async fn run(adapters: &Adapters, payload: Value) -> Vec<String> {
    let event: SqsEvent = serde_json::from_value(payload).unwrap();
    let response = handle(adapters, event).await.unwrap();
    response.batch_item_failures.into_iter().map(|failure| failure.item_identifier).collect()
}

async fn stored(adapters: &Adapters) -> Tenant {
    adapters.store.load_tenant(TENANT.parse().unwrap()).await.unwrap().unwrap()
}

async fn published(adapters: &Adapters) -> Vec<Envelope<TenantPolicyPublished>> {
    let rows = adapters.outbox.sweep(Timestamp::MAX, 100).await.unwrap();
    rows.iter().map(|row| serde_json::from_str(&row.detail).unwrap()).collect()
}

#[tokio::test]
async fn every_case_is_taken_or_refused_and_the_rest_of_a_batch_is_done() {
    for case in testkit::cases("fleet-directory") {
        let adapters = adapters().await;
        let last = case.payload["Records"].as_array().unwrap().last().unwrap()["messageId"].clone();
        let failed = run(&adapters, case.payload.clone()).await;
        let expected = if case.is_valid() { json!([]) } else { json!([last]) };
        assert_eq!(json!(failed), expected, "{}", case.name);
        let tenant = stored(&adapters).await;
        assert_eq!((tenant.entry.region.as_str(), tenant.entry.revision), ("eu-central-1", 2), "{}", case.name);
        assert_eq!(published(&adapters).await.len(), 1, "{}", case.name);
    }
}

#[tokio::test]
async fn a_batch_delivered_again_changes_nothing() {
    let adapters = adapters().await;
    for name in ["valid-acknowledged", "valid-duplicate-and-reordered", "valid-signed-up-and-confirmed"] {
        assert!(run(&adapters, case(name)).await.is_empty());
        assert!(run(&adapters, case(name)).await.is_empty());
    }
    let tenant = stored(&adapters).await;
    assert!(tenant.policy.is_applied());
    assert_eq!(published(&adapters).await, [tenant.policy.published()]);
    let region = adapters.store.load_region(tenant.entry.region).await.unwrap();
    assert_eq!(region.counts, Counts { active: 1, ..Counts::default() });
}

#[tokio::test]
async fn the_published_policy_is_addressed_to_the_region_and_holds_the_plans_entitlements() {
    let adapters = adapters().await;
    run(&adapters, case("valid-signed-up-and-confirmed")).await;
    let [policy]: [_; 1] = published(&adapters).await.try_into().unwrap();
    assert_eq!((policy.region.as_str(), policy.sequence), ("eu-central-1", 1));
    let entitlements = &adapters.catalogue.plan(&"pro".parse().unwrap()).unwrap().entitlements;
    assert_eq!(&policy.data.policy.entitlements, entitlements);
    assert!(!policy.data.policy.suspended);
}

#[tokio::test]
async fn a_message_that_could_not_be_stored_is_taken_when_it_comes_again() {
    let adapters = adapters().await;
    let aws = testkit::aws().await;
    let broken = Adapters {
        store: adapters.store.clone(),
        outbox: Outbox::new(&aws.config, "no-such-table".to_owned()),
        catalogue: Catalogue::bundled().unwrap(),
    };
    let payload = case("valid-signed-up-and-confirmed");
    assert_eq!(run(&broken, payload.clone()).await.len(), 2);
    assert!(adapters.store.load_tenant(TENANT.parse().unwrap()).await.unwrap().is_none());
    assert!(run(&adapters, payload).await.is_empty());
    assert_eq!(stored(&adapters).await.entry.revision, 2);
    assert_eq!(published(&adapters).await.len(), 1);
}
