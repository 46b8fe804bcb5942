//! A throttled table.

use super::*;
use crate::UsageStoreError;
use crate::terms::TermsReader;
use std::time::{Duration, Instant};
use testkit::{Throttle, ThrottledTable};

/// Three attempts, with at most 1 s and 2 s between them, and the machine's own time.
const REFUSED_MAX: Duration = Duration::from_millis(3_500);
/// Six rounds, with 775 ms between them in all, and the machine's own time.
const UNDONE_MAX: Duration = Duration::from_millis(1_500);

const ALL: [(Throttle, u32, Duration); 3] = [
    (Throttle::Capacity, 3, REFUSED_MAX),
    (Throttle::Rate, 3, REFUSED_MAX),
    (Throttle::Undone, 6, UNDONE_MAX),
];

async fn store(table: &ThrottledTable) -> Result<(), UsageStoreError> {
    let catalogue = Catalogue::bundled().unwrap();
    let segment_writer = SegmentWriter::new(&table.config, "usage".to_owned());
    segment_writer
        .store(&segments(&catalogue, tenant(1), 0..3), now())
        .await
}

#[tokio::test]
async fn a_throttled_store_returns_throttled_in_time() {
    for (throttle, calls, time_max) in ALL {
        let table = ThrottledTable::start(throttle, u32::MAX).await;
        let began = Instant::now();
        let stored = store(&table).await;
        assert!(
            matches!(stored, Err(UsageStoreError::Throttled { .. })),
            "{throttle:?}: {stored:?}"
        );
        assert!(
            began.elapsed() < time_max,
            "{throttle:?}: {:?}",
            began.elapsed()
        );
        assert_eq!(
            table.calls(),
            calls,
            "{throttle:?}: no segment without its marker"
        );
    }
}

#[tokio::test]
async fn a_briefly_busy_table_is_retried() {
    for (throttle, calls, time_max) in ALL {
        let table = ThrottledTable::start(throttle, calls - 1).await;
        let began = Instant::now();
        store(&table).await.unwrap();
        assert!(
            began.elapsed() < time_max,
            "{throttle:?}: {:?}",
            began.elapsed()
        );
        assert_eq!(
            table.calls(),
            calls + 1,
            "{throttle:?}: the marker, and then its segment"
        );
    }
}

#[tokio::test]
async fn a_throttled_read_of_terms_returns_throttled_in_time() {
    for (throttle, ..) in ALL {
        let table = ThrottledTable::start(throttle, u32::MAX).await;
        let read = TermsReader::new(&table.config, "regional".to_owned())
            .usage_terms_with_client(&[tenant(1)], None)
            .await;
        assert!(
            matches!(read, Err(UsageStoreError::Throttled { .. })),
            "{throttle:?}: {read:?}"
        );
    }
}

/// A table that does not answer is given up before the function's timeout.
#[tokio::test]
async fn a_store_without_an_answer_ends_after_ten_seconds() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let table = ThrottledTable::start(Throttle::Rate, 0).await;
    let config = table.config.to_builder().endpoint_url(endpoint).build();
    let segment_writer = SegmentWriter::new(&config, "usage".to_owned());
    let began = Instant::now();
    let stored = segment_writer
        .store(
            &segments(&Catalogue::bundled().unwrap(), tenant(1), 0..3),
            now(),
        )
        .await;
    assert!(
        matches!(stored, Err(UsageStoreError::Unavailable { .. })),
        "{stored:?}"
    );
    assert!(
        began.elapsed() < Duration::from_secs(11),
        "{:?}",
        began.elapsed()
    );
}
