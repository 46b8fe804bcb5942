//! Sealed days: comparing the ledger's totals with those that a region sealed.

use crate::retry::{Incident, IncidentKind, RetryState};
use contract::{Envelope, SealDigest, UsageSealed, UsageWindow};
use kernel::{RegionCode, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

/// A sealed day of a tenant. The first seal holds; a later seal of other totals is a dispute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    /// The tenant.
    pub tenant: TenantId,
    /// The region that sealed the day.
    pub region: RegionCode,
    /// The start of the day, in UTC.
    pub day: Timestamp,
    /// The number of sealed totals.
    pub totals: u64,
    /// The digest of the sealed totals.
    pub digest: SealDigest,
    /// The highest sequence number under which this seal was published.
    pub sequence: u64,
    /// A later seal of other totals, if there is one.
    pub dispute: Option<Dispute>,
    /// The state of the retries, unless the ledger agrees with the seal.
    pub retry: Option<RetryState>,
}

/// A seal of other totals than the first one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dispute {
    /// The digest of the other totals.
    pub digest: SealDigest,
    /// The highest sequence number under which the other seal was published.
    pub sequence: u64,
}

/// The decision on a seal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealDecision {
    /// The new state of the seal.
    pub seal: Seal,
    /// Whether the day's totals are requested again.
    pub is_requested: bool,
}

impl Seal {
    /// Whether the ledger's totals are the sealed ones.
    #[must_use]
    pub fn holds(&self, totals: &[UsageWindow]) -> bool {
        let sealed: Vec<&UsageWindow> = totals
            .iter()
            .filter(|total| SealDigest::covers(self.day, total))
            .collect();
        let is_complete = u64::try_from(sealed.len()).is_ok_and(|count| count == self.totals);
        is_complete && SealDigest::of(sealed) == self.digest
    }

    /// The incident of the day, if there is one.
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

    fn compared(self, totals: &[UsageWindow], now: Timestamp) -> Self {
        let is_disputed = self.dispute.is_some();
        let retry = if self.holds(totals) && !is_disputed {
            None
        } else {
            let retry = self.retry.unwrap_or_else(|| RetryState::new(now));
            Some(if is_disputed {
                retry.escalated(now)
            } else {
                retry
            })
        };
        Self { retry, ..self }
    }
}

/// Applies a published seal. Seals and totals may arrive in any order. Returns nothing when nothing
/// changes. `totals` are the ledger's totals of the day.
///
/// A dispute ends when the region publishes the first seal again, under a higher number than the
/// other one.
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
    // The first seal again, which ends disputes with a lower number.
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
    let seal = seal.compared(totals, now);
    (Some(&seal) != current).then_some(seal)
}

/// Compares a seal with the ledger, requests its day again when a retry is due, and raises or
/// clears the incident. Returns nothing when nothing changes. `totals` are the ledger's totals of
/// the day.
#[must_use]
pub fn reconcile_seal(
    current: &Seal,
    totals: &[UsageWindow],
    now: Timestamp,
) -> Option<SealDecision> {
    let mut seal = current.clone().compared(totals, now);
    let due = current
        .retry
        .and(seal.retry)
        .filter(|retry| retry.is_due(now));
    if let Some(retry) = due {
        seal.retry = Some(retry.after_request(now));
    }
    (seal != *current).then_some(SealDecision {
        seal,
        is_requested: due.is_some(),
    })
}
