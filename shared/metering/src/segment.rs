//! Segments: the events of one request for one tenant, stored as they are and settled later.

use crate::{Entry, Usage, Value, WindowKey};
use contract::catalogue::Aggregation;
use jiff::Timestamp;
use kernel::{MeterCode, SegmentId, TenantId};
use std::collections::BTreeMap;

/// The most events of a segment.
pub const SEGMENT_EVENTS_MAX: usize = 1_000;
/// The most windows of a segment: what one `UsageWindowUpdated` may carry.
pub const SEGMENT_WINDOWS_MAX: usize = 60;

const VERSION: u8 = 1;

/// A window that events of a segment fall into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// The meter and the window.
    pub key: WindowKey,
    /// How the meter aggregated when the event came: settling needs no catalogue.
    pub aggregation: Aggregation,
}

/// One event of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentEvent {
    /// Which event, and what it says.
    pub entry: Entry,
    /// Which of the segment's slots it falls into.
    pub slot: u8,
    /// What it adds.
    pub value: Value,
}

/// What a segment holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SegmentBody {
    slots: Vec<Slot>,
    events: Vec<SegmentEvent>,
}

/// An immutable group of one tenant's events, settled as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Its identity, unique in the region.
    pub id: SegmentId,
    /// Whose usage.
    pub tenant: TenantId,
    /// The events.
    pub body: SegmentBody,
}

/// Why stored bytes are not a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It was written by a release that is not known here.
    #[error("segment of unknown version")]
    UnknownVersion,
    /// It ends too early or goes on too long.
    #[error("segment of wrong length")]
    Length,
    /// A part of it is out of bounds.
    #[error("segment with an invalid {part}")]
    Invalid {
        /// Which part.
        part: &'static str,
    },
}

/// Groups events by tenant into segments of bounded size, each with an id that the caller makes.
pub fn group<'c>(events: impl IntoIterator<Item = Usage<'c>>, mut next_id: impl FnMut() -> SegmentId) -> Vec<Segment> {
    let mut open: BTreeMap<TenantId, SegmentBody> = BTreeMap::new();
    let mut full = Vec::new();
    for event in events {
        let body = open.entry(event.tenant).or_default();
        if !body.push(&event) {
            let mut next = SegmentBody::default();
            // An empty segment takes any event.
            let _ = next.push(&event);
            full.push((event.tenant, std::mem::replace(body, next)));
        }
    }
    full.extend(open);
    full.into_iter().map(|(tenant, body)| Segment { id: next_id(), tenant, body }).collect()
}

impl SegmentBody {
    /// The windows, each once.
    #[must_use]
    pub fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// The events, in the order in which they came.
    #[must_use]
    pub fn events(&self) -> &[SegmentEvent] {
        &self.events
    }

    /// Adds an event, unless the segment is full.
    fn push(&mut self, event: &Usage<'_>) -> bool {
        let same = |slot: &Slot| slot.key.start == event.start && slot.key.meter == event.meter.code;
        let found = self.slots.iter().position(same);
        let at = found.unwrap_or(self.slots.len());
        let slot = u8::try_from(at).unwrap_or(u8::MAX);
        if self.events.len() >= SEGMENT_EVENTS_MAX || at >= SEGMENT_WINDOWS_MAX {
            return false;
        }
        if found.is_none() {
            let key = WindowKey { meter: event.meter.code.clone(), start: event.start };
            self.slots.push(Slot { key, aggregation: event.meter.aggregation });
        }
        self.events.push(SegmentEvent { entry: event.entry, slot, value: event.value });
        true
    }

