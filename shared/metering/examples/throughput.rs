//! Measures the processor time of metering, with a baseline in the same run:
//! `cargo run --release -p metering --example throughput`.
#![expect(
    clippy::unwrap_used,
    reason = "a measurement stops at the first surprise"
)]

use catalogue::{Aggregation, Catalogue, Meter};
use dedupe::{Blocks, Entry, NewPart};
use jiff::Timestamp;
use kernel::{BillingAnchor, SegmentId, TenantId};
use metering::{
    Aggregate, EVENTS_MAX, Form, Measure, ParsedBatch, Rollup, Segment, Sender, Snapshot, Usage,
    Value, batches, content_hash, distinct_key, event_key, group, read, touched_pages,
};
use rustix::time::{ClockId, clock_gettime};
use std::collections::{BTreeMap, HashMap};
use std::hint::black_box;
use std::time::{Duration, Instant};
use uuid::Uuid;

const NOW: &str = "2026-11-15T12:00:00Z";
const ROLLED_UP_EVENTS: usize = 1_000_000;
/// The number of runs of which the median is shown.
const SAMPLES: usize = 41;
/// The number of requests that are rolled up together under load.
const DELIVERY: usize = 20;
const EVENTS_OF_TENANT: usize = 100;
/// The least number of events for a figure.
const ROUNDS_EVENTS: usize = 1_000_000;
/// The number of requests that are sent again.
const SENT_AGAIN: usize = 100;

fn main() {
    let catalogue = Catalogue::bundled().unwrap();
    let now: Timestamp = NOW.parse().unwrap();
    ingest(&catalogue, now);
    if std::env::args().nth(1).as_deref() == Some("ingest") {
        return;
    }
    let segments = segments(&catalogue, now, 1, ROLLED_UP_EVENTS);
    let ours = roll_up_all(&segments, now, 1).2;
    let together = roll_up_all(&segments, now, DELIVERY).2;
    let naive = count_in_a_map(&segments);
    println!("roll up {ROLLED_UP_EVENTS} distinct events of one tenant, {EVENTS_MAX} at a time");
    println!(
        "  ours                         {:8.3} million events/s",
        rate(ours)
    );
    println!(
        "  ours, {DELIVERY} requests together    {:8.3} million events/s",
        rate(together)
    );
    let widest = roll_up_all(&wide_segments(&catalogue, now), now, DELIVERY).2;
    println!(
        "  the same, of any width        {:7.3} million events/s",
        rate(widest)
    );
    println!(
        "  one HashMap, totals only      {:7.3} million events/s   ours / this: {:.2}",
        rate(naive),
        rate(ours) / rate(naive)
    );
    growth(&catalogue, now);
}

/// From a body to what is stored, and its parts.
fn ingest(catalogue: &Catalogue, now: Timestamp) {
    let body = body();
    let read = || read(&body, &Form::Batch, Sender::Provider, catalogue, now).unwrap();
    let grouped = |reading: &ParsedBatch<'_, '_>| {
        group(
            reading.usage(),
            |_| BillingAnchor::default(),
            || SegmentId::from_uuid(Uuid::nil()),
        )
    };
    let encoded = |segments: &[Segment]| -> Vec<Vec<u8>> {
        let bodies = segments.iter().map(|segment| segment.body.encode());
        bodies.collect()
    };
    let whole = median(|| drop(black_box(encoded(&grouped(&read())))));
    let reading = read();
    let segments = grouped(&reading);
    println!(
        "ingest: read, check, hash, group and encode a batch of {EVENTS_MAX} events, {} bytes",
        body.len()
    );
    println!("  ours                         {:8.3} ms", ms(whole));
    for (part, spent) in [
        ("read, check and hash", median(|| drop(black_box(read())))),
        ("group", median(|| drop(black_box(grouped(&reading))))),
        ("encode", median(|| drop(black_box(encoded(&segments))))),
    ] {
        println!("    {part:26} {:8.3} ms", ms(spent));
    }
    let tree = median(|| {
        black_box(serde_json::from_slice::<serde_json::Value>(&body).unwrap());
    });
    println!(
        "  serde_json::Value, parse only {:7.3} ms   ours / this: {:.2}",
        ms(tree),
        ms(whole) / ms(tree)
    );
}

