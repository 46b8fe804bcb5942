//! Requests to a throttled region.

use super::*;
use std::time::{Duration, Instant};
use testkit::{Throttle, ThrottledTable};

/// The longest time of retries against a throttled table: three attempts, with at most 1 s and 2 s
/// between them.
const ANSWERED_MAX: Duration = Duration::from_millis(3_500);

fn tokens(world: &World) -> Tokens {
    Tokens::new(
        &world.aws.config,
        &world.pool.id,
        world.pool.machine_client_id.clone(),
    )
    .unwrap()
}

#[tokio::test]
async fn a_throttled_table_is_answered_429_with_retry_after() {
    let world = world().await;
    let tenants = || TermsReader::new(&world.aws.config, world.regional_table.clone());
    for throttle in [Throttle::Capacity, Throttle::Rate, Throttle::Undone] {
        let table = ThrottledTable::start(throttle, u32::MAX).await;
        let segment_writer = || SegmentWriter::new(&table.config, "usage".to_owned());
        let readers = || TermsReader::new(&table.config, "regional".to_owned());
        let usage = SegmentWriter::new(&world.aws.config, world.usage_table.clone());
        let corrections = || UsageReader::new(&world.aws.config, world.usage_table.clone());
        let tables = [(tenants(), segment_writer()), (readers(), usage)];
        for (tenants, segment_writer) in tables {
            let router = routes(tokens(&world), tenants, segment_writer, corrections());
            let throttled = World {
                router,
                ..world.clone()
            };
            let began = Instant::now();
            let answer = throttled.send(&batch(&[event(TENANTS[0].0, "e")])).await;
            assert_eq!(
                (answer.status, answer.retry_after.as_deref()),
                (429, Some("1")),
                "{throttle:?}: {}",
                answer.body
            );
            assert_eq!(answer.body["type"], "/problems/throttled");
            assert!(
                began.elapsed() < ANSWERED_MAX,
                "{throttle:?}: {:?}",
                began.elapsed()
            );
        }
    }
    assert_eq!(world.stored("SEGMENT#").await, 0);
    assert_eq!(
        world.send(&batch(&[event(TENANTS[0].0, "e")])).await.status,
        200,
        "the same request, later"
    );
}
