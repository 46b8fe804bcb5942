//! Dividing segments into batches that each fit one rollup.

use crate::page::PageKey;
use crate::segment::windows_max;
use crate::segment::{SEGMENT_TOTALS_MAX, SEGMENT_WINDOWS_MAX, Segment};
use crate::window::WindowKey;
use jiff::{SignedDuration, Timestamp};
use kernel::{BillingAnchor, WindowSize};
use std::collections::BTreeSet;

/// The most segments of one rollup. Each deletes a pending marker in the rollup's transaction, see
/// `ROLLUP_ITEMS_MAX`.
pub const ROLLUP_SEGMENTS_MAX: usize = 60;

/// The most items of a rollup's transaction beside up to nine others: the checkpoint, the changed
/// lists of runs in blocks, a count and an event. A `DynamoDB` transaction has at most 100 items.
const ROLLUP_ITEMS_MAX: usize = 91;
/// The most events of one rollup. It bounds the memory and the time of one rollup.
const ROLLUP_EVENTS_MAX: usize = 20_000;

/// The pages that a rollup of segments of one tenant may change.
#[must_use]
pub fn touched_pages(segments: &[Segment]) -> BTreeSet<PageKey> {
    let windows = segments.iter().flat_map(|segment| segment.body.windows());
    windows
        .flat_map(|windows| windows.all().map(WindowKey::page).collect::<Vec<_>>())
        .collect()
}

/// The start of the last day in the billing period of a day.
pub(crate) fn last_day(day: Timestamp) -> Timestamp {
    let anchor = BillingAnchor::of_day(day);
    let end = WindowSize::Month.end(WindowSize::Month.start(day, anchor));
    // The moment before the end of the period is in its last day.
    WindowSize::Day.start(end - SignedDuration::from_secs(1), anchor)
}

/// The items that a rollup of segments writes beside the checkpoint.
#[derive(Default)]
struct Extent {
    segments: usize,
    corrections: usize,
    events: usize,
    totals: BTreeSet<WindowKey>,
    pages: BTreeSet<PageKey>,
    days: BTreeSet<Timestamp>,
}

impl Extent {
    fn add(&mut self, segment: &Segment) {
        self.segments += 1;
        self.corrections += usize::from(segment.body.takes_back());
        self.events += segment.body.events().len();
        for windows in segment.body.windows() {
            self.pages.extend(windows.all().map(WindowKey::page));
            self.days
                .extend([windows.day.start, last_day(windows.day.start)]);
            self.totals.extend(windows.published().cloned());
        }
    }

    fn fits(&self) -> bool {
        // One item each: a segment's pending marker, a correction's record, a page, a day to seal.
        self.segments <= ROLLUP_SEGMENTS_MAX
            && self.events <= ROLLUP_EVENTS_MAX
            && self.totals.len() <= SEGMENT_TOTALS_MAX
            && windows_max(&self.pages) <= SEGMENT_WINDOWS_MAX
            && self.segments + self.corrections + self.pages.len() + self.days.len()
                <= ROLLUP_ITEMS_MAX
    }
}

/// Divides segments of one tenant into batches that each fit one rollup, in order.
#[must_use]
pub fn batches(segments: Vec<Segment>) -> Vec<Vec<Segment>> {
    let mut batches: Vec<Vec<Segment>> = Vec::new();
    let mut extent = Extent::default();
    for segment in segments {
        extent.add(&segment);
        match batches.last_mut() {
            Some(batch) if extent.fits() => batch.push(segment),
            _ => {
                extent = Extent::default();
                extent.add(&segment);
                batches.push(vec![segment]);
            }
        }
    }
    batches
}
