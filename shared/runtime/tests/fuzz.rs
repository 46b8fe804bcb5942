//! Every HTTP event is answered, and never with an internal error.

#![expect(
    clippy::unwrap_used,
    reason = "a file that cannot be read is a broken test"
)]

#[path = "../../testkit/src/odd.rs"]
#[expect(unreachable_pub, reason = "testkit exports what is in it")]
mod odd;
#[path = "../examples/fuzz/router.rs"]
mod router;

use odd::OddEvents;
use router::{router, usual};
use std::collections::BTreeMap;

/// Enough events for every refusal to occur. `cargo run --release -p runtime --example fuzz` makes
/// a million.
const EVENTS: usize = 5_000;

#[tokio::test]
async fn every_event_is_answered() {
    let usual = usual();
    let routes = router(&usual);
    let mut odd = OddEvents::new(1, usual);
    let mut answers: BTreeMap<(u64, String), u64> = BTreeMap::new();
    for _ in 0..EVENTS {
        let event = odd.next_event();
        let answer =
            serde_json::to_value(runtime::http::answer(routes.clone(), &event).await).unwrap();
        let status = answer["statusCode"].as_u64().unwrap();
        let problem: serde_json::Value = serde_json::from_str(answer["body"].as_str().unwrap())
            .ok()
            .filter(|_| status >= 400)
            .unwrap_or_default();
        let kind = problem["type"].as_str().unwrap_or_default().to_owned();
        assert!(
            status < 400 || (status < 500 && !kind.is_empty()),
            "{answer} to {event}"
        );
        *answers.entry((status, kind)).or_default() += 1;
    }
    let kinds: Vec<&str> = answers.keys().map(|(_, kind)| kind.as_str()).collect();
    for kind in [
        "malformed-request",
        "malformed-path",
        "malformed-json",
        "invalid-body",
        "not-found",
        "method-not-allowed",
    ] {
        assert!(
            kinds.iter().any(|found| found.ends_with(kind)),
            "{kind} never comes up: {answers:?}"
        );
    }
}
