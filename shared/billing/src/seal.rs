//! Sealed days: whether the ledger holds what a region sealed.

use crate::watch::{Incident, IncidentKind, Watch};
use contract::{Envelope, SealDigest, UsageSealed, UsageWindow};
use kernel::{RegionCode, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// A sealed day of a tenant. What was sealed first stays; a later seal of other totals is disputed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The tenant.
    pub tenant: TenantId,
    /// The region that sealed it.
    pub region: RegionCode,
    /// The day's first moment, UTC.
    pub day: Timestamp,
    /// How many totals are sealed.
    pub totals: u64,
    /// Their digest.
    pub digest: SealDigest,
    /// The highest number under which this was stated.
    pub sequence: u64,
    /// What else was stated of the day since.
    pub dispute: Option<Dispute>,
    /// How far it is, unless the ledger holds what was sealed.
    pub watch: Option<Watch>,
}

/// A seal of other totals than the first one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// The digest of those totals.
    pub digest: SealDigest,
    /// The highest number under which it was stated.
    pub sequence: u64,
}

/// What follows from a look at a seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealLook {
    /// The seal from now on.
    pub seal: Seal,
    /// Whether the day's totals are asked for again.
    pub is_asked: bool,
}

impl Seal {
    /// Whether the ledger's totals are those that were sealed.
    #[must_use]
    pub fn holds(&self, totals: &[UsageWindow]) -> bool {
        let sealed: Vec<&UsageWindow> = totals
            .iter()
            .filter(|total| SealDigest::covers(self.day, total))
            .collect();
        let is_complete = u64::try_from(sealed.len()).is_ok_and(|count| count == self.totals);
        is_complete && SealDigest::of(sealed) == self.digest
    }

    /// The incident that there is of it.
    #[must_use]
    pub fn incident(&self) -> Option<Incident> {
        let watch = self.watch?;
        let kind = if self.dispute.is_some() {
            IncidentKind::SealDisputed
        } else {
            IncidentKind::TotalsDiffer
        };
        Some(Incident {
            tenant: self.tenant,
            region: self.region.clone(),
            kind,
            day: Some(self.day),
            missing_reports: None,
            since: watch.incident_since?,
            requests: watch.requests,
        })
    }

    fn judged(self, totals: &[UsageWindow], now: Timestamp) -> Self {
        let is_disputed = self.dispute.is_some();
        let watch = if self.holds(totals) && !is_disputed {
            None
        } else {
            let watch = self.watch.unwrap_or_else(|| Watch::new(now));
            Some(if is_disputed {
                watch.raised(now)
            } else {
                watch
            })
        };
        Self { watch, ..self }
    }
}

/// Takes the statement of a seal, whatever the order in which seals and totals arrive; nothing when
/// it changes nothing. `totals` are the ledger's of the day.
///
/// A dispute ends when the region states the first seal again, later than the other one.
#[must_use]
pub fn decide_sealed(
    current: Option<&Seal>,
    stated: &Envelope<UsageSealed>,
    totals: &[UsageWindow],
    now: Timestamp,
) -> Option<Seal> {
    let Envelope {
        region,
        sequence,
        data,
        ..
    } = stated;
    let mut seal = current.cloned().unwrap_or_else(|| Seal {
        tenant: data.tenant,
        region: region.clone(),
        day: data.day,
        totals: data.totals,
        digest: data.digest.clone(),
        sequence: *sequence,
        dispute: None,
        watch: None,
    });
    if (seal.totals, &seal.digest) == (data.totals, &data.digest) {
        seal.sequence = seal.sequence.max(*sequence);
        seal.dispute = seal
            .dispute
            .filter(|dispute| dispute.sequence > seal.sequence);
    } else if seal
        .dispute
        .as_ref()
        .map_or(seal.sequence, |dispute| dispute.sequence)
        < *sequence
    {
        seal.dispute = Some(Dispute {
            digest: data.digest.clone(),
            sequence: *sequence,
        });
    }
    let seal = seal.judged(totals, now);
    (Some(&seal) != current).then_some(seal)
}

/// Looks at a seal: compares, asks again when it is time, raises or clears the incident; nothing
/// when it changes nothing. `totals` are the ledger's of the day.
#[must_use]
pub fn look_at_seal(current: &Seal, totals: &[UsageWindow], now: Timestamp) -> Option<SealLook> {
    let mut seal = current.clone().judged(totals, now);
    let due = current
        .watch
        .and(seal.watch)
        .filter(|watch| watch.is_due(now));
    if let Some(watch) = due {
        seal.watch = Some(watch.asked(now));
    }
    (seal != *current).then_some(SealLook {
        seal,
        is_asked: due.is_some(),
    })
}
