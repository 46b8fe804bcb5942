//! What the regions say of themselves, kept in this process for a little: everybody may ask for it.

use central_store::{CentralStore, StoreError};
use contract::RegionDescribed;
use kernel::{RegionCode, Timestamp};
use std::sync::{Arc, Mutex};

/// Less than the minute for which a caller may keep the answer.
const KEPT_MS: i128 = 30_000;

/// Every region that has described itself, with what it says.
pub(crate) type Described = Arc<[(RegionCode, RegionDescribed)]>;

/// The regions as they were last read, and when that was.
#[derive(Debug, Default)]
pub(crate) struct Listing(Mutex<Option<(Timestamp, Described)>>);

impl Listing {
    /// The regions as they were read no more than 30 s before `now`.
    pub(crate) async fn load(
        &self,
        store: &CentralStore,
        now: Timestamp,
    ) -> Result<Described, StoreError> {
        if let Some(kept) = self.kept(now) {
            return Ok(kept);
        }
        let described: Described = store.load_descriptions().await?.into();
        if let Ok(mut kept) = self.0.lock() {
            *kept = Some((now, Arc::clone(&described)));
        }
        Ok(described)
    }

    fn kept(&self, now: Timestamp) -> Option<Described> {
        let kept = self.0.lock().ok()?;
        let (read_at, described) = kept.as_ref()?;
        let age_ms = now.duration_since(*read_at).as_millis();
        (0..KEPT_MS)
            .contains(&age_ms)
            .then(|| Arc::clone(described))
    }
}
