//! Feeds generated requests to the parser of usage events, and prints the results: `cargo run
//! --release -p metering --example fuzz -- [COUNT] [SEED]`.
#![expect(
    clippy::unwrap_used,
    reason = "a measurement stops at the first surprise"
)]

mod cases;

use cases::{Cases, Summary};
use catalogue::Catalogue;
use std::time::Instant;

const COUNT: u64 = 1_000_000;
const STEPS: u64 = 20;

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .map(|argument| argument.parse::<u64>().unwrap());
    let (count, seed) = (
        arguments.next().unwrap_or(COUNT),
        arguments.next().unwrap_or(1),
    );
    let (catalogue, mut cases, mut summary) = (
        Catalogue::bundled().unwrap(),
        Cases::new(seed),
        Summary::default(),
    );
    let began = Instant::now();
    for number in 1..=count {
        summary.feed(&cases.next(), &catalogue);
        if number % (count / STEPS).max(1) == 0 {
            println!(
                "{number} requests in {:.1} s",
                began.elapsed().as_secs_f64()
            );
        }
    }
    println!(
        "seed {seed}: {} requests, {} bytes, {} events accepted",
        summary.cases, summary.bytes, summary.accepted
    );
    for (reason, times) in &summary.refused {
        println!("{times:>10} {reason}");
    }
}
