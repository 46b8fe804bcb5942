//! Loading what settling starts from.

use super::items::{self, Item};
use super::{Settler, UsageStoreError};
use kernel::{TenantId, Timestamp};
use metering::{Head, Run, RunId, Segment, State, touched_windows};
use std::collections::BTreeMap;
use std::sync::Arc;

impl Settler {
    /// Loads the head, the windows that the segments touch, and the whole identity index.
    ///
    /// A run that was merged away in between is left out: settling names it as missing, and loading again
    /// finds the head that no longer names it.
    pub(super) async fn load(
        &self,
        tenant: TenantId,
        segments: &[Segment],
        now: Timestamp,
    ) -> Result<State, UsageStoreError> {
        let windows = touched_windows(segments);
        let mut keys = vec![items::head_key(tenant)];
        keys.extend(windows.iter().map(|window| items::window_key(tenant, window)));
        let mut state = State::default();
        for item in self.table.get_all("load totals", keys).await? {
            if is_head(&item)? {
                state.head = items::head(&item)?;
            } else {
                let (key, window) = items::window(&item)?;
                state.windows.insert(key, window);
            }
        }
        state.runs = self.load_runs(tenant, &state.head, now).await?;
        Ok(state)
    }

    async fn load_runs(
        &self,
        tenant: TenantId,
        head: &Head,
        now: Timestamp,
    ) -> Result<BTreeMap<RunId, Arc<Run>>, UsageStoreError> {
        let mut runs = BTreeMap::new();
        let mut unknown = Vec::new();
        for named in head.live_runs(now) {
            match self.cache.get(named.id) {
                Some(run) => {
                    runs.insert(named.id, run);
                }
                None => unknown.push(items::run_key(tenant, named.id)),
            }
        }
        for item in self.table.get_all("load the identity index", unknown).await? {
            let (id, run) = items::run(&item)?;
            let run = Arc::new(run);
            self.cache.insert(id, Arc::clone(&run));
            runs.insert(id, run);
        }
        Ok(runs)
    }
}

fn is_head(item: &Item) -> Result<bool, UsageStoreError> {
    let sort: String = items::parsed(item, "sk", "head")?;
    Ok(sort == "HEAD")
}
