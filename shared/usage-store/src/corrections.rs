//! The record of corrections: who withdrew which events and why, with the result.

use crate::UsageStoreError;
use crate::items;
use crate::read::UsageReader;
use crate::segment_writer::SegmentWriter;
use dynamo::{Attributes as _, Item, text};
use kernel::{MeterCode, ReasonCode, SegmentId, TenantId, Timestamp};
use metering::{Counted, Purpose, Segment, Sender};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};

/// A correction as it was sent. Only its result is added later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectionRecord {
    /// The correction's id, which is that of its segment.
    pub id: SegmentId,
    /// The time at which it was received.
    pub at: Timestamp,
    /// The client that sent it.
    pub by: String,
    /// The withdrawn events.
    pub events: Vec<CorrectedEvent>,
    /// The result. None until the correction is rolled up.
    pub outcome: Option<CorrectionOutcome>,
}

/// An event that a correction withdraws.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectedEvent {
    /// The event's dedupe key: the hash of its sender's namespace, its source and its id, in
    /// hexadecimal digits.
    pub identity: String,
    /// The sender in whose namespace the event is.
    pub sent_by: Sender,
    /// The event's meter.
    pub meter: MeterCode,
    /// Whether the correction brings a replacement.
    pub is_replaced: bool,
    /// The client's reason.
    pub reason: ReasonCode,
}

/// The result of rolling up a correction, in numbers of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectionOutcome {
    /// Withdrawn events.
    pub voided: u64,
    /// Replacements that were counted.
    pub replaced: u64,
    /// Events that an earlier correction had already withdrawn or counted.
    pub duplicates: u64,
    /// Events that were not found with the content that the correction names, and their
    /// replacements.
    pub unmatched: u64,
    /// Events that were not withdrawn because the id of their replacement is already used, and
    /// those replacements.
    pub replacement_used: u64,
}

/// The sender and the reason of one withdrawn event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrectionNote {
    /// The sender in whose namespace the event is.
    pub sent_by: Sender,
    /// The client's reason.
    pub reason: ReasonCode,
}

impl CorrectionOutcome {
    pub(crate) const fn of(counted: Counted) -> Self {
        let Counted {
            accepted,
            duplicates,
            conflicts,
            voided,
            unmatched,
            replacement_used,
        } = counted;
        // An event whose content differs from the correction's was not found as it was sent.
        let unmatched = unmatched + conflicts;
        Self {
            voided,
            replaced: accepted,
            duplicates,
            unmatched,
            replacement_used,
        }
    }
}

impl SegmentWriter {
    /// Stores corrections: their records first, then their segments, so that every rolled up
    /// correction has a record for its result. `notes` describes each tenant's withdrawn events in
    /// the order of its segments, not by dedupe key, since several corrections can name one event.
    ///
    /// # Errors
    /// When not all is stored. Some corrections may be stored then. Resending them does not apply
    /// them twice.
    pub async fn store_corrections(
        &self,
        segments: &[Segment],
        mut notes: HashMap<TenantId, VecDeque<CorrectionNote>>,
        by: &str,
        at: Timestamp,
    ) -> Result<Vec<CorrectionRecord>, UsageStoreError> {
        let of_segment = |segment: &Segment| {
            record_of(segment, notes.entry(segment.tenant).or_default(), by, at)
        };
        let records: Vec<_> = segments.iter().map(of_segment).collect();
        let written = segments
            .iter()
            .zip(&records)
            .map(|(segment, record)| record_item(segment.tenant, record));
        let written: Vec<Item> = written.collect::<Result<_, _>>()?;
        self.table
            .put_all(written)
            .await
            .map_err(UsageStoreError::of("record corrections"))?;
        self.store(segments, at).await?;
        Ok(records)
    }
}

impl UsageReader {
    /// A tenant's corrections, the newest first, at most `limit`, and only those older than
    /// `before` where that is given.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn corrections(
        &self,
        tenant: TenantId,
        before: Option<SegmentId>,
        limit: u16,
    ) -> Result<Vec<CorrectionRecord>, UsageStoreError> {
        let last = before.map_or_else(|| "~".to_owned(), |id| id.to_string());
        let range = (items::CORRECTION, format!("{}{last}", items::CORRECTION));
        // The range includes `before` itself, which is removed from the result below.
        let limit = limit.saturating_add(u16::from(before.is_some()));
        let query = self
            .table
            .query(items::tenant_partition(tenant))
            .between(range.0, range.1);
        let found = query.descending().limit(limit).page().await;
        let found = found
            .map_err(UsageStoreError::of("list corrections"))?
            .items;
        let records = found.iter().map(record).collect::<Result<Vec<_>, _>>()?;
        Ok(records
            .into_iter()
            .filter(|record| Some(record.id) != before)
            .collect())
    }
}

fn record_of(
    segment: &Segment,
    notes: &mut VecDeque<CorrectionNote>,
    by: &str,
    at: Timestamp,
) -> CorrectionRecord {
    let (events, slots) = (segment.body.events(), segment.body.slots());
    let purpose = |at: usize| {
        events
            .get(at)
            .map(|event| slots[usize::from(event.slot)].purpose)
    };
    let voids = (0..events.len()).filter(|at| purpose(*at) == Some(Purpose::Void));
    let corrected = voids.filter_map(|at| {
        let CorrectionNote { sent_by, reason } = notes.pop_front()?;
        Some(CorrectedEvent {
            identity: events[at].entry.key.to_string(),
            sent_by,
            meter: slots[usize::from(events[at].slot)].meter.clone(),
            // A segment has the replacement of an event right after its void.
            is_replaced: purpose(at + 1) == Some(Purpose::Replacement),
            reason,
        })
    });
    CorrectionRecord {
        id: segment.id,
        at,
        by: by.to_owned(),
        events: corrected.collect(),
        outcome: None,
    }
}

fn record_item(tenant: TenantId, record: &CorrectionRecord) -> Result<Item, UsageStoreError> {
    let mut item = items::correction_key(tenant, record.id);
    let document = serde_json::to_string(record).map_err(UsageStoreError::unwritable)?;
    item.insert("document".to_owned(), text(document));
    Ok(item)
}

fn record(item: &Item) -> Result<CorrectionRecord, UsageStoreError> {
    let entity = "correction";
    let malformed = |_| UsageStoreError::Malformed { entity };
    let document = item
        .text("document")
        .ok_or(UsageStoreError::Malformed { entity })?;
    let record: CorrectionRecord = serde_json::from_str(document).map_err(malformed)?;
    if !item.contains_key("voided") {
        return Ok(record);
    }
    let outcome = CorrectionOutcome {
        voided: items::parsed(item, "voided", entity)?,
        replaced: items::parsed(item, "replaced", entity)?,
        duplicates: items::parsed(item, "duplicates", entity)?,
        unmatched: items::parsed(item, "unmatched", entity)?,
        replacement_used: items::parsed(item, "replacement_used", entity)?,
    };
    Ok(CorrectionRecord {
        outcome: Some(outcome),
        ..record
    })
}
