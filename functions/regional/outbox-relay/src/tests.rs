use crate::adapters::Adapters;
use crate::handler::handle;
use crate::recent::Recent;
use crate::stub::StubBus;
use aws_lambda_events::event::dynamodb::Event;
use aws_sdk_dynamodb::types::AttributeValue;
use bus::Bus;
use kernel::Timestamp;
use outbox::Outbox;
use runtime::{Failure, Trigger};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use testkit::{LocalAws, Throttle, ThrottledTable};

struct Fixture {
    aws: LocalAws,
    table: String,
    regional: (String, String),
    home: (String, String),
}

async fn fixture() -> Fixture {
    let aws = testkit::aws().await;
    let table = testkit::table(&aws, false).await;
    let regional = testkit::bus(&aws).await;
    let home = testkit::bus(&aws).await;
    Fixture {
        aws,
        table,
        regional,
        home,
    }
}

fn case(name: &str) -> Value {
    testkit::cases("outbox-relay")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

impl Fixture {
    /// A new process of the function.
    fn adapters(&self) -> Adapters {
        Adapters {
            outbox: Outbox::new(&self.aws.config, self.table.clone()),
            regional_bus: Bus::new(&self.aws.config, self.regional.0.clone()),
            home_bus: Some(Bus::new(&self.aws.config, self.home.0.clone())),
            recent: Recent::default(),
        }
    }

    /// Puts the rows of a stream payload into the table, as the transactions before it did.
    async fn put(&self, payload: &Value) {
        let client = aws_sdk_dynamodb::Client::new(&self.aws.config);
        let event: Event = serde_json::from_value(payload.clone()).unwrap();
        for record in event
            .records
            .into_iter()
            .filter(|record| record.event_name == "INSERT")
        {
            let item: HashMap<String, AttributeValue> = record.change.new_image.into();
            client
                .put_item()
                .table_name(&self.table)
                .set_item(Some(item))
                .send()
                .await
                .unwrap();
        }
    }

    /// The number of items that the table still holds, malformed ones included.
    async fn left(&self) -> usize {
        let client = aws_sdk_dynamodb::Client::new(&self.aws.config);
        let scanned = client.scan().table_name(&self.table).send().await.unwrap();
        usize::try_from(scanned.count()).unwrap()
    }

    /// The number of arrivals of each event on a bus since the last call.
    async fn arrived(&self, bus: &(String, String)) -> BTreeMap<String, usize> {
        let client = aws_sdk_sqs::Client::new(&self.aws.config);
        let mut arrived = BTreeMap::new();
        loop {
            let received = client
                .receive_message()
                .queue_url(&bus.1)
                .max_number_of_messages(10)
                .send()
                .await
                .unwrap();
            for message in received.messages() {
                let body: Value = serde_json::from_str(message.body().unwrap()).unwrap();
                *arrived
                    .entry(body["detail"]["id"].as_str().unwrap().to_owned())
                    .or_default() += 1;
                let receipt = message.receipt_handle().unwrap();
                client
                    .delete_message()
                    .queue_url(&bus.1)
                    .receipt_handle(receipt)
                    .send()
                    .await
                    .unwrap();
            }
            if received.messages().is_empty() {
                return arrived;
            }
        }
    }
}

async fn run(adapters: &Adapters, payload: &Value) -> Result<(), Failure> {
    let event: Trigger<Event> = serde_json::from_value(payload.clone()).unwrap();
    handle(adapters, event).await
}

async fn poll(adapters: &Adapters, time: &str) -> Result<(), Failure> {
    let mut schedule = case("valid-schedule");
    schedule["time"] = json!(time);
    run(adapters, &schedule).await
}

#[tokio::test]
async fn every_case_is_relayed_or_fails_as_a_whole() {
    for case in testkit::cases("outbox-relay") {
        let Ok(event) = serde_json::from_value::<Trigger<Event>>(case.payload.clone()) else {
            assert_eq!(case.name, "invalid-not-a-schedule");
            continue;
        };
        let fixture = fixture().await;
        if matches!(event, Trigger::Records(_)) {
            fixture.put(&case.payload).await;
        }
        let adapters = if case.is_valid() {
            fixture.adapters()
        } else {
            Adapters {
                home_bus: None,
                ..fixture.adapters()
            }
        };
        let relayed = handle(&adapters, event).await;
        assert_eq!(relayed.is_ok(), case.is_valid(), "{}", case.name);
        let (regional, home, left) = match case.name.as_str() {
            "valid-inserted" => (12, 1, 0),
            "valid-malformed-image-between-others" => (2, 0, 1),
            "valid-no-event-of-the-outbox" => (0, 0, 1),
            "invalid-home-event-outside-home" => (1, 0, 1),
            _ => (0, 0, 0),
        };
        assert_eq!(
            fixture.arrived(&fixture.regional).await.len(),
            regional,
            "{}",
            case.name
        );
        assert_eq!(
            fixture.arrived(&fixture.home).await.len(),
            home,
            "{}",
            case.name
        );
        assert_eq!(fixture.left().await, left, "{}", case.name);
    }
}

#[tokio::test]
async fn a_redelivered_batch_is_not_published_again_by_the_same_process() {
    let fixture = fixture().await;
    let (payload, adapters) = (case("valid-inserted"), fixture.adapters());
    fixture.put(&payload).await;
    for _ in 0..3 {
        run(&adapters, &payload).await.unwrap();
    }
    let arrived = fixture.arrived(&fixture.regional).await;
    assert_eq!(arrived.len(), 12);
    assert!(arrived.values().all(|times| *times == 1), "{arrived:?}");
}

#[tokio::test]
async fn a_process_that_ends_between_publishing_and_removing_loses_nothing() {
    let fixture = fixture().await;
    let payload = case("valid-inserted");
    fixture.put(&payload).await;
    let outbox = Outbox::new(&fixture.aws.config, "no-such-table".to_owned());
    let killed = Adapters {
        outbox,
        ..fixture.adapters()
    };
    assert_eq!(
        run(&killed, &payload).await.unwrap_err().kind(),
        "OutboxNotRelayed"
    );
    assert_eq!(fixture.left().await, 13);
    run(&fixture.adapters(), &payload).await.unwrap();
    assert_eq!(fixture.left().await, 0);
    let arrived = fixture.arrived(&fixture.regional).await;
    assert_eq!(arrived.len(), 12);
    assert!(
        arrived.values().all(|times| *times == 2),
        "published by both: {arrived:?}"
    );
}

#[tokio::test]
async fn rows_are_removed_together() {
    let fixture = fixture().await;
    let table = ThrottledTable::start(Throttle::Undone, 0).await;
    let adapters = Adapters {
        outbox: Outbox::new(&table.config, "any".to_owned()),
        ..fixture.adapters()
    };
    run(&adapters, &case("valid-inserted")).await.unwrap();
    assert_eq!(
        table.calls(),
        2,
        "twelve rows of one bus, and one of the other"
    );
}

#[tokio::test]
async fn rows_that_a_busy_table_did_not_remove_are_not_published_again() {
    let fixture = fixture().await;
    let payload = case("valid-inserted");
    fixture.put(&payload).await;
    let table = ThrottledTable::start(Throttle::Undone, u32::MAX).await;
    let busy = Adapters {
        outbox: Outbox::new(&table.config, "any".to_owned()),
        ..fixture.adapters()
    };
    let failure = run(&busy, &payload).await.unwrap_err();
    assert_eq!(failure.kind(), "OutboxNotRelayed");
    assert_eq!(fixture.left().await, 13);
    let adapters = Adapters {
        recent: busy.recent,
        ..fixture.adapters()
    };
    run(&adapters, &payload).await.unwrap();
    assert_eq!(fixture.left().await, 0);
    let arrived = fixture.arrived(&fixture.regional).await;
    assert_eq!(arrived.len(), 12);
    assert!(arrived.values().all(|times| *times == 1), "{arrived:?}");
}

#[tokio::test]
async fn only_refused_entries_stay_and_are_published_again() {
    let fixture = fixture().await;
    let payload = case("valid-inserted");
    fixture.put(&payload).await;
    let stub = StubBus::start(&[3, 11]);
    let config = fixture
        .aws
        .config
        .to_builder()
        .endpoint_url(stub.url())
        .build();
    let adapters = Adapters {
        regional_bus: Bus::new(&config, "any".to_owned()),
        ..fixture.adapters()
    };

    assert_eq!(
        run(&adapters, &payload).await.unwrap_err().kind(),
        "OutboxNotRelayed"
    );
    assert_eq!(
        fixture.left().await,
        2,
        "what was published is removed although the batch failed"
    );
    assert_eq!(
        fixture.arrived(&fixture.home).await.len(),
        1,
        "the other bus is not held up"
    );
    stub.recover();
    run(&adapters, &payload).await.unwrap();
    assert_eq!(fixture.left().await, 0);
    assert_eq!(stub.entries_per_call(), [10, 2, 2]);
}

#[tokio::test]
async fn a_bus_that_does_not_answer_leaves_every_row() {
    let fixture = fixture().await;
    let payload = case("valid-inserted");
    fixture.put(&payload).await;
    let config = fixture
        .aws
        .config
        .to_builder()
        .endpoint_url("http://127.0.0.1:9")
        .build();
    let away = Adapters {
        regional_bus: Bus::new(&config, "any".to_owned()),
        ..fixture.adapters()
    };
    run(&away, &payload).await.unwrap_err();
    assert_eq!(fixture.left().await, 12);
    poll(&fixture.adapters(), "2026-11-03T10:02:00Z")
        .await
        .unwrap();
    assert_eq!(fixture.left().await, 0);
    assert_eq!(fixture.arrived(&fixture.regional).await.len(), 12);
}

#[tokio::test]
async fn a_poll_leaves_young_rows_to_the_stream() {
    let fixture = fixture().await;
    fixture.put(&case("valid-inserted")).await;
    // The rows became true at 10:00:00.
    poll(&fixture.adapters(), "2026-11-03T10:01:00Z")
        .await
        .unwrap();
    assert_eq!(fixture.left().await, 13);
    poll(&fixture.adapters(), "2026-11-03T10:01:01Z")
        .await
        .unwrap();
    assert_eq!(fixture.left().await, 0);
    assert_eq!(fixture.arrived(&fixture.home).await.len(), 1);
}

#[tokio::test]
async fn a_malformed_row_does_not_block_a_poll() {
    let fixture = fixture().await;
    fixture
        .put(&case("valid-malformed-image-between-others"))
        .await;
    poll(&fixture.adapters(), &Timestamp::MAX.to_string())
        .await
        .unwrap();
    assert_eq!(fixture.left().await, 1);
    assert_eq!(fixture.arrived(&fixture.regional).await.len(), 2);
}
