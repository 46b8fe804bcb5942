//! Settling, by the stream and by the clock, and sealing.

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

/// How long the stream has for a segment before the sweep takes it.
const STREAM_TIME: SignedDuration = SignedDuration::from_secs(60);
/// When a pending marker without a segment is given up: whoever made it has failed long before, so that
/// nobody is about to write the segment.
const INTAKE_TIME: SignedDuration =
    SignedDuration::from_secs(9 * STORE_TIME_MAX.as_secs().cast_signed());
/// How many segments of each partition a sweep takes.
const POLL_SEGMENTS_MAX: u16 = 250;
/// How many days of each partition are sealed at a time.
const SEALS_MAX: u16 = 100;
const SEGMENTS_AT_ONCE: usize = 100;
const TENANTS_AT_ONCE: usize = 4;

/// Settles what the stream brings; or seals the days that are due, and then settles what the stream
/// left. Days come first: what cannot be settled must not keep them open.
///
/// `now` is the runtime's clock for a schedule too: how long a segment has waited is no matter of
/// billing time. When a day is sealed is one: there the schedule's own time counts.
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

/// The segments that a batch of records brings.
///
/// One that cannot be read would not be readable the next time either: it is reported and left
/// pending, so that the records behind it go on. The sweep fails over it, every minute, until a
/// release can settle it.
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

/// Whether a record says that a segment was stored. The mapping filters too; a table has one stream
/// for all.
fn is_segment(record: &EventRecord) -> bool {
    let partition = record.change.keys.get("pk");
    record.event_name == "INSERT"
        && matches!(partition, Some(serde_dynamo::AttributeValue::S(pk)) if pk.starts_with("SEGMENT#"))
}

/// Settles segments of any tenants, as many of a tenant at once as fit. All are tried; if one
/// fails, all of the batch comes again, and what is settled stays settled.
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
    let settled = iter(by_tenant).map(|(tenant, segments)| async move {
        for batch in batches(segments.into_values().collect()) {
            let settled = rollups.roll_up(tenant, &batch, now).await?;
            let counted = settled.counted;
            tracing::info!(
                segments = settled.segments,
                rolled_up_before = settled.before,
                accepted = counted.accepted,
                duplicates = counted.duplicates,
                conflicts = counted.conflicts,
                "settled usage"
            );
        }
        Ok(())
    });
    let outcomes: Vec<Result<(), UsageStoreError>> =
        settled.buffer_unordered(TENANTS_AT_ONCE).collect().await;
    let failures: Vec<Failure> = outcomes
        .into_iter()
        .filter_map(Result::err)
        .map(|error| failed(&error))
        .collect();
    failures.into_iter().next().map_or(Ok(()), Err)
}

/// Settles what has waited too long, whatever became of its stream record.
async fn poll(rollups: &RollupWriter, now: Timestamp) -> Result<(), Failure> {
    let waiting = rollups
        .backlog(now - STREAM_TIME, POLL_SEGMENTS_MAX)
        .await
        .map_err(|error| failed(&error))?;
    let mut outcome = Ok(());
    for markers in waiting.chunks(SEGMENTS_AT_ONCE) {
        outcome = sweep_some(rollups, markers, now).await.and(outcome);
    }
    outcome
}

async fn sweep_some(
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
                malformed = Err(Failure::of("segment-not-settled", &error))
            }
            FoundSegment::Absent
                if marker
                    .made_at()
                    .is_some_and(|made| now.duration_since(made) > INTAKE_TIME) =>
            {
                rollups
                    .remove_marker(marker)
                    .await
                    .map_err(|error| failed(&error))?;
            }
            FoundSegment::Absent => {}
        }
    }
    roll_up(rollups, ready, now).await.and(malformed)
}

/// Seals the days whose time has come. Those that are not sealed are due still.
async fn seal(rollups: &RollupWriter, time: Timestamp, now: Timestamp) -> Result<(), Failure> {
    let due = rollups
        .due_seals(time, SEALS_MAX)
        .await
        .map_err(|error| failed(&error))?;
    let sealed = iter(&due).map(|due| rollups.seal(due, now));
    let outcomes: Vec<Result<(), UsageStoreError>> =
        sealed.buffer_unordered(TENANTS_AT_ONCE).collect().await;
    tracing::info!(due = due.len(), "sealed days");
    let failures = outcomes
        .into_iter()
        .filter_map(Result::err)
        .map(|error| Failure::of("day-not-sealed", &error));
    failures.last().map_or(Ok(()), Err)
}

fn failed(error: &UsageStoreError) -> Failure {
    Failure::of("usage-not-settled", error)
}

/// Logs what the sweep will fail over.
fn report(error: &UsageStoreError) {
    let source = std::error::Error::source(error).map(ToString::to_string);
    tracing::error!(error = error.to_string(), source, "a segment stays pending");
}
