//! The local AWS loses the records of a region's streams when the region stops, where AWS retains
//! them for a day. This module delivers them again.

use crate::books::{scan, text_of};
use anyhow::{Context, Result, bail};
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::future::try_join_all;
use jiff::SignedDuration;
use local_aws::Stack;
use meridian::client::operator::scheduled_event;
use serde_json::{Map, Value, json};
use std::collections::{BTreeSet, HashMap};

/// The age at which the relay's poller takes rows of the outbox, a minute, and a second more.
const POLLED_AFTER: SignedDuration = SignedDuration::from_secs(61);
/// The number of records in one delivery.
const BATCH: usize = 50;

/// Starts a region again, and delivers the records that its streams had not delivered before it
/// stopped. Otherwise these would wait for the pollers, which take rows that are a minute old.
pub(crate) async fn bring_back(stack: &Stack, region: &str) -> Result<()> {
    stack.start_region(region).await?;
    redeliver(stack, region).await
}

/// Delivers the undelivered stream records of all regions.
pub(crate) async fn redeliver_everywhere(stack: &Stack) -> Result<()> {
    let regions = stack.deployment().regions.keys();
    try_join_all(regions.map(async |region| redeliver(stack, region).await))
        .await
        .map(|_| ())
}

/// Delivers the undelivered stream records of a region: pending usage to the rollup, and
/// unpublished rows of the outbox to the relay.
pub(crate) async fn redeliver(stack: &Stack, region: &str) -> Result<()> {
    let records = segments(stack, region).await?;
    for batch in records.chunks(BATCH) {
        let event = json!({ "Records": batch });
        let rolled_up = stack.invoke(region, "usage-rollup", &event).await;
        rolled_up.with_context(|| format!("usage-rollup of {region}"))?;
    }
    let event = scheduled_event(meridian::now() + POLLED_AFTER);
    let published = stack.invoke(region, "outbox-relay", &event).await;
    published.with_context(|| format!("outbox-relay of {region}"))?;
    Ok(())
}

/// The stream records of the pending segments.
async fn segments(stack: &Stack, region: &str) -> Result<Vec<Value>> {
    let tables = &stack.deployment().region(region)?.tables;
    let table = tables.get("usage").context("a region has its usage")?;
    let pending = scan(stack, region, table, "PENDING#").await?;
    let pending: BTreeSet<&str> = pending
        .iter()
        .filter_map(|row| text_of(row, "sk"))
        .collect();
    if pending.is_empty() {
        return Ok(Vec::new());
    }
    let segments = scan(stack, region, table, "SEGMENT#").await?;
    let pending = segments
        .iter()
        .filter(|segment| text_of(segment, "sk").is_some_and(|id| pending.contains(id)));
    pending.map(|segment| record(region, segment)).collect()
}

/// The stream record of a new item.
fn record(region: &str, item: &HashMap<String, AttributeValue>) -> Result<Value> {
    let image = image(item)?;
    Ok(json!({
        "eventID": meridian::new_uuid(), "eventName": "INSERT", "eventVersion": "1.1",
        "eventSource": "aws:dynamodb", "awsRegion": region,
        "eventSourceARN": format!("arn:aws:dynamodb:{region}:000000000000:table/usage/stream/again"),
        "dynamodb": {
            "ApproximateCreationDateTime": meridian::now().as_second(),
            "Keys": { "pk": image["pk"], "sk": image["sk"] },
            "NewImage": image,
            "SequenceNumber": "1", "SizeBytes": 1, "StreamViewType": "NEW_IMAGE",
        },
    }))
}

fn image(item: &HashMap<String, AttributeValue>) -> Result<Value> {
    let mut image = Map::new();
    for (name, value) in item {
        let value = match value {
            AttributeValue::S(text) => json!({ "S": text }),
            AttributeValue::N(number) => json!({ "N": number }),
            AttributeValue::B(bytes) => json!({ "B": STANDARD.encode(bytes) }),
            other => bail!("a segment has {name}: {other:?}"),
        };
        image.insert(name.clone(), value);
    }
    Ok(Value::Object(image))
}
