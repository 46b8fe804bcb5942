//! A tenant's entitlements, for the application plane, as the region has applied them.
//!
//! Machines request them often, and nothing changes, so the audit trail does not record it.

use crate::access::identify;
use crate::adapters::{Adapters, store};
use crate::problems::ProblemKind;
#[cfg(test)]
use crate::tests::openapi::{AskedTenant, refusals};
use axum::Json;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use kernel::{
    Alias, EntitlementCode, MachineScope, PlanCode, RegionCode, TenantId, TenantStatus, Timestamp,
};
use runtime::http::{Client, Holder, Now, Problem, invalid_token};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;
use tenancy::{Bearer, Tenant};

/// How long a client may cache the response.
const CACHED: &str = "private, max-age=30";

/// A tenant's entitlements.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct Entitlements<'a> {
    tenant: TenantId,
    alias: &'a Alias,
    region: &'a RegionCode,
    /// Also `suspended` once the provider's suspension is in force here, before the tenant's own
    /// status shows it.
    status: TenantStatus,
    plan: &'a PlanCode,
    entitlements: &'a [EntitlementCode],
    /// The version of home's policy; 0 before the first one.
    policy_version: u64,
}

/// Shows a tenant's entitlements.
///
/// With a user's token, or one of the tenant's own client with the scope tenant/read: those of that
/// tenant. With the provider's service client and the scope tenant/read: those of the requested
/// tenant. Works while home is unreachable, because the region answers with the policy that it has
/// applied.
#[cfg_attr(test, utoipa::path(get, path = "/entitlements", operation_id = "readEntitlements",
    tag = "Entitlements", params(AskedTenant),
    security(("person" = []), ("machine" = ["tenant/read"])),
    responses((status = 200, description = "What the tenant is entitled to.",
            body = Entitlements<'static>, headers(("cache-control" = String,
                    description = "For how long the answer may be used again.")))),
    extensions(("x-problems" = json!(refusals![Always])))))]
pub(crate) async fn read(
    State(adapters): State<Arc<Adapters>>,
    Now(now): Now,
    headers: HeaderMap,
    query: Query<HashMap<String, String>>,
) -> Result<Response, Problem> {
    let holder = adapters
        .tokens
        .verify_holder::<Bearer>(&headers, now)
        .await?;
    let requested = query.get("tenant").map(|text| {
        text.parse::<TenantId>()
            .map_err(|_| ProblemKind::UnknownTenant)
    });
    let requested = requested.transpose()?;
    let tenant = match holder {
        Holder::Person(client, bearer) => {
            let caller = identify(&adapters, &client, &bearer, now).await?;
            caller.ok_or(ProblemKind::UnknownBearer)?.tenant
        }
        Holder::Machine(client, scopes) => {
            scopes.require(MachineScope::TenantRead.as_str())?;
            seen_by(&adapters, &client, MachineScope::TenantRead, requested, now).await?
        }
    };
    if requested.is_some_and(|requested| requested != tenant.id) {
        return Err(ProblemKind::UnknownTenant.into());
    }
    Ok(shown(&adapters.region, &tenant))
}

/// The tenant that a machine may read: its own, or for the provider's service client the requested
/// one.
pub(crate) async fn seen_by(
    adapters: &Adapters,
    client: &Client,
    scope: MachineScope,
    requested: Option<TenantId>,
    now: Timestamp,
) -> Result<Tenant, Problem> {
    match client {
        Client::Named => {
            let requested = requested.ok_or(ProblemKind::UnknownTenant)?;
            adapters
                .scope(requested, now)
                .await?
                .load_tenant()
                .await?
                .ok_or_else(|| ProblemKind::UnknownTenant.into())
        }
        Client::Other(id) => {
            let known = adapters
                .own
                .reader()
                .load_client(id)
                .await
                .map_err(store)?
                .ok_or_else(invalid_token)?;
            let found = adapters
                .scope(known.tenant, now)
                .await?
                .reader()
                .load_with_client(&known)
                .await;
            let own = found
                .map_err(store)?
                .filter(|(_, client)| client.may(scope, now));
            own.map(|(tenant, _)| tenant).ok_or_else(invalid_token)
        }
    }
}

fn shown(region: &RegionCode, tenant: &Tenant) -> Response {
    let in_use = matches!(
        tenant.status,
        TenantStatus::Active | TenantStatus::Relocating
    );
    let is_suspended = in_use && tenant.policy.suspension.is_some();
    let entitlements = Entitlements {
        tenant: tenant.id,
        alias: &tenant.alias,
        region,
        status: if is_suspended {
            TenantStatus::Suspended
        } else {
            tenant.status
        },
        plan: &tenant.plan,
        entitlements: &tenant.policy.entitlements,
        policy_version: tenant.policy.version,
    };
    ([(CACHE_CONTROL, CACHED)], Json(entitlements)).into_response()
}
