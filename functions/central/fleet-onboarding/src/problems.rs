//! The problems of this API. None of them contains data of a sign-up.

use fleet::PlacementRefusal;
use kernel::{Mode, PublicUrl, RegionCode};
use runtime::http::Problem;

runtime::problem_kinds! {
    /// What this API refuses.
    pub(crate) enum ProblemKind {
        /// The header is not there.
        KeyMissing = BAD_REQUEST, "idempotency-key-missing",
            "The Idempotency-Key header is missing",
            "Send a random UUID, and the same one when you repeat the request.";
        /// It is not 16 to 128 visible ASCII characters.
        KeyMalformed = BAD_REQUEST, "idempotency-key-malformed",
            "The Idempotency-Key header is malformed",
            "It has 16 to 128 visible ASCII characters, such as a random UUID.";
        /// The key belongs to another placement, or to another sign-up.
        KeyReused = UNPROCESSABLE_ENTITY, "idempotency-key-reused",
            "The Idempotency-Key belongs to another request",
            "A request with this key asked for another placement. Send a new key for a new \
             onboarding.";
        /// Not exactly one of region, jurisdiction and nearest_to, or a place beyond the globe.
        InvalidPlacement = UNPROCESSABLE_ENTITY, "invalid-placement",
            "The placement is not as it must be";
        /// The sign-up is no object.
        InvalidSignup = UNPROCESSABLE_ENTITY, "invalid-signup", "The sign-up is not as it must be",
            "The member signup is the object that the region's own POST /signups takes.";
        /// There is none of this id.
        UnknownOnboarding = NOT_FOUND, "unknown-onboarding", "There is no such onboarding";
        UnknownRegion = UNPROCESSABLE_ENTITY, "unknown-region", "There is no such region",
            "GET /regions lists the regions.";
        /// The region takes sign-ups at its own address only, which the member `signup_url` is.
        ForbidsCentralOnboarding = CONFLICT, "region-forbids-central-onboarding",
            "The region takes sign-ups at its own address only",
            "Nothing was handed over. Post the sign-up to the region's own address.";
        RegionClosed = CONFLICT, "region-closed", "The region takes no new tenants",
            "Choose another region, or let it be chosen by jurisdiction or by place.";
        NoRegion = CONFLICT, "no-region", "No region that fits takes new tenants at the moment",
            "A region is chosen among those in mode shared that take tenants, have room and report.";
        /// The region does not answer. It may or may not have the sign-up: the same request finds
        /// out.
        RegionUnavailable = SERVICE_UNAVAILABLE, "region-unavailable",
            "The region does not answer at the moment",
            "The same request may be sent again: it goes on where this one stopped, and makes no \
             second tenant.";
        /// Too many requests with this key at once.
        TryAgain = SERVICE_UNAVAILABLE, "try-again", "There is too much to do right now",
            "The same request may be sent again.";
    }
}

pub(crate) fn placement(refusal: &PlacementRefusal) -> Problem {
    match refusal {
        PlacementRefusal::UnknownRegion { region } => {
            Problem::new(ProblemKind::UnknownRegion).with("region", region)
        }
        PlacementRefusal::ForbidsCentralOnboarding {
            region,
            mode,
            signup_url,
        } => forbidden(region, *mode, signup_url),
        PlacementRefusal::Closed { region } => {
            Problem::new(ProblemKind::RegionClosed).with("region", region)
        }
        PlacementRefusal::NoRegion => ProblemKind::NoRegion.into(),
    }
}

pub(crate) fn forbidden(region: &RegionCode, mode: Mode, signup_url: &PublicUrl) -> Problem {
    Problem::new(ProblemKind::ForbidsCentralOnboarding)
        .with("region", region)
        .with("mode", mode)
        .with("signup_url", signup_url)
}

pub(crate) fn region_unavailable(region: &RegionCode) -> Problem {
    Problem::new(ProblemKind::RegionUnavailable).with("region", region)
}
