//! Loads the snapshot that a rollup starts from, and the index blocks that it finds missing.

use crate::UsageStoreError;
use crate::items;
use crate::rollup_writer::RollupWriter;
use dedupe::{BlockId, BlockedFilter, BlockedRun, Blocks, GroupId, MissingBlocks, RunId, RunMeta};
use dynamo::{Attributes as _, Item, has_key};
use kernel::{TenantId, Timestamp};
use metering::{Checkpoint, Page, PageKey, Segment, Snapshot, touched_pages};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// How many index blocks are read at a time. Each group is cached as soon as it is read, so that a
/// retry reads less if the table is too busy for the rest.
const BLOCKS_AT_ONCE: usize = 400;

impl RollupWriter {
    /// Loads the checkpoint and the pages that the segments touch, with the cached blocks of the
    /// indexes.
    pub(crate) async fn load(
        &self,
        tenant: TenantId,
        segments: &[Segment],
        now: Timestamp,
    ) -> Result<(Snapshot, Blocks), UsageStoreError> {
        let keys = touched_pages(segments)
            .iter()
            .map(|page| items::page_key(tenant, page))
            .collect();
        let (checkpoint, pages) = self.load_checkpoint(tenant, keys).await?;
        let blocks = self.cache.blocks(checkpoint.live_runs(now));
        Ok((Snapshot { checkpoint, pages }, blocks))
    }

    /// Loads the checkpoint, and then those of the pages that exist.
    ///
    /// The checkpoint comes first. A page that is read after it is of the same generation or newer;
    /// in the latter case the condition on the generation refuses the write.
    pub(crate) async fn load_checkpoint(
        &self,
        tenant: TenantId,
        pages: Vec<Item>,
    ) -> Result<(Checkpoint, BTreeMap<PageKey, Page>), UsageStoreError> {
        let checkpoint = self
            .table
            .batch_get(vec![items::checkpoint_key(tenant)])
            .send()
            .await;
        let checkpoint = checkpoint.map_err(UsageStoreError::of("load a checkpoint"))?;
        let Some(checkpoint) = checkpoint.first() else {
            return Ok((Checkpoint::default(), BTreeMap::new()));
        };
        let mut keys = items::list_keys(tenant, checkpoint)?;
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
        Ok((items::checkpoint(checkpoint, &lists)?, found))
    }

    /// Loads missing blocks of a tenant's indexes, and caches them. Expired and erased blocks stay
    /// missing.
    ///
    /// # Errors
    /// When the table fails.
    pub(crate) async fn load_blocks(
        &self,
        tenant: TenantId,
        missing: MissingBlocks,
        checkpoint: &Checkpoint,
        blocks: &mut Blocks,
    ) -> Result<(), UsageStoreError> {
        let named: HashMap<RunId, RunMeta> = checkpoint.runs().map(|run| (run.id, *run)).collect();
        let wanted: Vec<(BlockId, Item)> = missing
            .blocks
            .into_iter()
            .map(|block| (block, items::block_key(tenant, block)))
            .collect();
        for some in wanted.chunks(BLOCKS_AT_ONCE) {
            let keys: Vec<Item> = some.iter().map(|(_, key)| key.clone()).collect();
            let mut read = Read::of(blocks, &named);
            let found = self
                .table
                .batch_get(keys)
                .of_large_items()
                .send_unchanging()
                .await;
            for item in found.map_err(UsageStoreError::of("load an index"))? {
                let block = some.iter().find(|(_, key)| has_key(&item, key));
                let (block, _) = block.ok_or(UsageStoreError::Malformed {
                    entity: "block of an index",
                })?;
                read.insert(*block, &item)?;
            }
            let Read { runs, filters, .. } = read;
            self.cache.insert(blocks, &runs, &filters);
        }
        Ok(())
    }
}

/// Adds blocks that were read to the loaded ones, and notes their runs and filters for the cache.
struct Read<'s> {
    blocks: &'s mut Blocks,
    named: &'s HashMap<RunId, RunMeta>,
    runs: BTreeSet<RunId>,
    filters: BTreeSet<GroupId>,
}

impl<'s> Read<'s> {
    fn of(blocks: &'s mut Blocks, named: &'s HashMap<RunId, RunMeta>) -> Self {
        Self {
            blocks,
            named,
            runs: BTreeSet::new(),
            filters: BTreeSet::new(),
        }
    }

    fn insert(&mut self, block: BlockId, item: &Item) -> Result<(), UsageStoreError> {
        let is_well_formed = match block {
            BlockId::Run(id) => {
                self.runs.insert(id);
                self.blocks.whole.insert(id, Arc::new(items::run(item)?));
                true
            }
            BlockId::Block(id, block) => {
                self.runs.insert(id);
                let entries = self.named.get(&id).map_or(0, |run| run.entries);
                let run = self
                    .blocks
                    .blocked
                    .entry(id)
                    .or_insert_with(|| Arc::new(BlockedRun::empty(entries)));
                Arc::make_mut(run).fill(block, items::entries(item)?)
            }
            BlockId::Filter(group, block) => {
                self.filters.insert(group);
                let meta = self
                    .named
                    .get(&group.last)
                    .and_then(|run| run.blocks)
                    .unwrap_or_default();
                let words = meta
                    .filter_words
                    .get(usize::from(group.level))
                    .copied()
                    .unwrap_or_default();
                let filter = self
                    .blocks
                    .filters
                    .entry(group)
                    .or_insert_with(|| Arc::new(BlockedFilter::empty(words)));
                Arc::make_mut(filter).fill(block, items::entries(item)?)
            }
        };
        if is_well_formed {
            Ok(())
        } else {
            Err(UsageStoreError::Malformed {
                entity: "block of an index",
            })
        }
    }
}
