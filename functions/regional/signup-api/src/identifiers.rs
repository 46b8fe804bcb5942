//! The identifiers of a sign-up: its key, home's onboarding, and its new ids.

use crate::adapters::Adapters;
use crate::problems::{self, ProblemKind};
use axum::http::HeaderMap;
use kernel::{Alias, Mode, OnboardingId, SignupId, TenantId};
use runtime::handover::SEAL_HEADER;
use runtime::http::Problem;
use tenancy::{IdempotencyKey, Identifiers};

pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<IdempotencyKey, Problem> {
    let header = headers
        .get("idempotency-key")
        .ok_or(ProblemKind::KeyMissing)?;
    header
        .to_str()
        .ok()
        .and_then(|key| key.parse().ok())
        .ok_or_else(|| ProblemKind::KeyMalformed.into())
}

/// A sign-up that home hands over.
pub(crate) struct Handover {
    pub(crate) onboarding: OnboardingId,
    /// Whether the seal proves that home sent it.
    pub(crate) is_sealed: bool,
}

/// The handover in the headers, if there is one. Only a region in shared mode accepts it.
pub(crate) fn handover(
    adapters: &Adapters,
    headers: &HeaderMap,
) -> Result<Option<Handover>, Problem> {
    let Some(header) = headers.get("meridian-onboarding") else {
        return Ok(None);
    };
    if adapters.mode != Mode::Shared {
        return Err(problems::forbids_central_onboarding(&adapters.region));
    }
    let id = header.to_str().ok().and_then(|id| id.parse().ok());
    let onboarding: OnboardingId = id.ok_or(ProblemKind::MalformedOnboarding)?;
    let seal = headers.get(SEAL_HEADER).and_then(|seal| seal.to_str().ok());
    let is_sealed = seal.is_some_and(|seal| adapters.seal.holds(&onboarding, seal));
    Ok(Some(Handover {
        onboarding,
        is_sealed,
    }))
}

/// Creates new ids. All bits of the sign-up's id are random, because knowing it gives access.
pub(crate) fn identifiers(onboarding: Option<OnboardingId>) -> Result<Identifiers, Problem> {
    let random = || runtime::random_bytes().map_err(|error| Problem::internal(&*error));
    Ok(Identifiers {
        signup: SignupId::from_uuid(uuid::Builder::from_random_bytes(random()?).into_uuid()),
        tenant: TenantId::from_uuid(runtime::new_uuid()),
        alias: Alias::from_random(random()?),
        onboarding,
    })
}
