//! The readable label of a tenant's address.

use crate::access::{Caller, Refused};
use crate::adapters::{Adapters, store};
use crate::problems::{self, ProblemKind};
#[cfg(test)]
use crate::tests::openapi::{OfTenant, refusals};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use kernel::{ClaimDigest, Timestamp};
use regional_store::{Limit, Reach};
use ring::hmac::{HMAC_SHA256, Key, sign};
use runtime::http::{Body, Now, Problem};
use serde::{Deserialize, Serialize};
use std::convert::Infallible;
use std::str::FromStr;
use std::sync::Arc;
use tenancy::{
    Actor, ClaimState, KeyDigest, LabelClaim, Tenant, VanityLabel, decide_address_claim,
    decide_address_release,
};

/// How many labels one tenant asks for in a day: a label that was in use is kept from others for a
/// month.
const LABELS_PER_DAY_MAX: u64 = 10;
const DIGEST_LENGTH: usize = 32;

/// Tells labels apart for home, by a secret that the regions share: HMAC-SHA-256 (RFC 2104) over
/// the label.
pub(crate) struct ClaimSeal(Option<Key>);

impl FromStr for ClaimSeal {
    type Err = Infallible;

    /// A secret; an empty one is none.
    fn from_str(secret: &str) -> Result<Self, Infallible> {
        Ok(Self(
            (!secret.is_empty()).then(|| Key::new(HMAC_SHA256, secret.as_bytes())),
        ))
    }
}

impl ClaimSeal {
    /// What home knows a label by; nothing without a secret.
    pub(crate) fn of(&self, label: &VanityLabel) -> Option<ClaimDigest> {
        let tag = sign(self.0.as_ref()?, label.expose().as_bytes());
        let bytes: [u8; DIGEST_LENGTH] = tag.as_ref().try_into().ok()?;
        Some(ClaimDigest::from_bytes(bytes))
    }
}

/// A wish for a label.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct AddressWish {
    /// The label, in lower case.
    #[cfg_attr(test, schema(value_type = VanityLabel))]
    label: String,
}

/// The readable labels of a tenant. Its random alias leads to it all the same.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = TenantAddress))]
pub(crate) struct AddressView<'a> {
    /// The label that leads to the tenant.
    label: Option<&'a VanityLabel>,
    /// The label that was asked for and does not lead to it.
    claim: Option<ClaimView<'a>>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = AddressClaim))]
struct ClaimView<'a> {
    label: &'a VanityLabel,
    state: ClaimState,
    /// Why it is refused.
    reason: Option<RefusalReason>,
    requested_at: Timestamp,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = AddressRefusal))]
enum RefusalReason {
    /// Another tenant has it, or had it a short while ago.
    Taken,
}

impl<'a> AddressView<'a> {
    /// Absent where the tenant has no such label and asks for none.
    pub(crate) fn of(tenant: &'a Tenant) -> Option<Self> {
        let claim = tenant
            .vanity
            .as_ref()
            .and_then(|vanity| vanity.claim.as_ref())
            .map(ClaimView::of);
        let label = tenant.vanity_label();
        (label.is_some() || claim.is_some()).then_some(Self { label, claim })
    }
}

impl<'a> ClaimView<'a> {
    fn of(claim: &'a LabelClaim) -> Self {
        let reason = (claim.state == ClaimState::Refused).then_some(RefusalReason::Taken);
        Self {
            label: &claim.label,
            state: claim.state,
            reason,
            requested_at: claim.requested_at,
        }
    }
}

/// Asks for a readable label of the tenant's address.
///
/// For administrators. No two tenants have the same one, wherever they are. It leads to the tenant
/// once that is certain; until then the label before it does. Too many labels in a day are refused.
#[cfg_attr(test, utoipa::path(put, path = "/tenants/{tenant}/address",
    operation_id = "claimAddress", tag = "Tenant", params(OfTenant), request_body = AddressWish,
    security(("person" = [])),
    responses(
        (status = 200, description = "The label is the tenant's.", body = AddressView<'static>),
        (status = 202, description = "The label is asked for.", body = AddressView<'static>)),
    extensions(("x-problems" = json!(refusals![Change; LabelsNotConfigured, InvalidFields,
        TooManyRequests])))))]
pub(crate) async fn claim(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
    body: Result<Body<AddressWish>, Problem>,
) -> Result<Response, Refused> {
    let Body(AddressWish { label }) = body?;
    let label: VanityLabel = problems::parse("label", &label)?;
    let digest = adapters
        .labels
        .of(&label)
        .ok_or(ProblemKind::LabelsNotConfigured)?;
    let of = KeyDigest::of("labels of a tenant", &caller.tenant.id.to_string());
    let limit = Limit::daily(of, LABELS_PER_DAY_MAX);
    caller
        .desk
        .limit(&limit, &KeyDigest::of("label", label.expose()), now)
        .await?;
    let (occasion, actor) = (adapters.occasion(now), Actor::User(caller.username));
    let claimed = caller.desk.change(Reach::TENANT, |loaded| {
        decide_address_claim(&loaded.state, &label, &digest, actor, &occasion)
    });
    let tenant = claimed.await.map_err(store)?.tenant;
    let status = if tenant.vanity_label() == Some(&label) {
        StatusCode::OK
    } else {
        StatusCode::ACCEPTED
    };
    Ok((status, Json(AddressView::of(&tenant))).into_response())
}

/// Gives up the readable label, and any that is asked for.
///
/// For administrators. No other tenant gets the label for 30 days; this one may ask for it again.
#[cfg_attr(test, utoipa::path(delete, path = "/tenants/{tenant}/address",
    operation_id = "releaseAddress", tag = "Tenant", params(OfTenant), security(("person" = [])),
    responses((status = 204, description = "No such label leads to the tenant any more.")),
    extensions(("x-problems" = json!(refusals![Change])))))]
pub(crate) async fn release(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
) -> Result<Response, Refused> {
    let (occasion, actor) = (adapters.occasion(now), Actor::User(caller.username));
    let released = caller.desk.change(Reach::TENANT, |loaded| {
        Ok(decide_address_release(&loaded.state, actor, &occasion))
    });
    released.await.map_err(store)?;
    Ok(StatusCode::NO_CONTENT.into_response())
}
