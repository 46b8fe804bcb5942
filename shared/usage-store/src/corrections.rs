//! The record of corrections: who took what back and why, and what came of it.

use crate::UsageStoreError;
use crate::items;
use crate::read::UsageReader;
use crate::segment_writer::SegmentWriter;
use dynamo::{Attributes as _, Item, text};
use kernel::{MeterCode, ReasonCode, SegmentId, TenantId, Timestamp};
use metering::{Counted, Purpose, Segment, Sender};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};

/// A correction as it was sent. Nothing but its outcome is ever added to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectionRecord {
    /// Its identity: the segment's that it is stored in.
    pub id: SegmentId,
    /// When it came.
    pub at: Timestamp,
    /// The client that sent it.
    pub by: String,
    /// What is taken back.
    pub events: Vec<CorrectedEvent>,
    /// What came of it; nothing until it is settled.
    pub outcome: Option<CorrectionOutcome>,
}

/// An event that is taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectedEvent {
    /// The hash of its sender's namespace, its source and its id, in hexadecimal digits.
    pub identity: String,
    /// In whose namespace it is.
    pub sent_by: Sender,
    /// Its meter.
    pub meter: MeterCode,
    /// Whether another one comes in its place.
    pub is_replaced: bool,
    /// Why, as the client says.
    pub reason: ReasonCode,
}

/// What settling made of a correction, by numbers of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectionOutcome {
    /// Taken back.
    pub voided: u64,
    /// Counted in place of those.
    pub replaced: u64,
    /// Taken back, or counted, by an earlier correction.
    pub duplicates: u64,
    /// Not found as they were sent, with what was to come in their place.
    pub unmatched: u64,
    /// Not taken back, since the id of what was to come in their place is used already; with that.
    pub replacement_used: u64,
}

/// What a correction says of an event that it takes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CorrectionNote {
    /// In whose namespace the event is.
    pub sent_by: Sender,
    /// Why it is taken back.
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
    /// Stores corrections: the pending markers and the records first, then the segments. `notes` are of
    /// the events that are taken back, of each tenant in the order of its segments: one event can
    /// be named by several corrections.
    ///
    /// # Errors
    /// When not all is stored. Then any part of it may be: who sends the corrections again has them
    /// made once.
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
    /// A tenant's corrections, the newest first, at most `limit`; of those before `before` where
    /// that is given.
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
        // What is asked for ends before the one that is named.
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
    let taken_back = (0..events.len()).filter(|at| purpose(*at) == Some(Purpose::Void));
    let corrected = taken_back.filter_map(|at| {
        let CorrectionNote { sent_by, reason } = notes.pop_front()?;
        Some(CorrectedEvent {
            identity: events[at].entry.key.to_string(),
            sent_by,
            meter: slots[usize::from(events[at].slot)].meter.clone(),
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