/// Whether an event costs the same, however many there were before it and however many tenants
/// there are.
fn growth(catalogue: &Catalogue, now: Timestamp) {
    println!("growth: microseconds of processor time for each event, and bytes in memory");
    println!(
        "  one tenant's events     {DELIVERY} requests together   one by one   all sent again   bytes"
    );
    for events in [10_000, 100_000, 1_000_000, 10_000_000] {
        growth_of(&segments(catalogue, now, 1, events), now);
    }
    println!("  one tenant's different values");
    for events in [10_000, 100_000, 1_000_000] {
        growth_of(&member_segments(catalogue, now, events), now);
    }
    println!("  tenants with {EVENTS_OF_TENANT} events each");
    for tenants in [10, 100, 1_000, 10_000, 100_000] {
        let of_tenant = |tenant| {
            roll_up_all(
                &segments(catalogue, now, tenant, EVENTS_OF_TENANT),
                now,
                DELIVERY,
            )
            .2
        };
        let spent: Duration = (1..=tenants as u128).map(of_tenant).sum();
        println!(
            "  {tenants:>10} {:20.3}",
            micros_each(spent, tenants * EVENTS_OF_TENANT)
        );
    }
}

fn growth_of(segments: &[Segment], now: Timestamp) {
    let events: usize = segments
        .iter()
        .map(|segment| segment.body.events().len())
        .sum();
    // A few events are rolled up too quickly to be measured once.
    let rounds = (ROUNDS_EVENTS / events).max(1);
    let mean = |delivery| {
        (0..rounds)
            .map(|_| roll_up_all(segments, now, delivery).2)
            .sum::<Duration>()
    };
    let (together, single) = (mean(DELIVERY), mean(1));
    let (snapshot, blocks, _) = roll_up_all(segments, now, DELIVERY);
    let whole: usize = blocks.whole.values().map(|run| run.memory_bytes()).sum();
    let blocked: usize = blocks.blocked.values().map(|run| run.memory_bytes()).sum();
    let filters: usize = blocks
        .filters
        .values()
        .map(|filter| filter.memory_bytes())
        .sum();
    println!(
        "  {events:>10} {:20.3} {:19.3} {:14.3} {:14.1}",
        micros_each(together, rounds * events),
        micros_each(single, rounds * events),
        roll_up_again(&snapshot, &blocks, segments, now),
        (whole + blocked + filters) as f64 / events as f64,
    );
}

/// The cost of recognising repetitions of events of every age.
fn roll_up_again(
    snapshot: &Snapshot,
    blocks: &Blocks,
    segments: &[Segment],
    now: Timestamp,
) -> f64 {
    let sample: Vec<Segment> = segments
        .iter()
        .step_by(segments.len().div_ceil(SENT_AGAIN))
        .take(SENT_AGAIN)
        .cloned()
        .collect();
    let sent: usize = sample
        .iter()
        .map(|segment| segment.body.events().len())
        .sum();
    let mut spent = Duration::ZERO;
    for batch in batches(sample) {
        let start = processor_time();
        let rollup = Rollup::new(snapshot, &batch, now).finish(Uuid::nil(), blocks);
        let counted = rollup.unwrap().counted;
        spent += processor_time() - start;
        assert_eq!(counted.duplicates, counted.total());
    }
    micros_each(spent, sent)
}

fn micros_each(spent: Duration, events: usize) -> f64 {
    spent.as_secs_f64() * 1e6 / events as f64
}

/// The processor time of this thread, without that of other processes on the machine.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.try_into().unwrap(),
        time.tv_nsec.try_into().unwrap(),
    )
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

fn segments(catalogue: &Catalogue, now: Timestamp, tenant: u128, events: usize) -> Vec<Segment> {
    let measure = |n: usize| {
        (
            &catalogue.meters[n % 4],
            Measure::Number(Value::new(n as i128 % 10_000, 3).unwrap()),
        )
    };
    segments_of(
        TenantId::from_uuid(Uuid::from_u128(tenant)),
        now,
        events,
        measure,
    )
}

