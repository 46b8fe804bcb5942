//! Parsing any body ends, and each of its events is either valid or refused.

#[path = "../examples/fuzz/cases.rs"]
mod cases;

use cases::{Cases, Summary};
use catalogue::Catalogue;

/// Enough for every reason to occur. `cargo run --release -p metering --example fuzz` makes a
/// million.
const CASES: usize = 20_000;

#[test]
fn every_body_is_parsed_or_refused() {
    let (catalogue, mut cases, mut summary) = (
        Catalogue::bundled().unwrap(),
        Cases::new(1),
        Summary::default(),
    );
    for _ in 0..CASES {
        summary.feed(&cases.next(), &catalogue);
    }
    assert!(summary.accepted > 1_000, "{summary:?}");
    for reason in [
        "malformed",
        "wrong-shape",
        "too-many",
        "Conflict",
        "InvalidHeader",
        "DuplicateField",
        "ValueTooLong",
        "BeforeFirstPeriod",
    ] {
        assert!(
            summary.refused.contains_key(reason),
            "{reason} never occurs: {summary:?}"
        );
    }
}
