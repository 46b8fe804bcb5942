use crate::{Bus, BusError, ENTRIES_MAX, Entry};
use kernel::Timestamp;
use serde_json::{Value, json};

fn entry(number: usize) -> Entry {
    Entry {
        source: "meridian.test".to_owned(),
        detail_type: "Numbered.v1".to_owned(),
        detail: json!({ "number": number }).to_string(),
        time: Timestamp::from_second(1_800_000_000).unwrap(),
    }
}

#[tokio::test]
async fn entries_arrive_as_they_were_published() {
    let aws = testkit::aws().await;
    let (name, queue) = testkit::bus(&aws).await;
    let bus = Bus::new(&aws.config, name);
    assert_eq!(bus.publish(&[entry(1)]).await.unwrap(), []);

    let queues = aws_sdk_sqs::Client::new(&aws.config);
    let received = queues
        .receive_message()
        .queue_url(queue)
        .wait_time_seconds(5)
        .send()
        .await
        .unwrap();
    let event: Value = serde_json::from_str(received.messages()[0].body().unwrap()).unwrap();
    assert_eq!(event["detail-type"], "Numbered.v1");
    assert_eq!(event["source"], "meridian.test");
    assert_eq!(event["detail"], json!({ "number": 1 }));
}

#[tokio::test]
async fn a_call_is_bounded() {
    let aws = testkit::aws().await;
    let bus = Bus::new(&aws.config, "none".to_owned());
    let entries: Vec<_> = (0..=ENTRIES_MAX).map(entry).collect();
    assert!(matches!(
        bus.publish(&entries).await,
        Err(BusError::TooMany { count: 11 })
    ));
}
