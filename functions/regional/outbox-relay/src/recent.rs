//! What this process published lately.
//!
//! When a part of a batch fails, the stream delivers the whole batch again, usually to the same
//! process. Remembering what is done saves publishing it again each time, which would add load just
//! when the bus refuses some. It is a saving only: a new process publishes again, and every
//! consumer expects that.

use kernel::{EventId, Timestamp};
use outbox::Row;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

const ROWS_MAX: usize = 4_096;

/// How far a row came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// It is on the bus, and perhaps still in the outbox.
    Published,
    /// It is on the bus and no longer in the outbox.
    Removed,
}

/// One sending of an event: an event that is sent again later is another row of the same event.
type Sending = (Timestamp, EventId);

/// The rows that this process published lately.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    progress: HashMap<Sending, Progress>,
    oldest_first: VecDeque<Sending>,
}

impl Recent {
    pub(crate) fn progress(&self, row: &Row) -> Option<Progress> {
        self.lock().progress.get(&sending(row)).copied()
    }

    pub(crate) fn note(&self, row: &Row, progress: Progress) {
        let mut rows = self.lock();
        let key = sending(row);
        if rows.progress.insert(key, progress).is_none() {
            rows.oldest_first.push_back(key);
        }
        if rows.oldest_first.len() > ROWS_MAX
            && let Some(oldest) = rows.oldest_first.pop_front()
        {
            rows.progress.remove(&oldest);
        }
    }

    /// A map of what is done stays right when its holder stopped half-way.
    fn lock(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sending(row: &Row) -> Sending {
    (row.occurred_at, row.id)
}
