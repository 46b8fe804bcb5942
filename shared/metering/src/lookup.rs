//! Corrections that name an event by its key: what the event said is looked up in what is stored of
//! it.

use crate::correction::{accompanies, not_reversible};
use crate::event::Fault;
use crate::{
    Correction, Purpose, Reason, Refusal, SegmentBody, SegmentEvent, Sender, Slot, TIME_BEHIND_MAX,
    Usage, ValidCorrection,
};
use catalogue::Catalogue;
use dedupe::{DedupeKey, Entry};
use jiff::Timestamp;
use kernel::{ReasonCode, TenantId};
use std::collections::{BTreeMap, BTreeSet};

/// The most corrections of one request that name their events by keys: each is looked up.
pub const KEYED_CORRECTIONS_MAX: usize = 20;

/// A correction of an event that is named by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedCorrection<'c> {
    /// Where in the request it was, from 0.
    pub index: usize,
    /// Whose event.
    pub tenant: TenantId,
    /// Which event.
    pub key: DedupeKey,
    /// When it was sent: from the first moment to the last.
    pub sent: (Timestamp, Timestamp),
    pub(crate) id: String,
    pub(crate) sent_by: Sender,
    pub(crate) replacement: Option<Usage<'c>>,
    pub(crate) reason: ReasonCode,
}

/// What stored segments of one tenant say of events that are looked for.
#[derive(Debug, Clone, Default)]
pub struct Sightings {
    /// By key; of events with the same key, each content once.
    events: BTreeMap<DedupeKey, BTreeMap<Entry, (Slot, SegmentEvent)>>,
    /// Whether it ended before all segments were looked through.
    pub is_cut_short: bool,
}

impl Sightings {
    /// Looks through a segment. What takes an event back repeats it, and proves nothing of its
    /// having been sent.
    pub fn look(&mut self, sought: &BTreeSet<DedupeKey>, body: &SegmentBody) {
        for event in body
            .events()
            .iter()
            .filter(|event| sought.contains(&event.entry.key))
        {
            let Some(slot) = body.slots().get(usize::from(event.slot)) else {
                continue;
            };
            if slot.purpose != Purpose::Void {
                let seen = self.events.entry(event.entry.key).or_default();
                seen.entry(event.entry)
                    .or_insert_with(|| (slot.clone(), *event));
            }
        }
    }

    /// Adds what was seen in other segments.
    pub fn merge(&mut self, other: Self) {
        for (key, seen) in other.events {
            self.events.entry(key).or_default().extend(seen);
        }
        self.is_cut_short |= other.is_cut_short;
    }

    /// What the one event of a key said.
    fn only(&self, key: DedupeKey) -> Result<&(Slot, SegmentEvent), Fault> {
        let mut seen = self.events.get(&key).into_iter().flat_map(BTreeMap::values);
        match (seen.next(), seen.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => {
                let detail = "events with this key say different things: repeat the one that counts in event";
                Err(Fault::of(Reason::AmbiguousKey, detail))
            }
            (None, _) if self.is_cut_short => {
                let detail = "the tenant has more events than are looked through: narrow sent_from and sent_to";
                Err(Fault::of(Reason::SearchCutShort, detail))
            }
            (None, _) => Err(Fault::of(
                Reason::EventNotFound,
                "no event of this key is stored of the time it was sent",
            )),
        }
    }
}

impl<'c> KeyedCorrection<'c> {
    /// The correction with its event as it was sent.
    ///
    /// # Errors
    /// When the event was not found, or cannot be taken back.
    pub fn resolve(
        self,
        seen: &Sightings,
        catalogue: &'c Catalogue,
        now: Timestamp,
    ) -> Result<ValidCorrection<'c>, Refusal> {
        match self.original(seen, catalogue, now) {
            Ok(original) => {
                let Self {
                    index,
                    id,
                    sent_by,
                    replacement,
                    reason,
                    ..
                } = self;
                let correction = Correction {
                    original,
                    replacement,
                };
                Ok(ValidCorrection {
                    index,
                    correction,
                    sent_by,
                    reason,
                    id,
                })
            }
            Err(Fault { reason, detail }) => Err(Refusal {
                index: self.index,
                id: Some(self.id),
                reason,
                detail,
            }),
        }
    }

    fn original(
        &self,
        seen: &Sightings,
        catalogue: &'c Catalogue,
        now: Timestamp,
    ) -> Result<Usage<'c>, Fault> {
        let (slot, event) = seen.only(self.key)?;
        if !slot.aggregation.is_reversible() {
            return Err(not_reversible());
        }
        // Of the event's time, its window is known.
        if now.duration_since(slot.size.end(slot.start)) > TIME_BEHIND_MAX {
            return Err(Fault::of(
                Reason::TimeTooOld,
                "the event's time is more than 35 days ago",
            ));
        }
        let meter = catalogue.meter(&slot.meter);
        let meter = meter
            .filter(|meter| (meter.aggregation, meter.window) == (slot.aggregation, slot.size));
        let meter = meter.ok_or_else(|| {
            Fault::of(
                Reason::UnknownMeter,
                "the event's meter has changed since it was sent, or is gone",
            )
        })?;
        accompanies(self.tenant, self.key, self.replacement.as_ref())?;
        let SegmentEvent {
            entry, measure, at, ..
        } = *event;
        Ok(Usage {
            tenant: self.tenant,
            entry,
            meter,
            group: slot.group.clone(),
            at,
            measure,
        })
    }
}
