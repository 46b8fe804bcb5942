//! Grouping: which events a segment takes.

use crate::event::Usage;
use crate::page::PageKey;
use crate::segment::windows_max;
use crate::segment::{
    Purpose, SEGMENT_EVENTS_MAX, SEGMENT_TOTALS_MAX, SEGMENT_WINDOWS_MAX, Segment, SegmentBody,
    SegmentEvent, Slot,
};
use crate::window::{Measure, WindowKey};
use catalogue::{Aggregation, Meter};
use dedupe::Entry;
use jiff::Timestamp;
use kernel::{BillingAnchor, MeterCode, SegmentId, TenantId, UsageGroup};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::slice;

/// Groups events by tenant into segments of bounded size, each with an id that the caller makes.
/// `anchor` says when a tenant's days begin.
pub fn group<'c>(
    events: impl IntoIterator<Item = Usage<'c>>,
    anchor: impl Fn(TenantId) -> BillingAnchor,
    mut next_id: impl FnMut() -> SegmentId,
) -> Vec<Segment> {
    let mut open: BTreeMap<TenantId, Open<'_>> = BTreeMap::new();
    let mut full = Vec::new();
    for event in events {
        let tenant = event.tenant;
        let segment = open
            .entry(tenant)
            .or_insert_with(|| Open::new(anchor(tenant)));
        let event = Candidate::of(event, Purpose::Usage, segment.body.anchor);
        if !segment.takes(slice::from_ref(&event)) {
            let next = Open::new(segment.body.anchor);
            full.push((tenant, std::mem::replace(segment, next).by_slot()));
        }
        segment.push(event);
    }
    full.extend(
        open.into_iter()
            .map(|(tenant, segment)| (tenant, segment.by_slot())),
    );
    full.into_iter()
        .map(|(tenant, body)| Segment {
            id: next_id(),
            tenant,
            body,
        })
        .collect()
}

/// Groups corrections into segments. What one takes back and what it puts in its place are in one
/// segment, so that they are rolled up at once.
pub fn group_corrections<'c>(
    corrections: impl IntoIterator<Item = Correction<'c>>,
    anchor: impl Fn(TenantId) -> BillingAnchor,
    mut next_id: impl FnMut() -> SegmentId,
) -> Vec<Segment> {
    let mut open: BTreeMap<TenantId, Vec<Open<'_>>> = BTreeMap::new();
    for Correction {
        original,
        replacement,
    } in corrections
    {
        let tenant = original.tenant;
        let anchor = anchor(tenant);
        let segments = open
            .entry(tenant)
            .or_insert_with(|| vec![Open::new(anchor)]);
        let replacement =
            replacement.map(|event| Candidate::of(event, Purpose::Replacement, anchor));
        let events: Vec<Candidate<'_>> = [Candidate::of(original, Purpose::Void, anchor)]
            .into_iter()
            .chain(replacement)
            .collect();
        if !segments
            .last()
            .is_some_and(|segment| segment.takes(&events))
        {
            segments.push(Open::new(anchor));
        }
        if let Some(segment) = segments.last_mut() {
            for event in events {
                segment.push(event);
            }
        }
    }
    let of_tenants = open
        .into_iter()
        .flat_map(|(tenant, segments)| segments.into_iter().map(move |s| (tenant, s.body)));
    of_tenants
        .map(|(tenant, body)| Segment {
            id: next_id(),
            tenant,
            body,
        })
        .collect()
}

/// An event that is taken back, and the one in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction<'c> {
    /// The event as it was sent.
    pub original: Usage<'c>,
    /// Another one, with an identity of its own. Of the same tenant.
    pub replacement: Option<Usage<'c>>,
}

/// What tells the slots of a segment apart. It borrows the meter, and takes the event's own group:
/// most events fall into a slot that is there.
type SlotKey<'c> = (&'c MeterCode, UsageGroup, Timestamp, Purpose);

/// An event on its way into a segment.
struct Candidate<'c> {
    meter: &'c Meter,
    key: SlotKey<'c>,
    entry: Entry,
    measure: Measure,
    at: Timestamp,
}

impl<'c> Candidate<'c> {
    fn of(event: Usage<'c>, purpose: Purpose, anchor: BillingAnchor) -> Self {
        let Usage {
            tenant: _,
            entry,
            meter,
            group,
            at,
            measure,
        } = event;
        let start = meter.window.start(at, anchor);
        Self {
            meter,
            key: (&meter.code, group, start, purpose),
            entry,
            measure,
            at,
        }
    }

    fn slot(&self) -> Slot {
        let (meter, ref group, start, purpose) = self.key;
        Slot {
            meter: meter.clone(),
            group: group.clone(),
            aggregation: self.meter.aggregation,
            size: self.meter.window,
            start,
            purpose,
        }
    }
}

/// A segment that may take more.
struct Open<'c> {
    body: SegmentBody,
    slots: HashMap<SlotKey<'c>, u16>,
    totals: BTreeSet<WindowKey>,
    pages: BTreeSet<PageKey>,
}

impl<'c> Open<'c> {
    fn new(anchor: BillingAnchor) -> Self {
        let body = SegmentBody {
            anchor,
            ..SegmentBody::default()
        };
        Self {
            body,
            slots: HashMap::new(),
            totals: BTreeSet::new(),
            pages: BTreeSet::new(),
        }
    }

    /// Whether there is room for events. An empty segment takes any two.
    fn takes(&self, events: &[Candidate<'_>]) -> bool {
        if self.body.events.len() + events.len() > SEGMENT_EVENTS_MAX {
            return false;
        }
        let slots: Vec<Slot> = events
            .iter()
            .filter(|event| !self.slots.contains_key(&event.key))
            .map(Candidate::slot)
            .collect();
        if slots.is_empty() {
            return true;
        }
        let mut totals = self.totals.len();
        let mut room = windows_max(&self.pages);
        for slot in slots {
            let windows = slot.windows(self.body.anchor);
            totals += windows
                .published()
                .filter(|window| !self.totals.contains(*window))
                .count();
            let pages = windows
                .all()
                .map(WindowKey::page)
                .filter(|page| !self.pages.contains(page));
            room += windows_max(&pages.collect());
        }
        totals <= SEGMENT_TOTALS_MAX && room <= SEGMENT_WINDOWS_MAX
    }

    /// The events slot by slot, which is how they take the fewest bytes.
    fn by_slot(mut self) -> SegmentBody {
        self.body.events.sort_by_key(|event| event.slot);
        self.body
    }

    fn push(&mut self, event: Candidate<'c>) {
        let (_, _, start, _) = event.key;
        let keeps_time = event.meter.aggregation == Aggregation::Latest;
        let (entry, measure) = (event.entry, event.measure);
        let at = if keeps_time { event.at } else { start };
        let slot = match self.slots.get(&event.key) {
            Some(slot) => *slot,
            None => self.open_slot(event),
        };
        self.body.events.push(SegmentEvent {
            entry,
            slot,
            measure,
            at,
        });
    }

    /// The slot of the first event that falls into it.
    fn open_slot(&mut self, event: Candidate<'c>) -> u16 {
        let slot = event.slot();
        let windows = slot.windows(self.body.anchor);
        self.totals.extend(windows.published().cloned());
        self.pages.extend(windows.all().map(WindowKey::page));
        let place = u16::try_from(self.body.slots.len()).unwrap_or(u16::MAX);
        self.body.slots.push(slot);
        self.slots.insert(event.key, place);
        place
    }
}
