//! Segments: the events of one request for one tenant, stored as they are and rolled up later.

use crate::bytes::{Input, write_text, write_value};
use crate::page::{size_code, size_of};
use crate::{Measure, PageKey, WindowKey};
use catalogue::Aggregation;
use contract::WindowPart;
use dedupe::{DedupeKey, Entry};
use jiff::Timestamp;
use kernel::{BillingAnchor, MeterCode, SegmentId, TenantId, UsageGroup, WindowSize};
use std::collections::BTreeSet;

/// The most events of a segment.
pub const SEGMENT_EVENTS_MAX: usize = 1_000;
/// The most totals that a segment changes of those that are published: what one `UsageWindowUpdated`
/// may carry.
pub const SEGMENT_TOTALS_MAX: usize = 60;
/// The most windows of a group that the pages have room for which a segment changes, see
/// [`PageKey::windows_max`]: with every group's totals as wide as they can be, the pages fit a
/// `DynamoDB` transaction's 4 MB, which a test shows.
pub const SEGMENT_WINDOWS_MAX: usize = 700;

const VERSION: u8 = 2;
const VOID: u8 = 0x80;
const REPLACEMENT: u8 = 0x40;

/// What events of a segment are there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// They count.
    Usage,
    /// They are taken back.
    Void,
    /// Each counts if the one before it was taken back by this.
    Replacement,
}

/// What events of a segment have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The meter.
    pub meter: MeterCode,
    /// The values of its dimensions.
    pub group: UsageGroup,
    /// How the meter aggregated when the event came: settling needs no catalogue.
    pub aggregation: Aggregation,
    /// The shortest windows of the meter.
    pub size: WindowSize,
    /// The first moment of such a window.
    pub start: Timestamp,
    /// What the events are there for.
    pub purpose: Purpose,
}

/// One event of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentEvent {
    /// Which event, and what it says.
    pub entry: Entry,
    /// Which of the segment's slots it falls into.
    pub slot: u16,
    /// What it says of its meter.
    pub measure: Measure,
    /// Its time; where its meter does not ask for it, the first moment of its window.
    pub at: Timestamp,
}

/// What a segment holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SegmentBody {
    pub(crate) anchor: BillingAnchor,
    pub(crate) slots: Vec<Slot>,
    pub(crate) events: Vec<SegmentEvent>,
}

/// An immutable group of one tenant's events, rolled up as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its identity, unique in the region.
    pub id: SegmentId,
    /// Whose usage.
    pub tenant: TenantId,
    /// The events.
    pub body: SegmentBody,
}

/// Why stored bytes are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It was written by a release that is not known here.
    #[error("of unknown version")]
    UnknownVersion,
    /// It ends too early or goes on too long.
    #[error("of wrong length")]
    Length,
    /// A part of it is out of bounds.
    #[error("with an invalid {part}")]
    Invalid {
        /// Which part.
        part: &'static str,
    },
}

impl Slot {
    /// The totals that an event of the slot changes, unless they are sealed: of its window, its day
    /// and, where days do not add up, its billing period.
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
    /// The meter's shortest window, if that is not the day.
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

    /// Those that are published.
    pub(crate) fn published(&self) -> impl Iterator<Item = &WindowKey> {
        [&self.day].into_iter().chain(&self.month)
    }
}

/// The most windows of a group that pages have room for.
pub(crate) fn windows_max(pages: &BTreeSet<PageKey>) -> usize {
    pages.iter().map(PageKey::windows_max).sum()
}

impl SegmentBody {
    /// When the tenant's days began when the events came.
    #[must_use]
    pub const fn anchor(&self) -> BillingAnchor {
        self.anchor
    }

    /// What events have in common, each once.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The events: of usage, slot by slot; of corrections, each that is taken back before what
    /// comes in its place.
    #[must_use]
    pub fn events(&self) -> &[SegmentEvent] {
        &self.events
    }

    /// Whether it is a correction.
    #[must_use]
    pub fn takes_back(&self) -> bool {
        self.slots.iter().any(|slot| slot.purpose == Purpose::Void)
    }

    /// What comes in the place of an event that is taken back, by the place of that one.
    pub(crate) fn replacement(&self, place: usize) -> Option<&SegmentEvent> {
        let next = self.events.get(place + 1)?;
        (self.slots.get(usize::from(next.slot))?.purpose == Purpose::Replacement).then_some(next)
    }

    /// The totals that settling it may change.
    pub(crate) fn windows(&self) -> impl Iterator<Item = Windows> {
        self.slots.iter().map(|slot| slot.windows(self.anchor))
    }

    /// Writes the segment in its current version: about 18 bytes per event with a value, 16
    /// without.
    ///
    /// Version 2, big-endian: the version, the anchor in minutes (2 bytes), the number of slots (2)
    /// and of events (2); per slot the aggregation (1, with the highest bit set if its events are
    /// taken back, and the next one if they replace such events), the size of its window (1), the
    /// window's start in seconds (8), the meter's and the group's length (1) and text; per run of
    /// events of one slot the slot (1, or 2 of more than 256) and their number (2); per event the
    /// dedupe key (12), the content hash (4), and, as the slot's meter asks, nothing, the value's
    /// scale and its mantissa, zigzag, each in groups of seven bits from the lowest, the same and
    /// the nanoseconds since the window's start, or the value's key (12).
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

    /// Reads a stored segment.
    ///
    /// # Errors
    /// When the bytes are not a segment that this release can read.
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

/// The stored code of an aggregation: never reused.
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
