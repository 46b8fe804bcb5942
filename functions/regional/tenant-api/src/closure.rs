//! The closure of a tenant, and its undoing.

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

/// The wrong codes that are answered for one tenant in an hour. The right code is always accepted,
/// so that nobody can shut out its holder.
const WRONG_CODES_PER_HOUR_MAX: u64 = 10;
/// The codes that one source can try in an hour, over all tenants.
const CODES_PER_SOURCE_MAX: u64 = 30;

/// A closure. Only its code undoes it without a token: nobody can sign in to a closing tenant.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct Closing {
    /// Until when it can be undone.
    ends_at: Timestamp,
    /// The code that undoes the closure. Keep it: it is shown only once.
    #[cfg_attr(test, schema(pattern = "^[0-9a-f]{32}$"))]
    undo_code: String,
}

/// The proof of a caller without a token.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = ClosureUndo))]
struct Undo {
    /// The `undo_code` of the closure; required without a token. Blanks and hyphens in it are
    /// ignored.
    #[cfg_attr(test, schema(write_only, max_length = 512))]
    code: Option<String>,
}

/// The status of the tenant after a closure was undone.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct Reopened {
    status: TenantStatus,
}

/// Requests the closure of the tenant.
///
/// For administrators. Nobody can sign in to the tenant from now on. The closure can be undone
/// until the grace period ends. A repeated request returns another code.
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

/// Undoes the closure of the tenant.
///
/// For administrators with their token, or for anybody with the closure's code. Too many wrong
/// codes for this tenant, or too many codes from one source, are refused.
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
            // A path that is not valid text names no tenant.
            let tenant = path.map_or_else(|_| String::new(), |Path(tenant)| tenant);
            reopen_by_code(&adapters, &source, &tenant, &code, now).await?
        }
        (None, None) => return Err(ProblemKind::NoTokenAndNoCode.into()),
    };
    Ok(Json(reopened).into_response())
}

/// Reads the body; an empty body counts as an empty document.
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

/// Reopens a tenant for a holder of the code. A caller without the right code learns nothing of the
/// tenant, not even whether it exists.
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