/// Events with values as long and as far apart as possible.
fn wide_segments(catalogue: &Catalogue, now: Timestamp) -> Vec<Segment> {
    let meter = catalogue
        .meters
        .iter()
        .find(|meter| meter.aggregation == Aggregation::Sum)
        .unwrap();
    let value = |n: usize| Value::new(10_i128.pow(37) + n as i128, n as u16 * 37 % 341).unwrap();
    let tenant = TenantId::from_uuid(Uuid::from_u128(1));
    segments_of(tenant, now, ROLLED_UP_EVENTS, |n| {
        (meter, Measure::Number(value(n)))
    })
}

/// Events with a different value each, for a meter that counts distinct values.
fn member_segments(catalogue: &Catalogue, now: Timestamp, events: usize) -> Vec<Segment> {
    let tenant = TenantId::from_uuid(Uuid::from_u128(1));
    let meter = catalogue
        .meters
        .iter()
        .find(|meter| meter.aggregation == Aggregation::UniqueCount)
        .unwrap();
    let measure = |n: usize| {
        (
            meter,
            Measure::Distinct(distinct_key(tenant, "number", &n.to_string())),
        )
    };
    segments_of(tenant, now, events, measure)
}

fn segments_of<'c>(
    tenant: TenantId,
    now: Timestamp,
    events: usize,
    measure: impl Fn(usize) -> (&'c Meter, Measure),
) -> Vec<Segment> {
    let usage = (0..events).map(|n| {
        let (meter, measure) = measure(n);
        let groups = meter.groups();
        let group = groups[n % groups.len()].clone();
        let content = content_hash("t", tenant, now, &measure, &group);
        let entry = Entry {
            key: event_key(Sender::Provider, "s", &n.to_string()),
            content,
        };
        Usage {
            tenant,
            entry,
            meter,
            group,
            at: now,
            measure,
        }
    });
    let mut ids = (1..).map(|n| SegmentId::from_uuid(Uuid::from_u128(n)));
    group(usage, |_| BillingAnchor::default(), || ids.next().unwrap())
}

/// Rolls up a number of segments at a time.
fn roll_up_all(
    segments: &[Segment],
    now: Timestamp,
    delivery: usize,
) -> (Snapshot, Blocks, Duration) {
    let mut snapshot = Snapshot::default();
    let mut blocks = Blocks::default();
    let mut spent = Duration::ZERO;
    let mut attempts = fastrand::Rng::with_seed(7);
    let batches = segments
        .chunks(delivery)
        .flat_map(|delivered| batches(delivered.to_vec()));
    for batch in batches {
        let keys = touched_pages(&batch);
        let attempt = Uuid::from_u128(attempts.u128(..));
        let start = processor_time();
        let rollup = Rollup::new(&snapshot, &batch, now)
            .finish(attempt, &blocks)
            .unwrap();
        spent += processor_time() - start;
        for id in &rollup.obsolete {
            blocks.whole.remove(id);
        }
        for part in rollup.new_parts {
            match part {
                NewPart::Run(meta, run) => drop(blocks.whole.insert(meta.id, run)),
                NewPart::Blocks(meta, run) => drop(blocks.blocked.insert(meta.id, run)),
                NewPart::Filter(_, group, filter) => drop(blocks.filters.insert(group, filter)),
            }
        }
        snapshot.checkpoint = rollup.checkpoint;
        snapshot.pages.extend(rollup.pages);
        snapshot.pages.retain(|key, _| keys.contains(key));
    }
    let sent: usize = segments
        .iter()
        .map(|segment| segment.body.events().len())
        .sum();
    assert_eq!(snapshot.checkpoint.counted.accepted, sent as u64);
    (snapshot, blocks, spent)
}

/// The upper bound, which functions cannot reach: everything in one map that is never stored.
fn count_in_a_map(segments: &[Segment]) -> Duration {
    let start = processor_time();
    let mut seen = HashMap::new();
    let mut totals: BTreeMap<_, Aggregate> = BTreeMap::new();
    for segment in segments {
        for event in segment.body.events() {
            if seen.insert(event.entry.key, event.entry.content).is_none() {
                let Measure::Number(value) = event.measure else {
                    continue;
                };
                let slot = &segment.body.slots()[usize::from(event.slot)];
                totals
                    .entry((&slot.meter, &slot.group, slot.start))
                    .or_default()
                    .add(&value.into());
            }
        }
    }
    black_box(totals);
    processor_time() - start
}
