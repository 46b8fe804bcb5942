//! Responses for callers.

use contract::{RegionDescribed, Step};
use fleet::{Onboarding, OnboardingAction, OnboardingState, Outlook};
use kernel::{Jurisdiction, Location, Mode, OnboardingId, PublicUrl, RegionCode, RegionName};
use serde::Serialize;
use serde_json::value::RawValue;

/// The response of `GET /regions`.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Regions))]
pub(crate) struct RegionsAnswer<'a> {
    regions: Vec<RegionAnswer<'a>>,
}

/// A region's public description.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Region))]
struct RegionAnswer<'a> {
    code: &'a RegionCode,
    name: &'a RegionName,
    jurisdiction: &'a Jurisdiction,
    mode: Mode,
    /// The address of its API. Sign-ups are posted to `/signups` there.
    signup_url: &'a PublicUrl,
    accepts_new_tenants: bool,
    /// Its location, if it published one.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<PlaceAnswer>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Place))]
struct PlaceAnswer {
    /// North is positive.
    latitude: f64,
    /// East is positive.
    longitude: f64,
}

/// The response of `POST /onboardings` and `GET /onboardings/{id}`.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Onboarding))]
pub(crate) struct OnboardingAnswer<'a> {
    id: OnboardingId,
    /// The chosen region, which never changes.
    region: &'a RegionCode,
    state: OnboardingState,
    next: OnboardingAction,
    /// The steps as the region published them last; empty before the first time.
    steps: &'a [Step],
    /// Only in the response of `POST`: home does not store it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signup: Option<&'a SignupAnswer>,
}

/// The sign-up in its region.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = OnboardedSignUp))]
pub(crate) struct SignupAnswer {
    /// The address of the sign-up at the region.
    pub(crate) url: String,
    /// The region's response: the operation as described by its own `POST /signups`.
    #[cfg_attr(test, schema(value_type = Object))]
    pub(crate) operation: Box<RawValue>,
}

impl<'a> RegionsAnswer<'a> {
    pub(crate) fn of(regions: &'a [(RegionCode, RegionDescribed)]) -> Self {
        Self {
            regions: regions
                .iter()
                .map(|(code, described)| RegionAnswer::of(code, described))
                .collect(),
        }
    }
}

impl<'a> RegionAnswer<'a> {
    fn of(code: &'a RegionCode, described: &'a RegionDescribed) -> Self {
        let RegionDescribed {
            name,
            jurisdiction,
            mode,
            signup_url,
            accepts_new_tenants,
            location,
            ..
        } = described;
        Self {
            code,
            name,
            jurisdiction,
            mode: *mode,
            signup_url,
            accepts_new_tenants: *accepts_new_tenants,
            location: location.map(PlaceAnswer::of),
        }
    }
}

impl PlaceAnswer {
    fn of(place: Location) -> Self {
        let degrees = |millidegrees: i32| f64::from(millidegrees) / 1000.0;
        Self {
            latitude: degrees(place.latitude_millidegrees),
            longitude: degrees(place.longitude_millidegrees),
        }
    }
}

impl<'a> OnboardingAnswer<'a> {
    pub(crate) fn of(
        onboarding: &'a Onboarding,
        outlook: Outlook,
        signup: Option<&'a SignupAnswer>,
    ) -> Self {
        let Outlook { state, next } = outlook;
        Self {
            id: onboarding.id,
            region: &onboarding.region,
            state,
            next,
            steps: &onboarding.steps,
            signup,
        }
    }
}