    /// Writes the segment in its current version: about 30 bytes per event.
    ///
    /// Version 1, big-endian: the version, the number of slots (1 byte) and of events (2); per slot the
    /// aggregation (1), the window's start in seconds (8), the meter's length (1) and text; per event the
    /// identity (16), the digest (8), the slot (1), the value's scale (1) and its mantissa, zigzag, in
    /// groups of seven bits from the lowest.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64 * self.slots.len() + 32 * self.events.len());
        bytes.push(VERSION);
        bytes.push(u8::try_from(self.slots.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(&u16::try_from(self.events.len()).unwrap_or(u16::MAX).to_be_bytes());
        for slot in &self.slots {
            let meter = slot.key.meter.as_str();
            bytes.push(aggregation_code(slot.aggregation));
            bytes.extend_from_slice(&slot.key.start.as_second().to_be_bytes());
            bytes.push(u8::try_from(meter.len()).unwrap_or(u8::MAX));
            bytes.extend_from_slice(meter.as_bytes());
        }
        for event in &self.events {
            event.entry.write(&mut bytes);
            bytes.extend_from_slice(&[event.slot, event.value.scale()]);
            write_mantissa(event.value.mantissa(), &mut bytes);
        }
        bytes
    }

    /// Reads a stored segment.
    ///
    /// # Errors
    /// When the bytes are not a segment that this release can settle.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = Input(bytes);
        if input.byte()? != VERSION {
            return Err(Malformed::UnknownVersion);
        }
        let slots = usize::from(input.byte()?);
        let events = usize::from(u16::from_be_bytes(input.chunk()?));
        if slots > SEGMENT_WINDOWS_MAX || events > SEGMENT_EVENTS_MAX {
            return Err(Malformed::Invalid { part: "number of slots or events" });
        }
        let mut body = Self { slots: Vec::with_capacity(slots), events: Vec::with_capacity(events) };
        for _ in 0..slots {
            body.slots.push(input.slot()?);
        }
        for _ in 0..events {
            body.events.push(input.event(slots)?);
        }
        if input.0.is_empty() { Ok(body) } else { Err(Malformed::Length) }
    }
}

/// What is left to read.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Malformed::Length)?;
        self.0 = rest;
        Ok(taken)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Malformed::Length)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.chunk().map(|[byte]| byte)
    }

    fn slot(&mut self) -> Result<Slot, Malformed> {
        let aggregation = aggregation_of(self.byte()?).ok_or(Malformed::Invalid { part: "aggregation" })?;
        let start = Timestamp::from_second(i64::from_be_bytes(self.chunk()?))
            .map_err(|_| Malformed::Invalid { part: "window" })?;
        let length = usize::from(self.byte()?);
        let meter = str::from_utf8(self.take(length)?).ok().and_then(|text| text.parse::<MeterCode>().ok());
        let meter = meter.ok_or(Malformed::Invalid { part: "meter" })?;
        Ok(Slot { key: WindowKey { meter, start }, aggregation })
    }

    fn event(&mut self, slots: usize) -> Result<SegmentEvent, Malformed> {
        let entry = Entry::read(self.take(Entry::BYTES)?).ok_or(Malformed::Length)?;
        let [slot, scale] = self.chunk()?;
        if usize::from(slot) >= slots {
            return Err(Malformed::Invalid { part: "slot" });
        }
        let value = Value::new(self.mantissa()?, scale).ok_or(Malformed::Invalid { part: "value" })?;
        Ok(SegmentEvent { entry, slot, value })
    }

    fn mantissa(&mut self) -> Result<i128, Malformed> {
        let mut zigzag = 0_u128;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            zigzag |= u128::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let magnitude = (zigzag >> 1).cast_signed();
                return Ok(if zigzag & 1 == 0 { magnitude } else { !magnitude });
            }
        }
        Err(Malformed::Invalid { part: "value" })
    }
}

fn write_mantissa(mantissa: i128, bytes: &mut Vec<u8>) {
    let mut zigzag = ((mantissa << 1) ^ (mantissa >> 127)).cast_unsigned();
    while zigzag > 0x7f {
        bytes.push(0x80 | low_seven_bits(zigzag));
        zigzag >>= 7;
    }
    bytes.push(low_seven_bits(zigzag));
}

fn low_seven_bits(number: u128) -> u8 {
    number.to_le_bytes()[0] & 0x7f
}

/// The stored code of an aggregation: never reused.
const fn aggregation_code(aggregation: Aggregation) -> u8 {
    match aggregation {
        Aggregation::Count => 1,
        Aggregation::Sum => 2,
        Aggregation::Max => 3,
    }
}

const fn aggregation_of(code: u8) -> Option<Aggregation> {
    match code {
        1 => Some(Aggregation::Count),
        2 => Some(Aggregation::Sum),
        3 => Some(Aggregation::Max),
        _ => None,
    }
}
