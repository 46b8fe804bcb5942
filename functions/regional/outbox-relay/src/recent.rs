//! Remembers the rows that this process published lately.
//!
//! When a part of a batch fails, the stream delivers the whole batch again, usually to the same
//! process. Rows that are already published are skipped then; publishing them again would add load
//! just when the bus refuses some. This is an optimization only: a new process publishes them
//! again, and every consumer expects duplicates.

use kernel::{EventId, Timestamp};
use outbox::Row;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The most remembered rows, which bounds the memory of a warm function.
const ROWS_MAX: usize = 4_096;

/// The progress of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// The row is on the bus, and perhaps still in the outbox.
    Published,
    /// The row is on the bus and no longer in the outbox.
    Removed,
}

/// The key of a row. A bus event that is sent again has the same id, and a row of a later time.
type RowKey = (Timestamp, EventId);

/// The rows that this process published lately.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    progress: HashMap<RowKey, Progress>,
    oldest_first: VecDeque<RowKey>,
}

impl Recent {
    pub(crate) fn progress(&self, row: &Row) -> Option<Progress> {
        self.lock().progress.get(&key_of(row)).copied()
    }

    pub(crate) fn note(&self, row: &Row, progress: Progress) {
        let mut rows = self.lock();
        let key = key_of(row);
        if rows.progress.insert(key, progress).is_none() {
            rows.oldest_first.push_back(key);
        }
        if rows.oldest_first.len() > ROWS_MAX
            && let Some(oldest) = rows.oldest_first.pop_front()
        {
            rows.progress.remove(&oldest);
        }
    }

    /// Ignores a poisoned lock: each change leaves the map usable, and an entry that is missing
    /// only costs a duplicate.
    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key_of(row: &Row) -> RowKey {
    (row.occurred_at, row.id)
}
