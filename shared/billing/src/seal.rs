//! Sealed days: whether the ledger holds what a region sealed.

use crate::retry::{Incident, IncidentKind, RetryState};
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
    /// The highest number under which this was published.
    pub sequence: u64,
    /// What else was published of the day since.
    pub dispute: Option<Dispute>,
    /// How far it is, unless the ledger holds what was sealed.
    pub retry: Option<RetryState>,
}

/// A seal of other totals than the first one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// The digest of those totals.
    pub digest: SealDigest,
    /// The highest number under which it was published.
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
        let retry = self.retry?;
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
            since: retry.incident_since?,
            requests: retry.requests,
        })
    }

    fn judged(self, totals: &[UsageWindow], now: Timestamp) -> Self {
        let is_disputed = self.dispute.is_some();
        let retry = if self.holds(totals) && !is_disputed {
            None
        } else {
            let retry = self.retry.unwrap_or_else(|| RetryState::new(now));
            Some(if is_disputed {
                retry.raised(now)
            } else {
                retry
            })
        };
        Self { retry, ..self }
    }
}

/// Takes the totals_event of a seal, whatever the order in which seals and totals arrive; nothing when
/// it changes nothing. `totals` are the ledger's of the day.
///
/// A dispute ends when the region states the first seal again, later than the other one.
#[must_use]
pub fn decide_sealed(
    current: Option<&Seal>,
    published: &Envelope<UsageSealed>,
    totals: &[UsageWindow],
    now: Timestamp,
) -> Option<Seal> {
    let Envelope {
        region,
        sequence,
        data,
        ..
    } = published;
    let mut seal = current.cloned().unwrap_or_else(|| Seal {
        tenant: data.tenant,
        region: region.clone(),
        day: data.day,
        totals: data.totals,
        digest: data.digest.clone(),
        sequence: *sequence,
        dispute: None,
        retry: None,
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
pub fn reconcile_seal(current: &Seal, totals: &[UsageWindow], now: Timestamp) -> Option<SealLook> {
    let mut seal = current.clone().judged(totals, now);
    let due = current
        .retry
        .and(seal.retry)
        .filter(|retry| retry.is_due(now));
    if let Some(retry) = due {
        seal.retry = Some(retry.asked(now));
    }
    (seal != *current).then_some(SealLook {
        seal,
        is_asked: due.is_some(),
    })
}
