//! Prices of measured requests.
//!
//! Prices of us-east-1 on demand, in US dollars per million. docs/cost.md names their sources.

use crate::flows::Measured;
use crate::tally::Tally;
use std::fmt;

const MILLION: f64 = 1_000_000.0;
const WRITE_UNIT: f64 = 0.625;
const READ_UNIT: f64 = 0.125;
const HTTP_REQUEST: f64 = 1.00;
const LAMBDA_REQUEST: f64 = 0.20;
const BUS_EVENT: f64 = 1.00;
const QUEUE_REQUEST: f64 = 0.40;
/// The price of a million GB-seconds on arm64.
const LAMBDA_GB_S: f64 = 13.333_4;

/// The bytes that the gateway bills as one request; it bills each started 512 KB.
const HTTP_UNIT_BYTES: f64 = 524_288.0;
const EVENT_BYTES: f64 = 297.0;
/// The assumed duration of a request to DynamoDB, in seconds.
const ROUND_TRIP_S: f64 = 0.005;
const INGEST_GB: f64 = 0.5;
const ROLLUP_GB: f64 = 1.769 / 1.024;
const SMALL_GB: f64 = 0.25;
/// The processor time of an event, in seconds: see the example `throughput` of `metering`.
const INGEST_CPU_S: f64 = 1.9e-6;
const ROLLUP_CPU_S: f64 = 1.0e-6;
/// The items that `usage-alert` reads: the tenant, and a page and three marks for each of three
/// allowances.
const THRESHOLD_READS: f64 = 13.0;
/// The number of concurrent writes of the obvious design, the same as ours.
const WRITES_AT_ONCE: f64 = 8.0;

/// The number of tenant-months, of 30 days each, that the daily request is priced for.
const TENANT_MONTHS: f64 = 1_000.0;

/// The cost of a million events, or of a thousand tenants in a month, by service.
#[derive(Debug, Clone)]
pub(crate) struct Bill(Vec<(&'static str, f64)>);

impl Bill {
    /// The sum over all services.
    pub(crate) fn total(&self) -> f64 {
        self.0.iter().map(|(_, dollars)| dollars).sum()
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| what | dollars |\n|---|---:|")?;
        for (what, dollars) in &self.0 {
            writeln!(f, "| {what} | {dollars:.4} |")?;
        }
        writeln!(f, "| all | {:.4} |", self.total())
    }
}

fn http(batch: usize) -> f64 {
    let units = (batch as f64 * EVENT_BYTES / HTTP_UNIT_BYTES).ceil();
    HTTP_REQUEST * units / batch as f64
}

fn lambda(invocations: f64, seconds_each: f64, gigabytes: f64) -> f64 {
    (invocations * LAMBDA_REQUEST + invocations * seconds_each * gigabytes * LAMBDA_GB_S) / MILLION
}

/// The obvious design: one conditional write and one update per event. Sending its totals home is
/// left out, in its favour.
pub(crate) fn obvious(batch: usize, measured: &Measured) -> Bill {
    let scale = MILLION / measured.events as f64;
    let seconds = 2.0 * batch as f64 * ROUND_TRIP_S / WRITES_AT_ONCE.min(batch as f64);
    Bill(vec![
        ("HTTP API", http(batch)),
        (
            "function usage-ingest",
            lambda(MILLION / batch as f64, seconds, INGEST_GB),
        ),
        (
            "DynamoDB, writes",
            measured.tally.write_units() * scale * WRITE_UNIT / MILLION,
        ),
    ])
}

/// Our design, from the gateway to the ledger in another region.
pub(crate) fn ours(batch: usize, measured: &Measured) -> Bill {
    let scale = MILLION / measured.events as f64;
    let per = |count: usize| count as f64 * scale;
    let (requests, deliveries, bus_events) = (
        per(measured.batches),
        per(measured.deliveries),
        per(measured.bus_events),
    );
    let events_of = |count: usize| measured.events as f64 / count as f64;
    let ingest_s = 3.0 * ROUND_TRIP_S + INGEST_CPU_S * events_of(measured.batches);
    let rollup_s = 4.0 * ROUND_TRIP_S + ROLLUP_CPU_S * events_of(measured.deliveries);
    // Per bus event: the removal of its row, and in the ledger its totals and the note of receipt.
    let ledger_units = bus_events + per(measured.totals) + bus_events;
    let ledger_reads = bus_events;
    Bill(vec![
        ("HTTP API", http(batch)),
        (
            "function usage-ingest",
            lambda(requests, ingest_s, INGEST_GB),
        ),
        (
            "function of the rollup",
            lambda(deliveries, rollup_s, ROLLUP_GB),
        ),
        (
            "DynamoDB, writes of usage-ingest and rollup",
            measured.tally.write_units() * scale * WRITE_UNIT / MILLION,
        ),
        (
            "DynamoDB, reads of the rollup",
            measured.tally.read_units() * scale * READ_UNIT / MILLION,
        ),
        (
            "relay: function, bus, bus of another region",
            lambda(bus_events, 3.0 * ROUND_TRIP_S, SMALL_GB)
                + 2.0 * bus_events * BUS_EVENT / MILLION,
        ),
        (
            "ledger: queue, function",
            3.0 * bus_events * QUEUE_REQUEST / MILLION
                + lambda(bus_events, 3.0 * ROUND_TRIP_S, SMALL_GB),
        ),
        (
            "thresholds of allowances: queue, function, reads",
            (3.0 * bus_events * QUEUE_REQUEST + THRESHOLD_READS * bus_events * READ_UNIT) / MILLION
                + lambda(bus_events, 2.0 * ROUND_TRIP_S, SMALL_GB),
        ),
        (
            "DynamoDB, outbox and ledger",
            (ledger_units * WRITE_UNIT + ledger_reads * READ_UNIT) / MILLION,
        ),
    ])
}

/// A daily request for the stream end of each of a thousand tenants, with an answer of the given
/// size.
pub(crate) fn ends(answer: &Tally) -> Bill {
    let asked = 30.0 * TENANT_MONTHS;
    let bus_events = 2.0 * asked;
    // The request's row, the removal of both rows, and the note of receipt of the answer.
    let write_units = asked * (answer.write_units() + 4.0);
    let read_units = asked * (answer.read_units() + 1.0);
    Bill(vec![
        (
            "relay: function, bus, bus of another region",
            lambda(bus_events, 3.0 * ROUND_TRIP_S, SMALL_GB)
                + 2.0 * bus_events * BUS_EVENT / MILLION,
        ),
        (
            "queues and functions of region and ledger",
            3.0 * bus_events * QUEUE_REQUEST / MILLION
                + lambda(bus_events, 3.0 * ROUND_TRIP_S, SMALL_GB),
        ),
        (
            "DynamoDB",
            (write_units * WRITE_UNIT + read_units * READ_UNIT) / MILLION,
        ),
    ])
}
