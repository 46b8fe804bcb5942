//! What identifies a sign-up: its key, home's onboarding, and the ids that it gets.

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
    /// Whether it is proved that home does.
    pub(crate) is_sealed: bool,
}

/// Home's operation, where home hands the sign-up over: only a region in shared mode takes that.
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

/// New ids. The sign-up's is random in all its bits, since to know it is to have access.
pub(crate) fn identifiers(onboarding: Option<OnboardingId>) -> Result<Identifiers, Problem> {
    let random = || runtime::random_bytes().map_err(|error| Problem::internal(&*error));
    Ok(Identifiers {
        signup: SignupId::from_uuid(uuid::Builder::from_random_bytes(random()?).into_uuid()),
        tenant: TenantId::from_uuid(runtime::new_uuid()),
        alias: Alias::from_random(random()?),
        onboarding,
    })
}
