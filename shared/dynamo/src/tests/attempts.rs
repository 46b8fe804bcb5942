//! Attempts, and the waits between them.

use crate::error::Error;
use crate::retry::BATCH;
use crate::retry::{Attempts, Backoff, CONTENTION, CROWD};
use std::time::Duration;

#[test]
fn waits_grow_are_random_and_end() {
    let check = |backoff: Backoff, waits: usize, least_ms: u64, most_ms: u64| {
        let waits_ms = || -> Vec<u128> {
            Attempts::of(backoff)
                .waits_left()
                .map(|wait| wait.as_millis())
                .collect()
        };
        let (one, other) = (waits_ms(), waits_ms());
        assert_eq!(one.len(), waits, "{backoff:?}");
        assert_ne!(
            one, other,
            "{backoff:?}: two writers that collided wait for different times"
        );
        let all = Duration::from_millis(u64::try_from(one.iter().sum::<u128>()).unwrap());
        assert!(
            all >= Duration::from_millis(least_ms),
            "{backoff:?}: {all:?}"
        );
        assert!(
            all <= Duration::from_millis(most_ms),
            "{backoff:?}: {all:?}"
        );
    };
    check(BATCH, 5, 480, 1_000);
    check(CONTENTION, 11, 2_200, 5_000);
    check(CROWD, 39, 24_000, 50_000);
}

#[tokio::test]
async fn a_lost_write_is_retried_until_the_attempts_end() {
    let lost: [fn() -> Error; 3] = [
        || Error::ConditionFailed(vec![0]),
        || Error::Conflict,
        || Error::Throttled { is_repeated: false },
    ];
    for lost in lost {
        let mut attempts = Attempts::of(BATCH);
        for _ in 1..6 {
            attempts.again(lost()).await.unwrap();
        }
        let end = attempts.again(lost()).await.unwrap_err();
        match lost() {
            Error::Throttled { .. } => assert!(
                matches!(end, Error::Throttled { is_repeated: true }),
                "{end:?}"
            ),
            _ => assert!(matches!(end, Error::Contended { attempts: 6 }), "{end:?}"),
        }
    }
}

#[tokio::test]
async fn an_error_that_no_attempt_can_resolve_is_not_retried() {
    let mut attempts = Attempts::of(CONTENTION);
    for error in [
        Error::Throttled { is_repeated: true },
        Error::Refused("no".into()),
        Error::Unknown("late".into()),
    ] {
        let text = error.to_string();
        assert_eq!(attempts.again(error).await.unwrap_err().to_string(), text);
    }
    assert_eq!(attempts.waits_left().count(), 11);
}
