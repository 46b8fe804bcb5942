//! Attempts with backoff.

use crate::error::Error;
use backon::{BackoffBuilder as _, ExponentialBackoff, ExponentialBuilder};
use std::time::Duration;

/// The number of attempts, and the waits between them.
///
/// Each wait is twice as long as the one before, plus a random part of up to the same length, so
/// that two writers that collided do not collide again. Source: "Exponential backoff and jitter",
/// AWS Architecture Blog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    first_ms: u64,
    longest_ms: u64,
    attempts_max: usize,
}

/// For items with a few concurrent writers, such as those of one tenant: at most 5 s in all.
pub const CONTENTION: Backoff = Backoff {
    first_ms: 10,
    longest_ms: 320,
    attempts_max: 12,
};

/// For items that all writers of a region change, such as the last invoice number: at most 50 s in
/// all.
pub const CROWD: Backoff = Backoff {
    first_ms: 16,
    longest_ms: 700,
    attempts_max: 40,
};

/// For the unprocessed part of a batch: at most 1 s in all, since a customer's request waits for
/// it.
pub(crate) const BATCH: Backoff = Backoff {
    first_ms: 16,
    longest_ms: 256,
    attempts_max: 6,
};

/// The attempts at one operation. An optimistic update loads, decides and saves, and starts over if
/// another writer was faster:
///
/// ```no_run
/// # async fn update(table: dynamo::Table, key: dynamo::Item) -> Result<(), dynamo::Error> {
/// use dynamo::Attributes as _;
/// let mut attempts = dynamo::Attempts::of(dynamo::CONTENTION);
/// loop {
///     let counter = table.get(key.clone()).await?.and_then(|item| item.number("counter")).unwrap_or(0);
///     let mut next = key.clone();
///     next.insert("counter".to_owned(), dynamo::number(counter + 1));
///     match table.send(table.put(next).if_counter("counter", counter)).await {
///         Ok(()) => return Ok(()),
///         Err(error) => attempts.again(error).await?,
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Attempts {
    waits: ExponentialBackoff,
    attempts_max: usize,
}

impl Attempts {
    /// Starts the first attempt.
    #[must_use]
    pub fn of(backoff: Backoff) -> Self {
        let waits = ExponentialBuilder::new()
            .with_jitter()
            .with_min_delay(Duration::from_millis(backoff.first_ms))
            .with_max_delay(Duration::from_millis(backoff.longest_ms))
            .with_max_times(backoff.attempts_max.saturating_sub(1))
            .build();
        Self {
            waits,
            attempts_max: backoff.attempts_max,
        }
    }

    /// Waits for the next attempt. Returns false after the last one.
    pub async fn wait(&mut self) -> bool {
        match self.waits.next() {
            Some(wait) => {
                tokio::time::sleep(wait).await;
                true
            }
            None => false,
        }
    }

    /// Waits for the next attempt after one that failed by contention or throttling.
    ///
    /// # Errors
    /// The error itself if another attempt cannot succeed; [`Error::Contended`] or
    /// [`Error::Throttled`] after the last attempt.
    pub async fn again(&mut self, error: Error) -> Result<(), Error> {
        let last = match error {
            error if !error.is_lost() => return Err(error),
            Error::Throttled { .. } => Error::Throttled { is_repeated: true },
            _ => Error::Contended {
                attempts: self.attempts_max,
            },
        };
        if self.wait().await { Ok(()) } else { Err(last) }
    }

    #[cfg(test)]
    pub(crate) fn waits_left(self) -> impl Iterator<Item = Duration> {
        self.waits
    }
}
