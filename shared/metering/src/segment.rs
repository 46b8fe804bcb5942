//! Segments: the events of one request for one tenant, stored unchanged and rolled up later.

use crate::bytes::{Input, write_text, write_value};
use crate::page::PageKey;
use crate::page::{size_code, size_of};
use crate::window::{Measure, WindowKey};
use catalogue::Aggregation;
use contract::WindowPart;
use dedupe::{DedupeKey, Entry};
use jiff::Timestamp;
use kernel::{BillingAnchor, MeterCode, SegmentId, TenantId, UsageGroup, WindowSize};
use std::collections::BTreeSet;

/// The most events of a segment.
pub const SEGMENT_EVENTS_MAX: usize = 1_000;
/// The most published totals that a segment changes: one `UsageWindowUpdated` carries no more.
pub const SEGMENT_TOTALS_MAX: usize = 60;
/// The most windows that the pages touched by a segment have room for, see
/// [`PageKey::windows_max`]. With every total at its widest, that many windows of every group fit a
/// `DynamoDB` transaction's 4 MB; the test `the_widest_pages_fit_items_and_transactions` shows it.
pub const SEGMENT_WINDOWS_MAX: usize = 700;

/// The first byte of a stored segment.
const VERSION: u8 = 2;
/// The flags that share a byte with the aggregation of a slot.
const VOID: u8 = 0x80;
const REPLACEMENT: u8 = 0x40;

/// The effect of a slot's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The events count.
    Usage,
    /// The events are taken back.
    Void,
    /// Each event counts if this correction took back the event before it.
    Replacement,
}

/// The attributes that several events of a segment share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The meter.
    pub meter: MeterCode,
    /// The values of its dimensions.
    pub group: UsageGroup,
    /// The meter's aggregation when the event was received, so that a rollup needs no catalogue.
    pub aggregation: Aggregation,
    /// The shortest windows of the meter.
    pub size: WindowSize,
    /// The start of the window.
    pub start: Timestamp,
    /// The effect of the events.
    pub purpose: Purpose,
}

/// One event of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentEvent {
    /// The event key and the content hash.
    pub entry: Entry,
    /// The index of the event's slot in the segment.
    pub slot: u16,
    /// The value that the meter reads.
    pub measure: Measure,
    /// The event's time for a meter of the latest value; for every other meter, the start of its
    /// window.
    pub at: Timestamp,
}

/// The stored content of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SegmentBody {
    pub(crate) anchor: BillingAnchor,
    pub(crate) slots: Vec<Slot>,
    pub(crate) events: Vec<SegmentEvent>,
}

/// An immutable group of one tenant's events. It is rolled up as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The id, unique in the region.
    pub id: SegmentId,
    /// The tenant whose usage it holds.
    pub tenant: TenantId,
    /// The events.
    pub body: SegmentBody,
}

/// The reasons why stored bytes cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The bytes are of a version that this release does not know.
    #[error("unknown version")]
    UnknownVersion,
    /// There are too few or too many bytes.
    #[error("wrong length")]
    Length,
    /// A part is out of bounds.
    #[error("invalid {part}")]
    Invalid {
        /// The name of the part.
        part: &'static str,
    },
}

impl Slot {
    /// The totals that an event of the slot changes: those of its window, its day and, where days
    /// do not add up, its billing period. Where a window is sealed, its adjustment changes instead.
    pub(crate) fn windows(&self, anchor: BillingAnchor) -> Windows {
        let window = |size: WindowSize| WindowKey {
            meter: self.meter.clone(),
            group: self.group.clone(),
            size,
            start: size.start(self.start, anchor),
            part: WindowPart::Window,
        };
        Windows {
            short: (self.size < WindowSize::Day).then(|| window(self.size)),
            day: window(WindowSize::Day),
            month: (self.aggregation == Aggregation::UniqueCount)
                .then(|| window(WindowSize::Month)),
        }
    }
}

/// The totals that an event changes.
pub(crate) struct Windows {
    /// The meter's shortest window, unless that is the day.
    pub(crate) short: Option<WindowKey>,
    /// The day.
    pub(crate) day: WindowKey,
    /// The billing period.
    pub(crate) month: Option<WindowKey>,
}

impl Windows {
    pub(crate) fn all(&self) -> impl Iterator<Item = &WindowKey> {
        self.short.iter().chain([&self.day]).chain(&self.month)
    }

