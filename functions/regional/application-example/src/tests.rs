use crate::adapters::Adapters;
use crate::handler::handle;
use crate::resources::Resources;
use aws_sdk_dynamodb::types::AttributeValue;
use bus::Bus;
use serde_json::{Value, json};
use testkit::{Case, LocalAws};

const TENANT: &str = "01935f6e-7b10-7c3a-8f21-5a6b7c8d9e0f";

struct World {
    aws: LocalAws,
    adapters: Adapters,
    shared_table: String,
    own_table: String,
    queue: String,
}

async fn world() -> World {
    let aws = testkit::aws().await;
    let shared_table = testkit::table(&aws, false).await;
    let (bus, queue) = testkit::bus(&aws).await;
    let prefix = format!("{shared_table}-application-");
    let adapters = Adapters {
        resources: Resources::new(&aws.config, shared_table.clone(), prefix.clone()),
        bus: Bus::new(&aws.config, bus),
    };
    World {
        aws,
        adapters,
        shared_table,
        own_table: format!("{prefix}{TENANT}"),
        queue,
    }
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

    /// The answers since the last call: source, type and detail.
    async fn answers(&self) -> Vec<Value> {
        let queues = aws_sdk_sqs::Client::new(&self.aws.config);
        let mut answers = Vec::new();
        loop {
            let received = queues
                .receive_message()
                .queue_url(&self.queue)
                .max_number_of_messages(10)
                .send()
                .await;
            let messages = received.unwrap().messages.unwrap_or_default();
            if messages.is_empty() {
                return answers;
            }
            for message in messages {
                let event: Value = serde_json::from_str(message.body().unwrap()).unwrap();
                answers.push(json!([
                    event["source"],
                    event["detail-type"],
                    event["detail"]
                ]));
                let handle = message.receipt_handle().unwrap();
                queues
                    .delete_message()
                    .queue_url(&self.queue)
                    .receipt_handle(handle)
                    .send()
                    .await
                    .unwrap();
            }
        }
    }

    /// The plan in the tenant's settings. None where the item or the table does not exist.
    async fn plan_in(&self, table: &str) -> Option<String> {
        let client = aws_sdk_dynamodb::Client::new(&self.aws.config);
        let get = client
            .get_item()
            .table_name(table)
            .key("pk", AttributeValue::S(TENANT.to_owned()));
        let got = get
            .key("sk", AttributeValue::S("SETTINGS".to_owned()))
            .send()
            .await
            .ok()?;
        Some(got.item?["plan"].as_s().unwrap().clone())
    }

    async fn plans(&self) -> [Option<String>; 2] {
        [
            self.plan_in(&self.shared_table).await,
            self.plan_in(&self.own_table).await,
        ]
    }
}

fn case(name: &str) -> Value {
    testkit::cases("application-example")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

fn answer(detail_type: &str, attempt: u64) -> Value {
    json!(["meridian.application", detail_type, { "tenant": TENANT, "attempt": attempt }])
}

#[tokio::test]
async fn every_case_has_its_expected_result() {
    for case in testkit::cases("application-example") {
        let world = world().await;
        let failed = world.deliver(&case.payload).await;
        let Case { name, payload } = &case;
        let records = payload["Records"].as_array().unwrap();
        if case.is_valid() {
            assert!(failed.is_empty(), "{name}");
            assert_eq!(world.answers().await.len(), records.len(), "{name}");
        } else {
            assert_eq!(
                failed,
                [records[0]["messageId"].as_str().unwrap()],
                "{name}"
            );
            assert_eq!(
                (world.answers().await, world.plans().await),
                (vec![], [None, None]),
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn repeated_requests_create_the_resources_of_the_tier_once() {
    let starter = [Some("starter".to_owned()), None];
    let enterprise = [None, Some("enterprise".to_owned())];
    for (name, plans) in [("valid-pool", starter), ("valid-silo", enterprise)] {
        let world = world().await;
        for _ in 0..2 {
            assert!(world.deliver(&case(name)).await.is_empty());
            assert_eq!(world.plans().await, plans, "{name}");
            assert_eq!(world.answers().await, [answer("TenantProvisioned.v1", 1)]);
        }
        for _ in 0..2 {
            assert!(world.deliver(&case("valid-removal")).await.is_empty());
            assert_eq!(world.plans().await, [None, None], "{name}");
            assert_eq!(world.answers().await, [answer("TenantDeprovisioned.v1", 1)]);
        }
    }
}

#[tokio::test]
async fn a_failed_request_is_not_answered_and_is_redelivered() {
    let mut world = world().await;
    let prefix = format!("{}-application-", world.shared_table);
    world.adapters.resources =
        Resources::new(&world.aws.config, "no-such-table".to_owned(), prefix);
    assert_eq!(world.deliver(&case("valid-pool")).await.len(), 1);
    assert_eq!(world.answers().await, Vec::<Value>::new());
}

#[tokio::test]
async fn a_request_whose_answer_is_not_published_is_redelivered() {
    let mut world = world().await;
    let nowhere = world
        .aws
        .config
        .to_builder()
        .endpoint_url("http://127.0.0.1:9")
        .build();
    world.adapters.bus = Bus::new(&nowhere, "no-such-bus".to_owned());
    assert_eq!(world.deliver(&case("valid-pool")).await.len(), 1);
}
