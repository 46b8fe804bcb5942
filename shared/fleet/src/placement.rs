//! Which region a new tenant goes to.

use contract::RegionDescribed;
use kernel::{Jurisdiction, Location, Mode, PublicUrl, RegionCode};
use std::cmp::Reverse;

/// Where the caller of a central onboarding wants the tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// In this region.
    Region(RegionCode),
    /// Anywhere under this law.
    Jurisdiction(Jurisdiction),
    /// As near as can be.
    NearestTo(Location),
}

/// A region that a tenant might go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The region.
    pub region: RegionCode,
    /// What it says of itself.
    pub described: RegionDescribed,
    /// How many tenants home counts there that are not closed.
    pub tenants: u64,
    /// Whether it is known to work now.
    pub is_heard: bool,
}

/// Why no region takes the tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementRefusal {
    /// No region of that code has described itself.
    #[error("there is no region {region}")]
    UnknownRegion {
        /// The region.
        region: RegionCode,
    },
    /// The region takes sign-ups at its own address only.
    #[error("region {region} takes no central onboarding")]
    ForbidsCentralOnboarding {
        /// The region.
        region: RegionCode,
        /// Its mode, which says so.
        mode: Mode,
        /// Its own address.
        signup_url: PublicUrl,
    },
    /// The region takes no new tenants.
    #[error("region {region} takes no new tenants")]
    Closed {
        /// The region.
        region: RegionCode,
    },
    /// Nothing fits.
    #[error("no region that fits takes new tenants now")]
    NoRegion,
}

impl Candidate {
    /// How many more tenants it has room for: more than any number where it sets no bound.
    fn room(&self) -> u64 {
        self.described
            .capacity_tenants
            .map_or(u64::MAX, |capacity| capacity.saturating_sub(self.tenants))
    }

    /// Whether a policy may choose it.
    fn is_eligible(&self) -> bool {
        let described = &self.described;
        described.mode == Mode::Shared
            && described.accepts_new_tenants
            && self.is_heard
            && self.room() > 0
    }
}

/// Decides where a tenant goes.
///
/// A region that the caller names is taken at its word: that home has not heard of it lately, or
/// counts as many tenants as it has room for, is for the region to judge. Where home chooses, it is
/// among the regions in mode `shared` that take tenants, have room and are known to work: within a
/// jurisdiction the one with the most room, then with the fewest tenants; else the nearest. The
/// code decides between equals, so that the same question has the same answer.
///
/// # Errors
/// When no region takes the tenant.
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
