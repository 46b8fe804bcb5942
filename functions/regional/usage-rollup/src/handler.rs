//! Rolls up segments from the stream and from the poll, and seals days.

use aws_lambda_events::event::dynamodb::{Event, EventRecord};
use futures::stream::{StreamExt as _, iter};
use jiff::SignedDuration;
use kernel::{SegmentId, TenantId, Timestamp};
use metering::{Segment, batches};
use runtime::{Failure, Trigger};
use std::collections::BTreeMap;
use usage_store::{
    FoundSegment, Pending, RollupWriter, STORE_TIME_MAX, UsageStoreError, segment_of_image,
};

/// The age at which the poll rolls a segment up. Until then the stream is expected to.
const STREAM_TIME: SignedDuration = SignedDuration::from_secs(60);
/// The age at which a pending marker without a segment is removed. It is nine times as long as
/// storing may take, so the marker's writer has failed long before and cannot store the segment.
const MARKER_AGE_MAX: SignedDuration =
    SignedDuration::from_secs(9 * STORE_TIME_MAX.as_secs().cast_signed());
/// The most segments of each partition that one poll rolls up.
const POLL_SEGMENTS_MAX: u16 = 250;
/// The most days of each partition that are sealed in one invocation.
const SEALS_MAX: u16 = 100;
/// The segments that a poll holds in memory at once: as many as one `BatchGetItem` reads.
const SEGMENTS_AT_ONCE: usize = 100;
/// The number of tenants whose usage is rolled up concurrently. Transactions of one tenant run one
/// after another, since they replace the same checkpoint.
const TENANTS_AT_ONCE: usize = 4;

/// Rolls up the segments of stream records. On schedule, seals the days that are due, and then
/// rolls up the segments that the stream missed. Days come first: a segment that cannot be rolled
/// up must not keep them open.
///
/// `now` is the runtime's clock, also on schedule, since the age of a segment is not billing time.
/// The sealing of a day is, so it uses the schedule's own time.
pub(crate) async fn handle(
    rollups: &RollupWriter,
    event: Trigger<Event>,
    now: Timestamp,
) -> Result<(), Failure> {
    match event {
        Trigger::Records(batch) => roll_up(rollups, segments(batch), now).await,
        Trigger::Schedule(scheduled) => seal(rollups, scheduled.time, now)
            .await
            .and(poll(rollups, now).await),
    }
}

/// The segments of a batch of records.
///
/// A segment that cannot be read would fail each retry too. It is reported and stays pending, so
/// that it does not block the records behind it. The poll fails on it every minute, until a release
/// can read it.
fn segments(batch: Event) -> Vec<Segment> {
    let mut segments = Vec::with_capacity(batch.records.len());
    for record in batch.records.into_iter().filter(is_segment) {
        match segment_of_image(record.change.new_image) {
            Ok(segment) => segments.push(segment),
            Err(error) => report(&error),
        }
    }
    segments
}

/// Whether a record is an inserted segment. The table has one stream for all items; the event
/// source mapping filters it too.
fn is_segment(record: &EventRecord) -> bool {
    let partition = record.change.keys.get("pk");
    record.event_name == "INSERT"
        && matches!(partition, Some(serde_dynamo::AttributeValue::S(pk)) if pk.starts_with("SEGMENT#"))
}

/// Rolls up segments of any tenants, as many of a tenant in one transaction as fit. A failure does
/// not stop the other tenants. The stream then delivers the whole batch again, and segments that
/// are already rolled up change nothing.
async fn roll_up(
    rollups: &RollupWriter,
    segments: Vec<Segment>,
    now: Timestamp,
) -> Result<(), Failure> {
    let mut by_tenant: BTreeMap<TenantId, BTreeMap<SegmentId, Segment>> = BTreeMap::new();
    for segment in segments {
        by_tenant
            .entry(segment.tenant)
            .or_default()
            .insert(segment.id, segment);
    }
    let rollup = iter(by_tenant).map(|(tenant, segments)| async move {
        for batch in batches(segments.into_values().collect()) {
            let rolled_up = rollups.roll_up(tenant, &batch, now).await?;
            let counted = rolled_up.counted;
            tracing::info!(
                segments = rolled_up.segments,
                rolled_up_before = rolled_up.before,
                accepted = counted.accepted,
                duplicates = counted.duplicates,
                conflicts = counted.conflicts,
                "rolled up usage"
            );
        }
        Ok(())
    });
    let results: Vec<Result<(), UsageStoreError>> =
        rollup.buffer_unordered(TENANTS_AT_ONCE).collect().await;
    // Each failure is logged as it is made; the first one fails the invocation.
    let failures: Vec<Failure> = results
        .into_iter()
        .filter_map(Result::err)
        .map(|error| failed(&error))
        .collect();
    failures.into_iter().next().map_or(Ok(()), Err)
}

/// Rolls up segments that are pending for longer than [`STREAM_TIME`], independently of the stream.
async fn poll(rollups: &RollupWriter, now: Timestamp) -> Result<(), Failure> {
    let pending = rollups
        .backlog(now - STREAM_TIME, POLL_SEGMENTS_MAX)
        .await
        .map_err(|error| failed(&error))?;
    let mut result = Ok(());
    for markers in pending.chunks(SEGMENTS_AT_ONCE) {
        result = roll_up_pending(rollups, markers, now).await.and(result);
    }
    result
}

async fn roll_up_pending(
    rollups: &RollupWriter,
    markers: &[Pending],
    now: Timestamp,
) -> Result<(), Failure> {
    let mut ready = Vec::with_capacity(markers.len());
    let mut malformed = Ok(());
    for (marker, found) in rollups
        .find(markers)
        .await
        .map_err(|error| failed(&error))?
    {
        match found {
            FoundSegment::Ready(segment) => ready.push(segment),
            FoundSegment::Malformed(error) => {
                malformed = Err(Failure::of("segment-not-rolled-up", &error))
            }
            FoundSegment::Absent
                if marker
                    .made_at()
                    .is_some_and(|made| now.duration_since(made) > MARKER_AGE_MAX) =>
            {
                rollups
                    .remove_marker(marker)
                    .await
                    .map_err(|error| failed(&error))?;
            }
            // The segment may still be stored.
            FoundSegment::Absent => {}
        }
    }
    roll_up(rollups, ready, now).await.and(malformed)
}

/// Seals the days that are due. A day that fails stays due.
async fn seal(rollups: &RollupWriter, time: Timestamp, now: Timestamp) -> Result<(), Failure> {
    let due = rollups
        .due_seals(time, SEALS_MAX)
        .await
        .map_err(|error| failed(&error))?;
    let sealed = iter(&due).map(|due| rollups.seal(due, now));
    let results: Vec<Result<(), UsageStoreError>> =
        sealed.buffer_unordered(TENANTS_AT_ONCE).collect().await;
    tracing::info!(due = due.len(), "sealed days");
    let failures = results
        .into_iter()
        .filter_map(Result::err)
        .map(|error| Failure::of("day-not-sealed", &error));
    failures.last().map_or(Ok(()), Err)
}

fn failed(error: &UsageStoreError) -> Failure {
    Failure::of("usage-not-rolled-up", error)
}

/// Logs a segment that the poll will fail on.
fn report(error: &UsageStoreError) {
    let source = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(error = error.to_string(), source, "a segment stays pending");
}
