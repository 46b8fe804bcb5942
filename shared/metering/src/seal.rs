//! Sealing a day's totals, and publishing a sealed day again on demand.

use crate::checkpoint::Checkpoint;
use crate::page::{Page, PageKey};
use crate::segment::SEGMENT_TOTALS_MAX;
use contract::{SealDigest, UsageSealed, UsageWindow, UsageWindowUpdated};
use jiff::Timestamp;
use kernel::{TenantId, WindowSize};
use std::collections::BTreeMap;

/// The bus events of a sealed day, and the checkpoint that numbers them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayPublication {
    /// The new checkpoint.
    pub checkpoint: Checkpoint,
    /// The day's totals in bus events of bounded size. The first is numbered after the old
    /// checkpoint's sequence.
    pub totals: Vec<UsageWindowUpdated>,
    /// The seal. Its number is the new checkpoint's sequence.
    pub seal: UsageSealed,
}

/// Seals a tenant's day, and all days before it, from the pages of its billing period. Only the
/// seal is published, since every change of a total was published when it was made.
#[must_use]
pub fn seal(
    checkpoint: &Checkpoint,
    tenant: TenantId,
    day: Timestamp,
    pages: &BTreeMap<PageKey, Page>,
) -> DayPublication {
    let end = WindowSize::Day.end(day);
    let seal = seal_of(tenant, day, &published(pages));
    // A day may be sealed after a later one, which then stays the end.
    let sealed_until = checkpoint.sealed_until.max(Some(end));
    let checkpoint = Checkpoint {
        generation: checkpoint.generation.next(),
        sequence: checkpoint.sequence + 1,
        sealed_until,
        ..checkpoint.clone()
    };
    DayPublication {
        checkpoint,
        totals: Vec::new(),
        seal,
    }
}

/// Publishes a sealed day's totals, adjustments included, and its seal again. Returns nothing when
/// the day is not sealed.
#[must_use]
pub fn republish(
    checkpoint: &Checkpoint,
    tenant: TenantId,
    day: Timestamp,
    pages: &BTreeMap<PageKey, Page>,
) -> Option<DayPublication> {
    let end = WindowSize::Day.end(day);
    if checkpoint.sealed_until.is_none_or(|until| until < end) {
        return None;
    }
    let mut totals = published(pages);
    let seal = seal_of(tenant, day, &totals);
    // A billing period ends with its last day, so its total is published with that day.
    totals.retain(|total| total.size.end(total.start) == end);
    let totals: Vec<_> = totals
        .chunks(SEGMENT_TOTALS_MAX)
        .map(|some| UsageWindowUpdated {
            tenant,
            windows: some.to_vec(),
        })
        .collect();
    let sequence = checkpoint.sequence + totals.len() as u64 + 1;
    let checkpoint = Checkpoint {
        generation: checkpoint.generation.next(),
        sequence,
        ..checkpoint.clone()
    };
    Some(DayPublication {
        checkpoint,
        totals,
        seal,
    })
}

/// The published totals of pages: those of days and billing periods.
fn published(pages: &BTreeMap<PageKey, Page>) -> Vec<UsageWindow> {
    let windows = pages.iter().flat_map(|(key, page)| page.windows(key));
    let published = windows.filter(|(key, _)| key.size >= WindowSize::Day);
    published
        .map(|(key, window)| key.published(&window))
        .collect()
}

fn seal_of(tenant: TenantId, day: Timestamp, totals: &[UsageWindow]) -> UsageSealed {
    let sealed: Vec<_> = totals
        .iter()
        .filter(|total| SealDigest::covers(day, total))
        .collect();
    UsageSealed {
        tenant,
        day,
        totals: sealed.len() as u64,
        digest: SealDigest::of(sealed),
    }
}
