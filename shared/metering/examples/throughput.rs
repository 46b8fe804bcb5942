//! What metering costs in CPU, with a baseline in the same run:
//! `cargo run --release -p metering --example throughput`.
#![expect(clippy::unwrap_used, reason = "a measurement stops at the first surprise")]

use contract::catalogue::Catalogue;
use jiff::Timestamp;
use kernel::{SegmentId, TenantId};
use metering::{Digest, EVENTS_MAX, Entry, Form, Identity, Segment, State, Usage, Value, WindowSize, batches, group};
use metering::{read, settle, touched_windows};
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::time::{Duration, Instant};
use uuid::Uuid;

const NOW: &str = "2026-11-15T12:00:00Z";
const SETTLED_EVENTS: usize = 1_000_000;
const SAMPLES: usize = 41;

fn main() {
    let catalogue = Catalogue::bundled().unwrap();
    let now: Timestamp = NOW.parse().unwrap();
    let body = body();
    let ours = median(|| {
        let reading = read(&body, Form::Batch, &catalogue, now).unwrap();
        let segments = group(reading.usage(), || SegmentId::from_uuid(Uuid::nil()));
        black_box(segments.iter().map(|segment| segment.body.encode()).collect::<Vec<_>>());
    });
    let tree = median(|| {
        black_box(serde_json::from_slice::<serde_json::Value>(&body).unwrap());
    });
    println!("ingest: read, check, hash, group and encode a batch of {EVENTS_MAX} events, {} bytes", body.len());
    println!("  ours                         {:8.3} ms", ms(ours));
    println!("  serde_json::Value, parse only {:7.3} ms   ours / this: {:.2}", ms(tree), ms(ours) / ms(tree));

    let segments = segments(&catalogue, now);
    let ours = settle_all(&segments, now);
    let naive = count_in_a_map(&segments);
    println!("rollup: settle {SETTLED_EVENTS} distinct events of one tenant, {EVENTS_MAX} at a time");
    println!("  ours                         {:8.3} million events/s", rate(ours));
    println!(
        "  one HashMap, totals only      {:7.3} million events/s   ours / this: {:.2}",
        rate(naive),
        rate(ours) / rate(naive)
    );
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

fn rate(duration: Duration) -> f64 {
    1.0 / duration.as_secs_f64()
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut samples: Vec<Duration> = (0..SAMPLES)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    samples.sort_unstable();
    samples[SAMPLES / 2]
}

/// A full batch of events as an exporter sends them.
fn body() -> Vec<u8> {
    let tenant = |n: usize| TenantId::from_uuid(Uuid::from_u128(n as u128));
    let events: Vec<_> = (0..EVENTS_MAX)
        .map(|n| {
            serde_json::json!({
                "specversion": "1.0", "type": "transfer.completed", "source": "/gateways/eu-central-1/7",
                "id": Uuid::from_u128(n as u128 * 7_919), "subject": tenant(n % 10).to_string(),
                "time": "2026-11-15T11:59:58.123Z", "datacontenttype": "application/json",
                "data": { "gigabytes": n as f64 / 8.0, "route": "/v1/files" },
            })
        })
        .collect();
    serde_json::to_vec(&events).unwrap()
}

fn segments(catalogue: &Catalogue, now: Timestamp) -> Vec<Segment> {
    let tenant = TenantId::from_uuid(Uuid::from_u128(1));
    let usage = (0..SETTLED_EVENTS).map(|n| {
        let meter = &catalogue.meters[n % 4];
        let value = Value::new(n as i128 % 10_000, 3).unwrap();
        let entry = Entry { identity: Identity::of("s", &n.to_string()), digest: Digest::of("t", tenant, now, value) };
        Usage { tenant, entry, meter, start: WindowSize::Day.start(now), value }
    });
    group(usage, || SegmentId::from_uuid(Uuid::nil()))
}

fn settle_all(segments: &[Segment], now: Timestamp) -> Duration {
    let mut state = State::default();
    let mut spent = Duration::ZERO;
    for (n, batch) in segments.chunks(1).enumerate() {
        let batch = batches(batch.to_vec()).remove(0);
        let keys = touched_windows(&batch);
        let start = Instant::now();
        let settlement = settle(&state, &batch, Uuid::from_u128(n as u128), now).unwrap();
        spent += start.elapsed();
        for id in &settlement.obsolete {
            state.runs.remove(id);
        }
        state.runs.extend(settlement.written.into_iter().map(|(named, run)| (named.id, run)));
        state.head = settlement.head;
        state.windows.extend(settlement.windows);
        state.windows.retain(|key, _| keys.contains(key));
    }
    assert_eq!(state.head.counted.accepted, SETTLED_EVENTS as u64);
    println!("  (the index ends with {} runs)", state.head.runs.len());
    spent
}

/// What cannot be done across functions, as the upper bound: everything in one map that is never stored.
fn count_in_a_map(segments: &[Segment]) -> Duration {
    let start = Instant::now();
    let mut seen = HashMap::new();
    let mut totals: BTreeMap<_, Value> = BTreeMap::new();
    for segment in segments {
        for event in segment.body.events() {
            if seen.insert(event.entry.identity, event.entry.digest).is_none() {
                let slot = &segment.body.slots()[usize::from(event.slot)];
                let total = totals.entry(&slot.key).or_default();
                *total = total.plus(event.value).unwrap();
            }
        }
    }
    black_box(totals);
    start.elapsed()
}
