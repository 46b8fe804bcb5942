//! The request of an onboarding. Home does not read the sign-up in it, and no type of this function
//! can show it.

use crate::problems::ProblemKind;
use fleet::Placement;
use kernel::{Jurisdiction, Location, RegionCode};
use runtime::http::{Problem, Verbatim};
use serde::Deserialize;

/// The body of an onboarding.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct OnboardingRequest {
    /// The placement of the tenant.
    placement: PlacementRequest,
    /// The sign-up, as the region's own `POST /signups` accepts it. It is handed over byte for byte
    /// and not stored.
    #[cfg_attr(test, schema(value_type = Object, write_only))]
    signup: Verbatim,
}

/// The placement: exactly one of these members.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Placement))]
struct PlacementRequest {
    /// This region.
    region: Option<RegionCode>,
    /// The region in this jurisdiction with the most room.
    jurisdiction: Option<Jurisdiction>,
    /// The nearest region that accepts tenants.
    nearest_to: Option<Degrees>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct Degrees {
    /// North is positive.
    #[cfg_attr(test, schema(minimum = -90, maximum = 90))]
    latitude: f64,
    /// East is positive.
    #[cfg_attr(test, schema(minimum = -180, maximum = 180))]
    longitude: f64,
}

impl OnboardingRequest {
    /// Validates the placement. Returns it with the sign-up to hand over.
    pub(crate) fn validate(self) -> Result<(Placement, Verbatim), Problem> {
        let placement = self.placement.validate()?;
        if self.signup.get().starts_with('{') {
            Ok((placement, self.signup))
        } else {
            Err(ProblemKind::InvalidSignup.into())
        }
    }
}

impl PlacementRequest {
    fn validate(self) -> Result<Placement, Problem> {
        let invalid = |detail: String| Problem::new(ProblemKind::InvalidPlacement).detail(detail);
        match (self.region, self.jurisdiction, self.nearest_to) {
            (Some(region), None, None) => Ok(Placement::Region(region)),
            (None, Some(jurisdiction), None) => Ok(Placement::Jurisdiction(jurisdiction)),
            (
                None,
                None,
                Some(Degrees {
                    latitude,
                    longitude,
                }),
            ) => {
                let place = Location::from_degrees(latitude, longitude);
                place
                    .map(Placement::NearestTo)
                    .map_err(|error| invalid(error.to_string()))
            }
            _ => Err(invalid(
                "Name exactly one of region, jurisdiction and nearest_to.".to_owned(),
            )),
        }
    }
}
