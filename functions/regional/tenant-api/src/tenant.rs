//! The tenant itself: its profile, its plan, its audit trail.

use crate::access::{Caller, Refused};
use crate::accounts::reconcile_administrators;
use crate::adapters::{Adapters, AuditNote, TenantScope, store};
use crate::paging::{self, Paging};
use crate::problems::{self, ProblemKind};
use crate::subdomains::AddressView;
#[cfg(test)]
use crate::tests::openapi::{OfTenant, Page, refusals};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use kernel::{
    Alias, BillingAnchor, EntitlementCode, Language, PlanCode, TenantId, TenantStatus, Timestamp,
};
use runtime::http::{Body, Now, Problem};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tenancy::{
    Actor, AuditAction, AuditEntry, OrganisationName, Tenant, decide_plan_request, decide_profile,
};
use tenant_store::LoadOptions;

/// A change of the profile.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct ProfileChange {
    /// The new name, on one line, without web addresses and invisible characters; unchanged if
    /// absent.
    #[cfg_attr(test, schema(min_length = 1, max_length = 200))]
    organisation: Option<String>,
    /// The language of the pages and mails for the tenant's people; unchanged if absent.
    #[cfg_attr(test, schema(value_type = Option<Language>))]
    language: Option<String>,
}

/// A request for another plan.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct PlanRequest {
    /// The requested plan.
    #[cfg_attr(test, schema(value_type = PlanCode))]
    plan: String,
}

/// A tenant as its users see it.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = TenantProfile))]
struct Profile<'a> {
    id: TenantId,
    alias: &'a Alias,
    /// Absent once erased.
    organisation: Option<&'a str>,
    /// The language of the pages and mails for its people.
    language: Language,
    /// The start of its days and billing periods, in UTC.
    billing_anchor: BillingAnchor,
    plan: &'a PlanCode,
    /// Absent where the tenant has no custom subdomain and requests none.
    address: Option<AddressView<'a>>,
    /// The requested plan that is not in force yet.
    requested_plan: Option<RequestedPlan<'a>>,
    status: TenantStatus,
    entitlements: &'a [EntitlementCode],
    policy_version: u64,
    /// Absent unless the tenant is closing or closed.
    closure: Option<ClosureView>,
    users: u64,
    /// The number of users who are administrators.
    admins: u64,
    /// The number of open invitations.
    invitations: u64,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct RequestedPlan<'a> {
    plan: &'a PlanCode,
    requested_at: Timestamp,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = TenantClosure))]
struct ClosureView {
    requested_at: Timestamp,
    /// Until when it can be undone.
    ends_at: Timestamp,
}

/// A page of the audit trail, newest first.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = AuditTrail))]
struct Trail {
    entries: Vec<AuditEntry>,
    next_cursor: Option<String>,
}

/// Shows the tenant.
///
/// For every user of the tenant, in every status.
#[cfg_attr(test, utoipa::path(get, path = "/tenants/{tenant}", operation_id = "readTenant",
    tag = "Tenant", params(OfTenant), security(("person" = [])),
    responses((status = 200, description = "The tenant.", body = Profile<'static>)),
    extensions(("x-problems" = json!(refusals![Always])))))]
pub(crate) async fn read(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
) -> Result<Response, Refused> {
    let tenant = match reconcile_administrators(&adapters, &caller, now).await {
        true => caller.scope.load_tenant().await?.unwrap_or(caller.tenant),
        false => caller.tenant,
    };
    Ok(profile(&caller.scope, &tenant).await?)
}

/// Changes the organisation's name, or the language of its pages and mails.
///
/// For administrators.
#[cfg_attr(test, utoipa::path(patch, path = "/tenants/{tenant}", operation_id = "changeTenant",
    tag = "Tenant", params(OfTenant), request_body = ProfileChange, security(("person" = [])),
    responses((status = 200, description = "The tenant.", body = Profile<'static>)),
    extensions(("x-problems" = json!(refusals![Change; InvalidFields])))))]
