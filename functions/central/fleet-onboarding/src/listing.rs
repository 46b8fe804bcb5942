//! The regions' descriptions, cached in this process since the route is public.

use central_store::{CentralStore, StoreError};
use contract::RegionDescribed;
use kernel::{RegionCode, Timestamp};
use std::sync::{Arc, Mutex};

/// How long the descriptions are cached: less than the minute for which a caller may cache the
/// response.
const CACHED_MS: i128 = 30_000;

/// The regions that have described themselves, with their descriptions.
pub(crate) type Described = Arc<[(RegionCode, RegionDescribed)]>;

/// The cached descriptions, with the time at which they were read.
#[derive(Debug, Default)]
pub(crate) struct Listing(Mutex<Option<(Timestamp, Described)>>);

impl Listing {
    /// The regions as read at most 30 s before `now`.
    pub(crate) async fn load(
        &self,
        store: &CentralStore,
        now: Timestamp,
    ) -> Result<Described, StoreError> {
        if let Some(cached) = self.cached(now) {
            return Ok(cached);
        }
        let described: Described = store.load_descriptions().await?.into();
        if let Ok(mut cached) = self.0.lock() {
            *cached = Some((now, Arc::clone(&described)));
        }
        Ok(described)
    }

    fn cached(&self, now: Timestamp) -> Option<Described> {
        let cached = self.0.lock().ok()?;
        let (read_at, described) = cached.as_ref()?;
        let age_ms = now.duration_since(*read_at).as_millis();
        (0..CACHED_MS)
            .contains(&age_ms)
            .then(|| Arc::clone(described))
    }
}
