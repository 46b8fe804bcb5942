//! Corrections that name an event by its key: the event's content is looked up in stored segments.

use crate::correction::ValidCorrection;
use crate::correction::{check_replacement, not_reversible};
use crate::event::Fault;
use crate::event::{TIME_BEHIND_MAX, Usage};
use crate::event_key::Sender;
use crate::grouping::Correction;
use crate::refusal::{Reason, Refusal};
use crate::segment::{Purpose, SegmentBody, SegmentEvent, Slot};
use catalogue::Catalogue;
use dedupe::{DedupeKey, Entry};
use jiff::Timestamp;
use kernel::{ReasonCode, TenantId};
use std::collections::{BTreeMap, BTreeSet};

/// The most corrections by key in one request. They share the segments that one request may read.
pub const KEYED_CORRECTIONS_MAX: usize = 20;

/// A correction that names its event by its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyedCorrection<'c> {
    /// The position in the request, from 0.
    pub index: usize,
    /// The event's tenant.
    pub tenant: TenantId,
    /// The event key.
    pub key: DedupeKey,
    /// The first and the last moment at which the event may have been sent.
    pub sent: (Timestamp, Timestamp),
    pub(crate) id: String,
    pub(crate) sent_by: Sender,
    pub(crate) replacement: Option<Usage<'c>>,
    pub(crate) reason: ReasonCode,
}

/// The events of one tenant that were found in stored segments.
#[derive(Debug, Clone, Default)]
pub struct Sightings {
    /// By key, with each distinct content once.
    events: BTreeMap<DedupeKey, BTreeMap<Entry, (Slot, SegmentEvent)>>,
    /// Whether the search ended before all segments were read.
    pub is_cut_short: bool,
}

impl Sightings {
    /// Searches a segment. Voids are skipped: a void repeats an event, but does not prove that the
    /// event was sent.
    pub fn search(&mut self, sought: &BTreeSet<DedupeKey>, body: &SegmentBody) {
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

    /// Adds the events that were found in other segments.
    pub fn merge(&mut self, other: Self) {
        for (key, seen) in other.events {
            self.events.entry(key).or_default().extend(seen);
        }
        self.is_cut_short |= other.is_cut_short;
    }

    /// The only event of a key.
    fn only(&self, key: DedupeKey) -> Result<&(Slot, SegmentEvent), Fault> {
        let mut seen = self.events.get(&key).into_iter().flat_map(BTreeMap::values);
        match (seen.next(), seen.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => {
                let detail = "several events with different content have this key: repeat the one that counts in event";
                Err(Fault::of(Reason::AmbiguousKey, detail))
            }
            (None, _) if self.is_cut_short => {
                let detail = "the tenant has more events than one request may search: narrow sent_from and sent_to";
                Err(Fault::of(Reason::SearchCutShort, detail))
            }
            (None, _) => Err(Fault::of(
                Reason::EventNotFound,
                "no event with this key was stored in the time from sent_from to sent_to",
            )),
        }
    }
}

impl<'c> KeyedCorrection<'c> {
    /// Completes the correction with the event that was found.
    ///
    /// # Errors
    /// A refusal when the event was not found, is ambiguous, or cannot be taken back.
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
        // A segment keeps the event's window, not its time: the end of the window is the latest
        // that the time can be.
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
                "the event's meter has changed or was removed since the event was sent",
            )
        })?;
        check_replacement(self.tenant, self.key, self.replacement.as_ref())?;
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
