//! Measures the cost of metering in requests to AWS, compared with the obvious design, and how it
//! grows: `cargo run -p usage-store --example cost`, or with `-- --full` up to 10 million events
//! and 100,000 tenants.
//!
//! Counts every request to the local AWS by kind, with the capacity units that DynamoDB would bill
//! for its items.
#![expect(
    clippy::unwrap_used,
    reason = "a measurement stops at the first surprise"
)]
#![expect(
    clippy::disallowed_methods,
    reason = "a measurement makes ids and reads the clock"
)]

mod flows;
mod growth;
mod prices;
mod tally;

use flows::World;

/// Batch sizes, each with the number of measured events and the number of a tenant's batches in one
/// delivery of the stream.
const BATCHES: [(usize, usize, usize); 11] = [
    (1, 200, 1),
    (1, 2_000, 50),
    (10, 2_000, 1),
    (10, 5_000, 5),
    (10, 20_000, 50),
    (100, 20_000, 1),
    (100, 50_000, 5),
    (100, 100_000, 50),
    (1_000, 100_000, 1),
    (1_000, 100_000, 5),
    (1_000, 200_000, 20),
];
/// The number of events that measure the obvious design. Few suffice, since each costs the same.
const OBVIOUS_EVENTS: usize = 500;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let is_full = std::env::args().any(|argument| argument == "--full");
    println!("Cost of a million events in US dollars, us-east-1, by events in a request");
    println!(
        "| events in a request | batches in a delivery | obvious | ours | obvious / ours | write units / event |"
    );
    println!("|---:|---:|---:|---:|---:|---:|");
    let mut bills = Vec::new();
    for (batch, events, delivery) in BATCHES {
        let obvious = prices::obvious(batch, &World::new().await.obvious(OBVIOUS_EVENTS).await);
        let measured = World::new().await.ours(batch, events, delivery).await;
        let ours = prices::ours(batch, &measured);
        println!(
            "| {batch} | {delivery} | {:.3} | {:.3} | {:.0} | {:.3} |",
            obvious.total(),
            ours.total(),
            obvious.total() / ours.total(),
            measured.tally.write_units() / events as f64,
        );
        bills.push((
            format!("ours, {batch} in a request, {delivery} requests in a delivery"),
            ours,
            measured,
        ));
        if batch == 1_000 {
            println!("\nThe obvious design, {batch} in a request\n{obvious}");
        }
    }
    for (name, bill, measured) in bills {
        println!("\n{name}\n{bill}\nRequests\n{}", measured.tally);
    }
    let answer = World::new().await.end(100).await;
    println!(
        "\nWhere usage ends, of a thousand tenants in 30 days\n{}\nRequests of an answer\n{answer}",
        prices::ends(&answer)
    );
    growth::events(is_full).await;
    growth::tenants(is_full).await;
    growth::cold().await;
}