pub(crate) async fn change(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
    body: Result<Body<ProfileChange>, Problem>,
) -> Result<Response, Refused> {
    let Body(ProfileChange {
        organisation,
        language,
    }) = body?;
    let organisation = organisation
        .map(|name| problems::parse::<OrganisationName>("organisation", &name))
        .transpose()?;
    let language = language
        .map(|code| problems::parse::<Language>("language", &code))
        .transpose()?;
    let context = adapters.context(now);
    let changed = caller.scope.change(LoadOptions::TENANT, |loaded| {
        Ok(Some(decide_profile(
            &loaded.state,
            organisation.clone(),
            language,
            caller.username,
            &context,
        )))
    });
    Ok(profile(&caller.scope, &changed.await.map_err(store)?.tenant).await?)
}

/// Requests another plan.
///
/// For administrators. The plan is in force once home has granted it and this region has applied
/// the new policy.
#[cfg_attr(test, utoipa::path(post, path = "/tenants/{tenant}/plan-changes",
    operation_id = "requestPlan", tag = "Tenant", params(OfTenant), request_body = PlanRequest,
    security(("person" = [])),
    responses((status = 202, description = "The request.", body = RequestedPlan<'static>)),
    extensions(("x-problems" = json!(refusals![Change; UnknownPlan, OtherPlanKind])))))]
pub(crate) async fn request_plan(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
    body: Result<Body<PlanRequest>, Problem>,
) -> Result<Response, Refused> {
    let Body(PlanRequest { plan }) = body?;
    let plan: PlanCode = plan.parse().map_err(|_| ProblemKind::UnknownPlan)?;
    let (context, actor) = (adapters.context(now), Actor::User(caller.username));
    let requested = caller.scope.change(LoadOptions::TENANT, |loaded| {
        decide_plan_request(
            &loaded.state,
            &plan,
            actor,
            &adapters.catalogue,
            &adapters.settings,
            &context,
        )
        .map(Some)
    });
    requested.await.map_err(store)?;
    Ok((
        StatusCode::ACCEPTED,
        Json(RequestedPlan {
            plan: &plan,
            requested_at: now,
        }),
    )
        .into_response())
}

/// Shows the audit trail, newest first.
///
/// For administrators. Refusals are part of it.
#[cfg_attr(test, utoipa::path(get, path = "/tenants/{tenant}/audit", operation_id = "readAudit",
    tag = "Tenant", params(OfTenant, Page), security(("person" = [])),
    responses((status = 200, description = "A page of the audit trail.", body = Trail)),
    extensions(("x-problems" = json!(refusals![UseAndEnd; InvalidFields])))))]
pub(crate) async fn audit(
    Extension(caller): Extension<Caller>,
    Now(now): Now,
    Paging { cursor, limit }: Paging,
) -> Result<Response, Refused> {
    let page = caller
        .scope
        .reader()
        .list_audit(caller.tenant.id, cursor.as_deref(), limit)
        .await
        .map_err(store)?;
    note_read(&caller, AuditAction::ReadAudit, now).await?;
    Ok(Json(Trail {
        entries: page.entries,
        next_cursor: paging::shown(page.next),
    })
    .into_response())
}

/// Records in the audit trail that a list was read.
pub(crate) async fn note_read(
    caller: &Caller,
    action: AuditAction,
    now: Timestamp,
) -> Result<(), Problem> {
    let note = AuditNote {
        actor: Actor::User(caller.username),
        action,
        target: None,
        refused: None,
    };
    caller.scope.note(note, now).await
}

async fn profile(scope: &TenantScope, tenant: &Tenant) -> Result<Response, Problem> {
    let organisation = scope
        .reader()
        .load_organisation(tenant.id)
        .await
        .map_err(store)?;
    let request = tenant
        .plan_request
        .as_ref()
        .filter(|request| request.plan != tenant.plan);
    let closure = tenant.closure.as_ref();
    let profile = Profile {
        id: tenant.id,
        alias: &tenant.alias,
        organisation: organisation.as_ref().map(OrganisationName::expose),
        language: tenant.language,
        billing_anchor: tenant.billing_anchor,
        plan: &tenant.plan,
        address: AddressView::of(tenant),
        requested_plan: request.map(|request| RequestedPlan {
            plan: &request.plan,
            requested_at: request.requested_at,
        }),
        status: tenant.status,
        entitlements: &tenant.policy.entitlements,
        policy_version: tenant.policy.version,
        closure: closure.map(|end| ClosureView {
            requested_at: end.requested_at,
            ends_at: end.ends_at,
        }),
        users: tenant.users,
        admins: tenant.admins,
        invitations: tenant.invitations,
    };
    Ok(Json(profile).into_response())
}
