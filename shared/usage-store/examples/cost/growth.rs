//! Measures whether the cost of an event depends on the number of earlier events or of tenants.

use crate::flows::{Measured, World, seconds_since};
use crate::prices;
use std::time::Instant;

const BATCH: usize = 1_000;
const DELIVERY: usize = 20;
const TENANT_BATCH: usize = 100;
const TENANT_DELIVERY: usize = 50;
const COLD_REQUESTS: usize = 20;

/// Events of one tenant.
pub(crate) async fn events(is_full: bool) {
    println!(
        "\nOne tenant, {BATCH} events in a request: the cost of an event after so many of them"
    );
    header("events");
    let mut world = World::new().await;
    let mut before = 0;
    for upto in [10_000, 100_000, 1_000_000, 10_000_000] {
        if upto > 1_000_000 && !is_full {
            break;
        }
        let start = Instant::now();
        let measured = world.ours(BATCH, upto - before, DELIVERY).await;
        row(upto, &measured, seconds_since(start));
        before = upto;
    }
}

/// A request for each of many tenants.
pub(crate) async fn tenants(is_full: bool) {
    println!("\nMany tenants, one request of {TENANT_BATCH} events each: the cost of an event");
    header("tenants");
    for tenants in [10, 100, 1_000, 10_000, 100_000] {
        if tenants > 1_000 && !is_full {
            break;
        }
        let start = Instant::now();
        let measured = World::new()
            .await
            .many(tenants, TENANT_BATCH, TENANT_DELIVERY)
            .await;
        row(tenants, &measured, seconds_since(start));
    }
}

/// Requests of a tenant whose index is not cached.
pub(crate) async fn cold() {
    println!(
        "\nOne tenant, {TENANT_BATCH} events in a request, an index that is read anew for each: after so many events"
    );
    println!("| events | read units / 1,000 | dollars / million |\n|---:|---:|---:|");
    let mut world = World::new().await;
    let mut before = 0;
    for upto in [1_000, 10_000, 100_000, 1_000_000] {
        world.ours(BATCH, upto - before, DELIVERY).await;
        let measured = world.cold(TENANT_BATCH, COLD_REQUESTS).await;
        let reads = measured.tally.read_units() * 1_000.0 / measured.events as f64;
        println!(
            "| {upto} | {reads:.0} | {:.2} |",
            prices::ours(TENANT_BATCH, &measured).total()
        );
        before = upto;
    }
}

fn header(of: &str) {
    println!(
        "| {of} | requests / 1,000 events | write units / 1,000 | read units / 1,000 | took, s |"
    );
    println!("|---:|---:|---:|---:|---:|");
}

fn row(of: usize, measured: &Measured, seconds: f64) {
    let Measured { events, tally, .. } = measured;
    let per_thousand = |count: f64| count * 1_000.0 / *events as f64;
    println!(
        "| {of} | {:.2} | {:.1} | {:.2} | {seconds:.0} |",
        per_thousand(tally.requests() as f64),
        per_thousand(tally.write_units()),
        per_thousand(tally.read_units()),
    );
}
