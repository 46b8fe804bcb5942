//! What was read or made before and never changes, so that a warm function need not read or make it again.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// The values that were used last, up to a bound of memory.
pub(super) struct Cache<K, V> {
    memory_bytes_max: usize,
    memory_bytes_of: fn(&V) -> usize,
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    values: HashMap<K, Cached<V>>,
    memory_bytes: usize,
    uses: u64,
}

struct Cached<V> {
    value: Arc<V>,
    last_use: u64,
}

impl<K: Hash + Eq + Copy, V> Cache<K, V> {
    /// An empty cache that takes so much memory at most.
    pub(super) fn new(memory_bytes_max: usize, memory_bytes_of: fn(&V) -> usize) -> Self {
        let inner = Mutex::new(Inner { values: HashMap::new(), memory_bytes: 0, uses: 0 });
        Self { memory_bytes_max, memory_bytes_of, inner }
    }

    pub(super) fn get(&self, key: K) -> Option<Arc<V>> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.uses += 1;
        let now = inner.uses;
        let cached = inner.values.get_mut(&key)?;
        cached.last_use = now;
        Some(Arc::clone(&cached.value))
    }

    pub(super) fn insert(&self, key: K, value: Arc<V>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.uses += 1;
        let cached = Cached { value, last_use: inner.uses };
        inner.memory_bytes += (self.memory_bytes_of)(&cached.value);
        if let Some(before) = inner.values.insert(key, cached) {
            inner.memory_bytes -= (self.memory_bytes_of)(&before.value);
        }
        while inner.memory_bytes > self.memory_bytes_max
            && let Some(oldest) = inner.values.iter().min_by_key(|(_, cached)| cached.last_use).map(|(key, _)| *key)
        {
            self.forget(&mut inner, oldest);
        }
    }

    pub(super) fn remove(&self, key: K) {
        self.forget(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner), key);
    }

    fn forget(&self, inner: &mut Inner<K, V>, key: K) {
        if let Some(cached) = inner.values.remove(&key) {
            inner.memory_bytes -= (self.memory_bytes_of)(&cached.value);
        }
    }
}

impl<K, V> fmt::Debug for Cache<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache").field("memory_bytes_max", &self.memory_bytes_max).finish_non_exhaustive()
    }
}
