//! The choice of a region for a new tenant.

use contract::RegionDescribed;
use kernel::{Jurisdiction, Location, Mode, PublicUrl, RegionCode};
use std::cmp::Reverse;

/// The caller's criterion for the region of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// This region.
    Region(RegionCode),
    /// Any region in this jurisdiction.
    Jurisdiction(Jurisdiction),
    /// The region nearest to a location.
    NearestTo(Location),
}

/// A region that may be chosen for a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The region.
    pub region: RegionCode,
    /// Its description.
    pub described: RegionDescribed,
    /// The number of its tenants that are not closed, as home counts them.
    pub tenants: u64,
    /// Whether its heartbeats are current.
    pub is_reporting: bool,
}

/// The reason for which no region is chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementRefusal {
    /// No region with this code has described itself.
    #[error("there is no region {region}")]
    UnknownRegion {
        /// The region.
        region: RegionCode,
    },
    /// The region accepts sign-ups only at its own address.
    #[error("region {region} does not permit central onboarding")]
    ForbidsCentralOnboarding {
        /// The region.
        region: RegionCode,
        /// Its mode, which forbids central onboarding.
        mode: Mode,
        /// The address of its own sign-up.
        signup_url: PublicUrl,
    },
    /// The region accepts no new tenants.
    #[error("region {region} accepts no new tenants")]
    Closed {
        /// The region.
        region: RegionCode,
    },
    /// No region is suitable.
    #[error("no suitable region accepts new tenants now")]
    NoRegion,
}

impl Candidate {
    /// How many more tenants it has room for; `u64::MAX` without a limit.
    fn room(&self) -> u64 {
        self.described
            .capacity_tenants
            .map_or(u64::MAX, |capacity| capacity.saturating_sub(self.tenants))
    }

    /// Whether home may choose it.
    fn is_eligible(&self) -> bool {
        let described = &self.described;
        described.mode == Mode::Shared
            && described.accepts_new_tenants
            && self.is_reporting
            && self.room() > 0
    }
}

/// Chooses the region of a new tenant.
///
/// A region that the caller names is chosen even if its heartbeats are late or home counts as many
/// tenants as its capacity: that is for the region to judge. Otherwise home chooses among the
/// regions in mode `shared` that accept tenants, have room and report. Within a jurisdiction it
/// takes the region with the most room, then with the fewest tenants; for a location, the nearest
/// one. Ties go to the lower region code, so that the same request has the same result.
///
/// # Errors
/// When no region is suitable, or the named region accepts no central onboarding or no new tenants.
pub fn decide_placement<'a>(
    placement: &Placement,
    candidates: &'a [Candidate],
) -> Result<&'a Candidate, PlacementRefusal> {
    let eligible = candidates
        .iter()
        .filter(|candidate| candidate.is_eligible());
    let chosen = match placement {
        Placement::Region(region) => return find_named(region, candidates),
        Placement::Jurisdiction(jurisdiction) => eligible
            .filter(|candidate| candidate.described.jurisdiction == *jurisdiction)
            .min_by_key(|candidate| {
                (
                    Reverse(candidate.room()),
                    candidate.tenants,
                    &candidate.region,
                )
            }),
        Placement::NearestTo(place) => eligible
            .filter_map(|candidate| {
                Some((candidate.described.location?.distance_km(place), candidate))
            })
            .min_by(|(near, one), (far, other)| {
                near.total_cmp(far)
                    .then_with(|| one.region.cmp(&other.region))
            })
            .map(|(_, candidate)| candidate),
    };
    chosen.ok_or(PlacementRefusal::NoRegion)
}

fn find_named<'a>(
    region: &RegionCode,
    candidates: &'a [Candidate],
) -> Result<&'a Candidate, PlacementRefusal> {
    let found = candidates
        .iter()
        .find(|candidate| candidate.region == *region);
    let region = region.clone();
    let candidate = found.ok_or_else(|| PlacementRefusal::UnknownRegion {
        region: region.clone(),
    })?;
    let described = &candidate.described;
    if described.mode != Mode::Shared {
        let signup_url = described.signup_url.clone();
        return Err(PlacementRefusal::ForbidsCentralOnboarding {
            region,
            mode: described.mode,
            signup_url,
        });
    }
    if described.accepts_new_tenants {
        Ok(candidate)
    } else {
        Err(PlacementRefusal::Closed { region })
    }
}
