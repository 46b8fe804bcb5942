//! What the local AWS loses when a region stops: the records of its streams, which AWS keeps for a
//! day. Here they are brought again.

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

/// How long rows of the outbox wait until a sweep takes them, and a second.
const SWEPT_AFTER: SignedDuration = SignedDuration::from_secs(61);
/// How many records the stream brings at once.
const BATCH: usize = 50;

/// Brings a region back, with what its streams had not brought before it stopped. Otherwise that
/// would wait for the sweeps, which take what is a minute old.
pub(crate) async fn bring_back(stack: &Stack, region: &str) -> Result<()> {
    stack.start_region(region).await?;
    bring_again(stack, region).await
}

/// Brings again what the streams of all regions had not brought.
pub(crate) async fn bring_again_everywhere(stack: &Stack) -> Result<()> {
    let regions = stack.deployment().regions.keys();
    try_join_all(regions.map(async |region| bring_again(stack, region).await))
        .await
        .map(|_| ())
}

/// Brings again what a region's streams had not brought: usage that waits to be rolled up, and rows
/// of the outbox that wait to be published.
pub(crate) async fn bring_again(stack: &Stack, region: &str) -> Result<()> {
    let records = segments(stack, region).await?;
    for batch in records.chunks(BATCH) {
        let event = json!({ "Records": batch });
        let rolled_up = stack.invoke(region, "usage-rollup", &event).await;
        rolled_up.with_context(|| format!("usage-rollup of {region}"))?;
    }
    let event = scheduled_event(meridian::now() + SWEPT_AFTER);
    let published = stack.invoke(region, "outbox-relay", &event).await;
    published.with_context(|| format!("outbox-relay of {region}"))?;
    Ok(())
}

/// The records of the segments that wait.
async fn segments(stack: &Stack, region: &str) -> Result<Vec<Value>> {
    let tables = &stack.deployment().region(region)?.tables;
    let table = tables.get("usage").context("a region has its usage")?;
    let pending = scan(stack, region, table, "PENDING#").await?;
    let waiting: BTreeSet<&str> = pending
        .iter()
        .filter_map(|row| text_of(row, "sk"))
        .collect();
    if waiting.is_empty() {
        return Ok(Vec::new());
    }
    let segments = scan(stack, region, table, "SEGMENT#").await?;
    let waiting = segments
        .iter()
        .filter(|segment| text_of(segment, "sk").is_some_and(|id| waiting.contains(id)));
    waiting.map(|segment| record(region, segment)).collect()
}

/// The record of a new item.
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