    /// The totals that are published: shorter windows do not leave the region's table.
    pub(crate) fn published(&self) -> impl Iterator<Item = &WindowKey> {
        [&self.day].into_iter().chain(&self.month)
    }
}

/// The number of windows of one group that the pages have room for.
pub(crate) fn windows_max(pages: &BTreeSet<PageKey>) -> usize {
    pages.iter().map(PageKey::windows_max).sum()
}

impl SegmentBody {
    /// The start of the tenant's days when the events were received.
    #[must_use]
    pub const fn anchor(&self) -> BillingAnchor {
        self.anchor
    }

    /// The slots, each once.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The events. Those of usage are sorted by slot; in corrections, each event to take back is
    /// followed by its replacement.
    #[must_use]
    pub fn events(&self) -> &[SegmentEvent] {
        &self.events
    }

    /// Whether the segment holds corrections.
    #[must_use]
    pub fn takes_back(&self) -> bool {
        self.slots.iter().any(|slot| slot.purpose == Purpose::Void)
    }

    /// The replacement of the taken-back event at `place`.
    pub(crate) fn replacement(&self, place: usize) -> Option<&SegmentEvent> {
        let next = self.events.get(place + 1)?;
        (self.slots.get(usize::from(next.slot))?.purpose == Purpose::Replacement).then_some(next)
    }

    /// The totals that a rollup of the segment may change.
    pub(crate) fn windows(&self) -> impl Iterator<Item = Windows> {
        self.slots.iter().map(|slot| slot.windows(self.anchor))
    }

    /// Encodes the segment in the current version: about 18 bytes per event with a value, 16
    /// without.
    ///
    /// Version 2, big-endian: the version, the anchor in minutes (2 bytes), the number of slots (2)
    /// and of events (2); per slot the aggregation (1, with the highest bit set if its events are
    /// taken back, and the next one if they are replacements), the size of its window (1), the
    /// window's start in seconds (8), the meter's and the group's length (1) and text; per stretch
    /// of events of one slot the slot (1, or 2 if there are more than 256 slots) and the number of
    /// events (2); per event the dedupe key (12), the content hash (4), and a measure that depends
    /// on the slot's meter: nothing for a count; the value's scale and zigzag mantissa, each in
    /// groups of seven bits from the lowest; for the latest value the same and the nanoseconds
    /// since the window's start; for distinct values the value's key (12).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 * self.slots.len() + 24 * self.events.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.anchor.minutes().to_be_bytes());
        for count in [self.slots.len(), self.events.len()] {
            bytes.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
        }
        for slot in &self.slots {
            bytes.push(aggregation_code(slot.aggregation) | purpose_code(slot.purpose));
            bytes.push(size_code(slot.size));
            bytes.extend_from_slice(&slot.start.as_second().to_be_bytes());
            write_text(slot.meter.as_str(), &mut bytes);
            write_text(slot.group.as_str(), &mut bytes);
        }
        for run in self.events.chunk_by(|a, b| a.slot == b.slot) {
            let slot = run[0].slot.to_be_bytes();
            bytes.extend_from_slice(&slot[usize::from(self.has_short_slots())..]);
            bytes.extend_from_slice(&u16::try_from(run.len()).unwrap_or(u16::MAX).to_be_bytes());
            for event in run {
                event.entry.write(&mut bytes);
                self.write_measure(event, &mut bytes);
            }
        }
        bytes
    }

    fn has_short_slots(&self) -> bool {
        self.slots.len() <= 256
    }

    fn write_measure(&self, event: &SegmentEvent, bytes: &mut Vec<u8>) {
        let slot = &self.slots[usize::from(event.slot)];
        match event.measure {
            Measure::Distinct(key) => bytes.extend_from_slice(key.as_bytes()),
            Measure::Number(_) if slot.aggregation == Aggregation::Count => {}
            Measure::Number(value) => write_value(value, bytes),
        }
        if slot.aggregation == Aggregation::Latest {
            let nanoseconds = event.at.as_nanosecond() - slot.start.as_nanosecond();
            bytes.extend_from_slice(&u64::try_from(nanoseconds).unwrap_or(u64::MAX).to_be_bytes());
        }
    }

    /// Decodes a stored segment.
    ///
    /// # Errors
    /// [`Malformed`] when the bytes are not a segment of the current version.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = Input(bytes);
        if input.byte()? != VERSION {
            return Err(Malformed::UnknownVersion);
        }
        let anchor = BillingAnchor::after_midnight(input.short()?)
            .ok_or(Malformed::Invalid { part: "anchor" })?;
        let slots = usize::from(input.short()?);
        let events = usize::from(input.short()?);
        if slots > SEGMENT_EVENTS_MAX || events > SEGMENT_EVENTS_MAX {
            return Err(Malformed::Invalid {
                part: "number of slots or events",
            });
        }
        let mut body = Self {
            anchor,
            slots: Vec::with_capacity(slots),
            events: Vec::with_capacity(events),
        };
        for _ in 0..slots {
            body.slots.push(input.slot()?);
        }
        while body.events.len() < events {
            let slot = if body.has_short_slots() {
                u16::from(input.byte()?)
            } else {
                input.short()?
            };
            let run = usize::from(input.short()?);
            if run == 0 || run > events - body.events.len() {
                return Err(Malformed::Invalid {
                    part: "number of events of a slot",
                });
            }
            for _ in 0..run {
                body.events.push(input.event(&body, slot)?);
            }
        }
        if input.0.is_empty() {
            Ok(body)
        } else {
            Err(Malformed::Length)
        }
    }
}

