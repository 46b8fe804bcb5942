//! The custom subdomain of a tenant's address.

use crate::access::{Caller, Refused};
use crate::adapters::{Adapters, store};
use crate::problems::{self, ProblemKind};
#[cfg(test)]
use crate::tests::openapi::{OfTenant, refusals};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use kernel::{SubdomainDigest, Timestamp};
use ring::hmac::{HMAC_SHA256, Key, sign};
use runtime::http::{Body, Now, Problem};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::str::FromStr;
use std::sync::Arc;
use tenancy::{
    Actor, CustomSubdomain, KeyDigest, ReservationState, SubdomainReservation, Tenant,
    decide_subdomain_release, decide_subdomain_reservation,
};
use tenant_store::{Limit, LoadOptions};

/// The subdomains that one tenant can request in a day. A subdomain that was in use stays blocked
/// for others for 30 days, so that nobody may block many.
const REQUESTS_PER_DAY_MAX: u64 = 10;
// The length of an HMAC-SHA-256, in bytes.
const DIGEST_LENGTH: usize = 32;

/// Computes the digests by which home distinguishes subdomains without learning them: HMAC-SHA-256
/// (RFC 2104) with a secret that the regions share.
pub(crate) struct SubdomainKey(Option<Key>);

impl FromStr for SubdomainKey {
    type Err = Infallible;

    /// Parses a secret; an empty one means none.
    fn from_str(secret: &str) -> Result<Self, Infallible> {
        Ok(Self(
            (!secret.is_empty()).then(|| Key::new(HMAC_SHA256, secret.as_bytes())),
        ))
    }
}

impl SubdomainKey {
    /// The digest of a subdomain for home; none without a secret.
    pub(crate) fn of(&self, subdomain: &CustomSubdomain) -> Option<SubdomainDigest> {
        let tag = sign(self.0.as_ref()?, subdomain.expose().as_bytes());
        let bytes: [u8; DIGEST_LENGTH] = tag.as_ref().try_into().ok()?;
        Some(SubdomainDigest::from_bytes(bytes))
    }
}

/// A request for a custom subdomain.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct AddressRequest {
    /// The subdomain, in lower case.
    #[cfg_attr(test, schema(value_type = CustomSubdomain))]
    subdomain: String,
}

/// A tenant's custom subdomains. Its random alias always leads to it as well.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = TenantAddress))]
pub(crate) struct AddressView<'a> {
    /// The custom subdomain that leads to the tenant.
    subdomain: Option<&'a CustomSubdomain>,
    /// The requested subdomain that does not lead to the tenant yet, or was refused.
    reservation: Option<ReservationView<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = SubdomainReservationView))]
struct ReservationView<'a> {
    subdomain: &'a CustomSubdomain,
    state: ReservationState,
    /// The reason of a refusal.
    reason: Option<RefusalReason>,
    requested_at: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = AddressRefusal))]
enum RefusalReason {
    /// Another tenant has it, or had it within the last 30 days.
    Taken,
}

impl<'a> AddressView<'a> {
    /// None where the tenant has no custom subdomain and requests none.
    pub(crate) fn of(tenant: &'a Tenant) -> Option<Self> {
        let reservation = tenant
            .subdomains
            .as_ref()
            .and_then(|subdomains| subdomains.reservation.as_ref())
            .map(ReservationView::of);
        let subdomain = tenant.custom_subdomain();
        (subdomain.is_some() || reservation.is_some()).then_some(Self {
            subdomain,
            reservation,
        })
    }
}

impl<'a> ReservationView<'a> {
    fn of(reservation: &'a SubdomainReservation) -> Self {
        let reason =
            (reservation.state == ReservationState::Refused).then_some(RefusalReason::Taken);
        Self {
            subdomain: &reservation.subdomain,
            state: reservation.state,
            reason,
            requested_at: reservation.requested_at,
        }
    }
}

/// Requests a custom subdomain for the tenant's address.
///
/// For administrators. No two tenants have the same one in any region. The new subdomain leads to
/// the tenant once home has confirmed it; until then the previous one does. Too many requested
/// subdomains in a day are refused.
#[cfg_attr(test, utoipa::path(put, path = "/tenants/{tenant}/address",
    operation_id = "reserveSubdomain", tag = "Tenant", params(OfTenant), request_body = AddressRequest,
    security(("person" = [])),
    responses(
        (status = 200, description = "The subdomain is the tenant's.", body = AddressView<'static>),
        (status = 202, description = "The subdomain is requested.", body = AddressView<'static>)),
    extensions(("x-problems" = json!(refusals![Change; SubdomainsNotConfigured, InvalidFields,
        TooManyRequests])))))]
pub(crate) async fn reserve(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
    body: Result<Body<AddressRequest>, Problem>,
) -> Result<Response, Refused> {
    let Body(AddressRequest { subdomain }) = body?;
    let subdomain: CustomSubdomain = problems::parse("subdomain", &subdomain)?;
    let digest = adapters
        .subdomains
        .of(&subdomain)
        .ok_or(ProblemKind::SubdomainsNotConfigured)?;
    let of = KeyDigest::of("subdomains of a tenant", &caller.tenant.id.to_string());
    let limit = Limit::daily(of, REQUESTS_PER_DAY_MAX);
    caller
        .scope
        .limit(&limit, &KeyDigest::of("subdomain", subdomain.expose()), now)
        .await?;
    let (context, actor) = (adapters.context(now), Actor::User(caller.username));
    let reserved = caller.scope.change(LoadOptions::TENANT, |loaded| {
        decide_subdomain_reservation(&loaded.state, &subdomain, &digest, actor, &context)
    });
    let tenant = reserved.await.map_err(store)?.tenant;
    let status = if tenant.custom_subdomain() == Some(&subdomain) {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, Json(AddressView::of(&tenant))).into_response())
}

/// Gives up the custom subdomain, and any requested one.
///
/// For administrators. No other tenant gets the subdomain for 30 days; this one may request it
/// again.
#[cfg_attr(test, utoipa::path(delete, path = "/tenants/{tenant}/address",
    operation_id = "releaseAddress", tag = "Tenant", params(OfTenant), security(("person" = [])),
    responses((status = 204, description = "No custom subdomain leads to the tenant any more.")),
    extensions(("x-problems" = json!(refusals![Change])))))]
pub(crate) async fn release(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
) -> Result<Response, Refused> {
    let (context, actor) = (adapters.context(now), Actor::User(caller.username));
    let released = caller.scope.change(LoadOptions::TENANT, |loaded| {
        Ok(decide_subdomain_release(&loaded.state, actor, &context))
    });
    released.await.map_err(store)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
