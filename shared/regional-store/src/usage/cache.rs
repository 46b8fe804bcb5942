//! Runs that were read before: they never change, so that a warm function need not read them again.

use metering::{Run, RunId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

const MEMORY_BYTES_MAX: usize = 96 * 1024 * 1024;

/// The runs that were used last, up to a bound of memory.
#[derive(Debug, Default)]
pub(super) struct RunCache {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    runs: HashMap<RunId, Cached>,
    memory_bytes: usize,
    uses: u64,
}

#[derive(Debug)]
struct Cached {
    run: Arc<Run>,
    last_use: u64,
}

impl RunCache {
    pub(super) fn get(&self, id: RunId) -> Option<Arc<Run>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.uses += 1;
        let now = inner.uses;
        let cached = inner.runs.get_mut(&id)?;
        cached.last_use = now;
        Some(Arc::clone(&cached.run))
    }

    pub(super) fn insert(&self, id: RunId, run: Arc<Run>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.uses += 1;
        let cached = Cached { run, last_use: inner.uses };
        inner.memory_bytes += cached.run.memory_bytes();
        if let Some(before) = inner.runs.insert(id, cached) {
            inner.memory_bytes -= before.run.memory_bytes();
        }
        while inner.memory_bytes > MEMORY_BYTES_MAX
            && let Some(oldest) = inner.runs.iter().min_by_key(|(_, cached)| cached.last_use).map(|(id, _)| *id)
        {
            inner.forget(oldest);
        }
    }

    pub(super) fn remove(&self, id: RunId) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).forget(id);
    }
}

impl Inner {
    fn forget(&mut self, id: RunId) {
        if let Some(cached) = self.runs.remove(&id) {
            self.memory_bytes -= cached.run.memory_bytes();
        }
    }
}
