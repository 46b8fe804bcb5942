//! The end of a tenant, asked for and taken back.

use crate::access::{Caller, Refused};
use crate::adapters::{Adapters, AuditNote, TenantScope, fresh_mark, store};
use crate::problems::{self, ProblemKind};
#[cfg(test)]
use crate::tests::openapi::{OfTenant, refusals};
use axum::body::HttpBody;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use kernel::{TenantId, TenantStatus, Timestamp};
use runtime::http::{Body, Now, Problem, Source};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tenancy::{Actor, AuditAction, KeyDigest, Refusal, UndoCode, decide_closure, decide_reopening};
use tenant_store::{Limit, LoadOptions, TenantStoreError};

/// How many wrong codes are looked at for one tenant in an hour. The right one always is.
const WRONG_CODES_PER_HOUR_MAX: u64 = 10;
/// How many codes one source can try in an hour, at whichever tenants.
const CODES_PER_SOURCE_MAX: u64 = 30;

/// A closure, which this code undoes: nobody can sign in to a tenant that is closing.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct Closing {
    /// Until when it can be undone.
    ends_at: Timestamp,
    /// To be kept: it is told this once.
    #[cfg_attr(test, schema(pattern = "^[0-9a-f]{32}$"))]
    undo_code: String,
}

/// What undoes a closure where there is no token.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ClosureUndo))]
struct Undo {
    /// The `undo_code` of the closure; needed where no token is sent. Blanks and hyphens in it do
    /// not count.
    #[cfg_attr(test, schema(write_only, max_length = 512))]
    code: Option<String>,
}

/// What the tenant is again.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct Reopened {
    status: TenantStatus,
}

/// Asks for the end of the tenant.
///
/// For administrators. Nobody signs in to it from now on; until the grace period ends, it can be
/// undone. Asked for again, it gives another code.
#[cfg_attr(test, utoipa::path(post, path = "/tenants/{tenant}/closure",
    operation_id = "closeTenant", tag = "Tenant", params(OfTenant), security(("person" = [])),
    responses((status = 202, description = "When it ends, and what undoes it.", body = Closing)),
    extensions(("x-problems" = json!(refusals![ToEnd; TenantClosing, TenantRelocating])))))]
pub(crate) async fn close(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
) -> Result<Response, Refused> {
    let random = runtime::random_bytes().map_err(|error| Problem::internal(&*error))?;
    let code = UndoCode::from_random(random);
    let (digest, context) = (code.digest(), adapters.context(now));
    let closed = caller.scope.change(LoadOptions::TENANT, |loaded| {
        let actor = Actor::User(caller.username);
        decide_closure(
            &loaded.state,
            actor,
            digest.clone(),
            &adapters.settings,
            &context,
        )
        .map(Some)
    });
    let closure = closed.await.map_err(store)?.tenant.closure;
    let ends_at = closure.map_or(now, |closure| closure.ends_at);
    Ok((
        StatusCode::ACCEPTED,
        Json(Closing {
            ends_at,
            undo_code: code.reveal(),
        }),
    )
        .into_response())
}

/// Takes the end of the tenant back.
///
/// For administrators by their token, or for whoever has the code of the closure without one. Too
/// many wrong codes for this tenant, or too many codes from one source, are refused.
#[cfg_attr(test, utoipa::path(post, path = "/tenants/{tenant}/closure/undo",
    operation_id = "undoClosure", tag = "Tenant", params(OfTenant), request_body = Option<Undo>,
    security((), ("person" = [])),
    responses((status = 200, description = "What the tenant is again.", body = Reopened)),
    extensions(("x-problems" = json!(refusals![ToEnd; NoTokenAndNoCode, TenantNotClosing,
        GraceOver, WrongCode, TooManyRequests])))))]
pub(crate) async fn undo(
    State(adapters): State<Arc<Adapters>>,
    caller: Option<Extension<Caller>>,
    path: Result<Path<String>, PathRejection>,
    Now(now): Now,
    source: Source,
    request: Request,
) -> Result<Response, Refused> {
    let Undo { code } = read(request).await?;
    let reopened = match (caller, code) {
        (Some(Extension(caller)), _) => {
            reopen(
                &adapters,
                &caller.scope,
                Actor::User(caller.username),
                None,
                now,
            )
            .await?
        }
        (None, Some(code)) => {
            // A path that is not even text names no tenant.
            let tenant = path.map_or_else(|_| String::new(), |Path(tenant)| tenant);
            reopen_by_code(&adapters, &source, &tenant, &code, now).await?
        }
        (None, None) => return Err(ProblemKind::NoTokenAndNoCode.into()),
    };
    Ok(Json(reopened).into_response())
}

/// Reads the body; none is as good as an empty document.
async fn read(request: Request) -> Result<Undo, Problem> {
    if request.body().is_end_stream() {
        return Ok(Undo::default());
    }
    Body::from_request(request, &())
        .await
        .map(|Body(undo)| undo)
}

async fn reopen(
    adapters: &Adapters,
    scope: &TenantScope,
    actor: Actor,
    code: Option<&KeyDigest>,
    now: Timestamp,
) -> Result<Reopened, Problem> {
    let context = adapters.context(now);
    let reopened = scope.change(LoadOptions::TENANT, |loaded| {
        decide_reopening(&loaded.state, actor, code, &adapters.settings, &context).map(Some)
    });
    match reopened.await {
        Ok(state) => Ok(Reopened {
            status: state.tenant.status,
        }),
        Err(TenantStoreError::Refused(Refusal::NotFromHere { status })) => {
            Err(problems::not_undone(status).into())
        }
        Err(error) => Err(store(error)),
    }
}

/// Whoever does not know the code learns nothing of the tenant, not even whether there is one.
async fn reopen_by_code(
    adapters: &Adapters,
    source: &Source,
    tenant: &str,
    code: &str,
    now: Timestamp,
) -> Result<Reopened, Problem> {
    let tenant: TenantId = tenant.parse().map_err(|_| ProblemKind::WrongCode)?;
    let code: UndoCode = code.parse().map_err(|_| ProblemKind::WrongCode)?;
    adapters
        .limit_source(source, CODES_PER_SOURCE_MAX, now)
        .await?;
    let given = code.digest();
    let scope = adapters.scope(tenant, now).await?;
    let closing = scope.load_tenant().await?;
    let undo = closing
        .filter(|tenant| tenant.status == TenantStatus::Closing)
        .and_then(|tenant| tenant.closure?.undo);
    if undo.as_ref() == Some(&given) {
        return reopen(adapters, &scope, Actor::Holder, Some(&given), now).await;
    }
    let of = KeyDigest::of("wrong codes of a closure", &tenant.to_string());
    let limit = Limit::hourly(of, WRONG_CODES_PER_HOUR_MAX);
    scope.limit(&limit, &fresh_mark(), now).await?;
    let problem = Problem::new(ProblemKind::WrongCode);
    if undo.is_some() {
        let (actor, action) = (Actor::Holder, AuditAction::UndoClosure);
        let note = AuditNote {
            actor,
            action,
            target: None,
            refused: Some(problem.slug()),
        };
        scope.note(note, now).await?;
    }
    Err(problem)
}