impl Input<'_> {
    fn slot(&mut self) -> Result<Slot, Malformed> {
        let [code, size] = self.chunk()?;
        Ok(Slot {
            aggregation: aggregation_of(code & !(VOID | REPLACEMENT)).ok_or(
                Malformed::Invalid {
                    part: "aggregation",
                },
            )?,
            size: size_of(size).ok_or(Malformed::Invalid { part: "size" })?,
            start: self.second()?,
            meter: self.meter()?,
            group: self.group()?,
            purpose: purpose_of(code).ok_or(Malformed::Invalid { part: "purpose" })?,
        })
    }

    fn event(&mut self, body: &SegmentBody, at: u16) -> Result<SegmentEvent, Malformed> {
        let entry = Entry::read(self.take(Entry::BYTES)?).ok_or(Malformed::Length)?;
        let slot = body
            .slots
            .get(usize::from(at))
            .ok_or(Malformed::Invalid { part: "slot" })?;
        let measure = match slot.aggregation {
            Aggregation::Count => Measure::Number(crate::Value::ONE),
            Aggregation::UniqueCount => Measure::Distinct(DedupeKey::from_bytes(self.chunk()?)),
            Aggregation::Sum
            | Aggregation::Min
            | Aggregation::Max
            | Aggregation::Avg
            | Aggregation::Latest => Measure::Number(self.value()?),
        };
        let mut time = slot.start;
        if slot.aggregation == Aggregation::Latest {
            let nanoseconds =
                slot.start.as_nanosecond() + i128::from(u64::from_be_bytes(self.chunk()?));
            time = Timestamp::from_nanosecond(nanoseconds)
                .map_err(|_| Malformed::Invalid { part: "moment" })?;
        }
        Ok(SegmentEvent {
            entry,
            slot: at,
            measure,
            at: time,
        })
    }
}

const fn purpose_code(purpose: Purpose) -> u8 {
    match purpose {
        Purpose::Usage => 0,
        Purpose::Void => VOID,
        Purpose::Replacement => REPLACEMENT,
    }
}

const fn purpose_of(code: u8) -> Option<Purpose> {
    match code & (VOID | REPLACEMENT) {
        0 => Some(Purpose::Usage),
        VOID => Some(Purpose::Void),
        REPLACEMENT => Some(Purpose::Replacement),
        _ => None,
    }
}

/// The stored code of an aggregation. A code is never reused.
const fn aggregation_code(aggregation: Aggregation) -> u8 {
    match aggregation {
        Aggregation::Count => 1,
        Aggregation::Sum => 2,
        Aggregation::Max => 3,
        Aggregation::Min => 4,
        Aggregation::Avg => 5,
        Aggregation::Latest => 6,
        Aggregation::UniqueCount => 7,
    }
}

const fn aggregation_of(code: u8) -> Option<Aggregation> {
    match code {
        1 => Some(Aggregation::Count),
        2 => Some(Aggregation::Sum),
        3 => Some(Aggregation::Max),
        4 => Some(Aggregation::Min),
        5 => Some(Aggregation::Avg),
        6 => Some(Aggregation::Latest),
        7 => Some(Aggregation::UniqueCount),
        _ => None,
    }
}
