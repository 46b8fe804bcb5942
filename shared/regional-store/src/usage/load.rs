//! Loading what settling starts from.

use super::items::{self, Item};
use super::{Settler, UsageStoreError};
use kernel::{TenantId, Timestamp};
use metering::{Head, Page, PageKey, Run, RunId, Segment, State, touched_pages};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many runs are read at a time: some 40 MB of the largest.
const RUNS_AT_ONCE: usize = 100;

impl Settler {
    /// Loads the head, the pages that the segments touch, and the whole identity index.
    ///
    /// A run that has expired in between is left out: settling names it as missing, and loading again finds the head that
    /// no longer names it.
    pub(super) async fn load(
        &self,
        tenant: TenantId,
        segments: &[Segment],
        now: Timestamp,
    ) -> Result<State, UsageStoreError> {
        let keys = touched_pages(segments).iter().map(|page| items::page_key(tenant, page)).collect();
        let (head, pages) = self.load_head(tenant, keys).await?;
        let runs = self.load_runs(tenant, &head, now).await?;
        let mut state = State { head, runs, groups: BTreeMap::new(), pages };
        let known = state.complete_groups().into_iter();
        state.groups = known.filter_map(|id| self.kept.groups.get(&id).map(|group| (id, group))).collect();
        for (id, group) in state.group_runs() {
            self.kept.groups.insert(id, group);
        }
        Ok(state)
    }

    /// Loads the head, and then pages by their keys, as far as they exist.
    ///
    /// The head comes first: what is read after it is as new as it is, or newer, and then writing is refused by its
    /// version.
    pub(super) async fn load_head(
        &self,
        tenant: TenantId,
        pages: Vec<Item>,
    ) -> Result<(Head, BTreeMap<PageKey, Page>), UsageStoreError> {
        let head = self.table.get_all("load a head", vec![items::head_key(tenant)]).await?;
        let Some(head) = head.first() else { return Ok((Head::default(), BTreeMap::new())) };
        let mut keys = pages;
        keys.push(items::full_key(tenant));
        let (mut full, mut found) = (None, BTreeMap::new());
        for item in self.table.get_all("load totals", keys).await? {
            if items::is_page(&items::parsed::<String>(&item, "sk", "page")?) {
                found.extend([items::page(&item)?]);
            } else {
                full = Some(item);
            }
        }
        Ok((items::head(head, full.as_ref())?, found))
    }

    async fn load_runs(
        &self,
        tenant: TenantId,
        head: &Head,
        now: Timestamp,
    ) -> Result<BTreeMap<RunId, Arc<Run>>, UsageStoreError> {
        let entries = head.live_runs(now).map(|run| u64::from(run.entries)).sum();
        if entries > self.kept.entries_max {
            return Err(UsageStoreError::IndexTooLarge { entries, entries_max: self.kept.entries_max });
        }
        let mut runs = BTreeMap::new();
        let mut unknown = Vec::new();
        for named in head.live_runs(now) {
            match self.kept.runs.get(&named.id) {
                Some(run) => {
                    runs.insert(named.id, run);
                }
                None => unknown.push(items::run_key(tenant, named.id)),
            }
        }
        // What is read is kept at once: if the table is too busy for the rest, the next attempt has less to read.
        for keys in unknown.chunks(RUNS_AT_ONCE) {
            for item in self.table.get_all_written("load the identity index", keys).await? {
                let (id, run) = items::run(&item)?;
                let run = Arc::new(run);
                self.kept.runs.insert(id, Arc::clone(&run));
                runs.insert(id, run);
            }
        }
        Ok(runs)
    }
}
