//! Loading what settling starts from, and what it then finds that it lacks.

use super::items;
use super::{Settler, UsageStoreError};
use dynamo::{Attributes as _, Item, has_key};
use kernel::{TenantId, Timestamp};
use metering::touched_pages;
use metering::{BlockFilter, BlockRun, GroupId, Head, Page, PageKey, PartId, Parts, RunId, RunRef, Segment, State};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// How many parts of an index are read at a time: what is read is kept at once, so that a further attempt has less to read
/// if the table is too busy for the rest.
const PARTS_AT_ONCE: usize = 400;

impl Settler {
    /// Loads the head and the pages that the segments touch, with what is in memory of the indexes.
    pub(super) async fn load(
        &self,
        tenant: TenantId,
        segments: &[Segment],
        now: Timestamp,
    ) -> Result<State, UsageStoreError> {
        let keys = touched_pages(segments).iter().map(|page| items::page_key(tenant, page)).collect();
        let (head, pages) = self.load_head(tenant, keys).await?;
        let parts = self.kept.parts(head.live_runs(now));
        Ok(State { head, parts, pages })
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
        let head = self.table.batch_get(vec![items::head_key(tenant)]).send().await;
        let head = head.map_err(UsageStoreError::of("load a head"))?;
        let Some(head) = head.first() else { return Ok((Head::default(), BTreeMap::new())) };
        let mut keys = items::list_keys(tenant, head)?;
        keys.extend(pages);
        let (mut lists, mut found) = (BTreeMap::new(), BTreeMap::new());
        let items = self.table.batch_get(keys).of_large_items().send().await;
        for item in items.map_err(UsageStoreError::of("load totals"))? {
            if items::is_page(item.sort()) {
                found.extend([items::page(&item)?]);
            } else {
                lists.insert(items::list_number(&item)?, item);
            }
        }
        Ok((items::head(head, &lists)?, found))
    }

    /// Reads parts of a tenant's indexes, and keeps them. Those that have expired, or are erased, stay away.
    ///
    /// # Errors
    /// When the table fails.
    pub(super) async fn load_parts(
        &self,
        tenant: TenantId,
        lacking: BTreeSet<PartId>,
        state: &mut State,
    ) -> Result<(), UsageStoreError> {
        let named = state.head.runs.iter().chain(&state.head.members);
        let named: HashMap<RunId, RunRef> = named.map(|run| (run.id, *run)).collect();
        let wanted: Vec<(PartId, Item)> =
            lacking.into_iter().map(|part| (part, items::part_key(tenant, part))).collect();
        for some in wanted.chunks(PARTS_AT_ONCE) {
            let keys: Vec<Item> = some.iter().map(|(_, key)| key.clone()).collect();
            let mut read = Read::of(&mut state.parts, &named);
            let found = self.table.batch_get(keys).of_large_items().send_unchanging().await;
            for item in found.map_err(UsageStoreError::of("load an index"))? {
                let part = some.iter().find(|(_, key)| has_key(&item, key));
                let (part, _) = part.ok_or(UsageStoreError::Malformed { entity: "part of an index" })?;
                read.take(*part, &item)?;
            }
            let Read { runs, filters, .. } = read;
            self.kept.keep(&state.parts, &runs, &filters);
        }
        Ok(())
    }
}

/// Takes what is read into the parts that are there.
struct Read<'s> {
    parts: &'s mut Parts,
    named: &'s HashMap<RunId, RunRef>,
    runs: BTreeSet<RunId>,
    filters: BTreeSet<GroupId>,
}

impl<'s> Read<'s> {
    fn of(parts: &'s mut Parts, named: &'s HashMap<RunId, RunRef>) -> Self {
        Self { parts, named, runs: BTreeSet::new(), filters: BTreeSet::new() }
    }

    fn take(&mut self, part: PartId, item: &Item) -> Result<(), UsageStoreError> {
        let malformed = UsageStoreError::Malformed { entity: "part of an index" };
        let is_taken = match part {
            PartId::Run(id) => {
                self.runs.insert(id);
                self.parts.whole.insert(id, Arc::new(items::run(item)?));
                true
            }
            PartId::Block(id, block) => {
                self.runs.insert(id);
                let entries = self.named.get(&id).map_or(0, |run| run.entries);
                let run = self.parts.cut.entry(id).or_insert_with(|| Arc::new(BlockRun::empty(entries)));
                Arc::make_mut(run).fill(block, items::entries(item)?)
            }
            PartId::Filter(group, block) => {
                self.filters.insert(group);
                let blocks = self.named.get(&group.last).and_then(|run| run.blocks).unwrap_or_default();
                let words = blocks.filter_words.get(usize::from(group.level)).copied().unwrap_or_default();
                let filter = self.parts.filters.entry(group).or_insert_with(|| Arc::new(BlockFilter::empty(words)));
                Arc::make_mut(filter).fill(block, items::entries(item)?)
            }
        };
        if is_taken { Ok(()) } else { Err(malformed) }
    }
}
