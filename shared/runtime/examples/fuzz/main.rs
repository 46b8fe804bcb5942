//! Answers a million random HTTP events, and measures the cost of parsing a usual one.
//!
//! `cargo run --release -p runtime --example fuzz [events]`: in the profile in which a panic ends
//! the process.

#![expect(clippy::unwrap_used, reason = "a failed run is to stop where it fails")]

#[path = "../../../testkit/src/odd.rs"]
#[expect(unreachable_pub, reason = "testkit exports what is in it")]
mod odd;
mod router;

use odd::OddEvents;
use router::{router, usual};
use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

const EVENTS: u64 = 1_000_000;
/// How often each usual event is parsed for the measurement.
const READINGS: u32 = 2_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let wanted = std::env::args()
        .nth(1)
        .map_or(EVENTS, |wanted| wanted.parse().unwrap());
    let usual = usual();
    let texts: Vec<String> = usual.iter().map(ToString::to_string).collect();
    let started = Instant::now();
    for text in &texts {
        for _ in 0..READINGS {
            let _ = black_box(runtime::http::request(black_box(text)));
        }
    }
    let each_us = started.elapsed().as_secs_f64() * 1e6 / f64::from(READINGS) / texts.len() as f64;
    println!(
        "reading one of {} usual events takes {each_us:.2} us",
        texts.len()
    );

    let routes = router(&usual);
    let mut odd = OddEvents::new(1, usual);
    let mut statuses: BTreeMap<u64, u64> = BTreeMap::new();
    let started = Instant::now();
    for number in 1..=wanted {
        let event = odd.next_event();
        let answer = runtime::http::answer(routes.clone(), &event).await;
        let answer = serde_json::to_value(&answer).unwrap();
        let status = answer["statusCode"].as_u64().unwrap();
        assert!((200..500).contains(&status), "{status} to {event}");
        *statuses.entry(status).or_default() += 1;
        if number % 100_000 == 0 {
            println!("{number} events, {:.0} s", started.elapsed().as_secs_f64());
        }
    }
    println!("{statuses:?}");
}
