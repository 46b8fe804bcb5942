//! One handler per route. Every step is idempotent, so that the same request completes one that was
//! interrupted.

use crate::account::{mail_code, make_account};
use crate::adapters::{Adapters, fresh_mark};
use crate::identifiers::{handover, idempotency_key, identifiers};
use crate::invitations;
use crate::problems::{self, ProblemKind};
#[cfg(test)]
use crate::tests::openapi::{OfSignup, OnboardingHeader};
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use kernel::{Mode, PlanCode, RegionCode, SignupId, TenantStatus, Timestamp};
use runtime::http::{Body, Document, Now, Problem, Source};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tenancy::{
    Asker, ConfirmationCode, Documents, IdempotencyKey, Identifiers, Operation, Registration,
    SignUpRequest, Signup, Tenant, decide_confirmation, decide_retry, decide_sign_up,
};
use tenant_store::{LoadOptions, Registered};
#[cfg(test)]
use testkit::openapi::{ApiDocument, IdempotencyHeader};
#[cfg(test)]
use testkit::problems;

/// The API's router.
pub(crate) fn router(adapters: Adapters) -> Router {
    Router::new()
        .route("/signup-form", get(form))
        .route("/signups", post(create))
        .route("/signups/{id}", get(read))
        .route("/signups/{id}/confirmation", post(confirm))
        .route("/signups/{id}/resend", post(resend))
        .route("/signups/{id}/provisioning", post(retry_provisioning))
        .route("/invitations/acceptance", post(invitations::accept))
        .route("/openapi.json", get(describe))
        .with_state(Arc::new(adapters))
}

/// The body of a confirmation.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct Confirmation {
    /// The digits that were mailed. Blanks and hyphens around and between them are ignored.
    #[cfg_attr(test, schema(format = Password, write_only, max_length = 512, example = "123456"))]
    code: String,
}

/// The choices of a sign-up form.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = SignUpForm))]
struct Form<'a> {
    region: &'a RegionCode,
    mode: Mode,
    accepts_new_tenants: bool,
    /// The versions to agree to.
    documents: &'a Documents,
    plans: Vec<&'a PlanCode>,
}

/// A sign-up as its caller sees it, and the region where its data stays.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = SignUp))]
struct Answer<'a> {
    region: &'a RegionCode,
    mode: Mode,
    /// The address where people sign in to the tenant, once the step `routing` is done; absent
    /// where tenants have no addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Whose password the account has; only in the response to a request with a password.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<PasswordHeld>,
    #[serde(flatten)]
    operation: Operation,
}

/// The request whose password an account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) enum PasswordHeld {
    /// This request's: it created the account.
    Set,
    /// An earlier request's, which created the account. The password of this request is discarded.
    Kept,
}

/// Shows the choices of a sign-up form.
///
/// The plans, and the versions of the documents to agree to. Public.
#[cfg_attr(test, utoipa::path(get, path = "/signup-form", operation_id = "showSignUpForm",
    tag = "Sign-ups",
    responses((status = 200, description = "The choices.", body = Form<'static>))))]
async fn form(State(adapters): State<Arc<Adapters>>) -> Response {
    let form = Form {
        region: &adapters.region,
        mode: adapters.mode,
        accepts_new_tenants: adapters.accepts_new_tenants,
        documents: &adapters.requirements.documents,
        plans: adapters
            .catalogue
            .plans
            .iter()
            .map(|plan| &plan.code)
            .collect(),
    };
    Json(form).into_response()
}

/// Signs a company up.
///
/// Stores the registration, creates the administrator's account, and mails a code. The same request
/// with the same Idempotency-Key completes one that was interrupted, and creates no second tenant.
/// It may have another password, which counts if no account was created before; the member
/// `password` shows that. An address that has reached its limit of mails gets the code later. No
/// response discloses that, or whether the address is known.
#[cfg_attr(test, utoipa::path(post, path = "/signups", operation_id = "createSignUp",
    tag = "Sign-ups", params(IdempotencyHeader, OnboardingHeader), request_body = SignUpRequest,
    responses((status = 202, description = "The operation, which continues with the code.",
            body = Answer<'static>,
            headers(("location" = String, description = "The path of the operation.")))),
    extensions(("x-problems" = json!(problems![KeyMissing, KeyMalformed, MalformedOnboarding,
        RegionClosed, ForbidsCentralOnboarding, TenantNotOpen, InvalidFields, WeakPassword,
        OtherRegion, KeyReused, AccountRefused, TooManyRequests, AccountNotMade, TryAgain])))))]
async fn create(
    State(adapters): State<Arc<Adapters>>,
    headers: HeaderMap,
    Now(now): Now,
    source: Source,
    Body(request): Body<SignUpRequest>,
) -> Result<Response, Problem> {
    let key = idempotency_key(&headers)?;
    let handover = handover(&adapters, &headers)?;
    let ids = identifiers(handover.as_ref().map(|handover| handover.onboarding))?;
    let hit_honeypot = request.hit_honeypot();
    let requirements = &adapters.requirements;
    let registration = request
        .validate(&adapters.catalogue, requirements)
        .map_err(|fields| problems::invalid_fields(&fields, &requirements.documents))?;
    if registration
        .region
        .as_ref()
        .is_some_and(|region| *region != adapters.region)
    {
        return Err(problems::other_region(&adapters.region));
    }
    if hit_honeypot {
        tracing::info!("honeypot hit: nothing is stored");
        return Ok(reply_to_honeypot(&adapters, &registration, ids, now));
    }
    // All sign-ups that home hands over come from one address, and home limits its own callers.
    let is_sealed = handover.is_some_and(|handover| handover.is_sealed);
    let asker = if is_sealed {
        Asker::home()
    } else {
        Asker::network(source.expose())
    };
    let source = (!is_sealed).then_some(&source);
    let (mut signup, tenant) = register(&adapters, &key, &registration, ids, source, now).await?;
    let mut password = PasswordHeld::Kept;
    if tenant.status == TenantStatus::Pending {
        if signup.identity_at.is_none() {
            (password, signup) =
                make_account(&adapters, &key, signup, &registration, asker, now).await?;
        } else if signup.code_owed.is_some() {
            mail_code(
                &adapters,
                &signup,
                &registration.email,
                asker,
                &key.digest(),
                now,
            )
            .await?;
        }
    }
    tracing::info!(tenant = %tenant.id, "sign-up accepted");
    Ok(accepted(&adapters, &signup, &tenant, Some(password)))
}

/// Shows the progress of a sign-up.
///
/// Every step with its state, and what the caller can do next. Knowing the id is the permission.
#[cfg_attr(test, utoipa::path(get, path = "/signups/{id}", operation_id = "showSignUp",
    tag = "Sign-ups", params(OfSignup),
    responses((status = 200, description = "The operation.", body = Answer<'static>)),
    extensions(("x-problems" = json!(problems![UnknownSignup])))))]
async fn read(
    State(adapters): State<Arc<Adapters>>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    let (signup, tenant) = find(&adapters, &id).await?;
    tracing::info!(tenant = %tenant.id, "sign-up read");
    Ok(answer(&adapters, &signup, &tenant).into_response())
}

/// Confirms the administrator's address.
///
/// The tenant becomes active, or the application is requested to provision its resources. A
/// confirmed sign-up stays confirmed, whatever is sent.
#[cfg_attr(test, utoipa::path(post, path = "/signups/{id}/confirmation",
    operation_id = "confirmSignUp", tag = "Sign-ups", params(OfSignup), request_body = Confirmation,
    responses((status = 200, description = "The operation.", body = Answer<'static>)),
    extensions(("x-problems" = json!(problems![UnknownSignup, ConfirmationRefused, TenantNotOpen,
        MalformedCode, WrongCode, ExpiredCode, TooManyAttempts, ConfirmationUnavailable,
        TryAgain])))))]
async fn confirm(
    State(adapters): State<Arc<Adapters>>,
    Path(id): Path<String>,
    Now(now): Now,
    Body(Confirmation { code }): Body<Confirmation>,
) -> Result<Response, Problem> {
    // Confirming the account runs the pool's trigger, which confirms the tenant too. The change
    // below completes it where the trigger failed.
    let code: ConfirmationCode = code.parse().map_err(|_| problems::malformed_code())?;
    let (signup, tenant) = find(&adapters, &id).await?;
    if tenant.status != TenantStatus::Pending {
        return Ok(answer(&adapters, &signup, &tenant).into_response());
    }
    adapters
        .identity
        .confirm(signup.username, code.expose())
        .await
        .map_err(|error| problems::confirmation(&error))?;
    let context = adapters.context(now);
    let confirmed = adapters
        .tenants
        .change(tenant.id, LoadOptions::SIGNUP, |loaded| {
            decide_confirmation(
                &loaded.state,
                &adapters.catalogue,
                &adapters.settings,
                &context,
            )
        });
    let state = confirmed.await.map_err(|error| problems::store(&error))?;
    tracing::info!(tenant = %tenant.id, "sign-up confirmed");
    Ok(answer(&adapters, &state.signup.unwrap_or(signup), &state.tenant).into_response())
}

/// Mails another code.
///
/// An address that has reached its limit of mails gets the code later; the response does not
/// disclose it.
#[cfg_attr(test, utoipa::path(post, path = "/signups/{id}/resend",
    operation_id = "resendSignUpCode", tag = "Sign-ups", params(OfSignup),
    responses((status = 202, description = "The operation.", body = Answer<'static>,
            headers(("location" = String, description = "The path of the operation.")))),
    extensions(("x-problems" = json!(problems![UnknownSignup, NothingToConfirm, NoAccount,
        ConfirmationRefused, WrongCode, ExpiredCode, TooManyAttempts, ConfirmationUnavailable,
        TryAgain])))))]
async fn resend(
    State(adapters): State<Arc<Adapters>>,
    Path(id): Path<String>,
    Now(now): Now,
    source: Source,
) -> Result<Response, Problem> {
    let (signup, tenant) = find(&adapters, &id).await?;
    if tenant.status != TenantStatus::Pending {
        return Err(ProblemKind::NothingToConfirm.into());
    }
    if signup.identity_at.is_none() {
        return Err(problems::no_account(signup.id));
    }
    let user = adapters
        .tenants
        .reader()
        .load_user(signup.username)
        .await
        .map_err(|error| problems::store(&error))?;
    let user = user.ok_or(ProblemKind::UnknownSignup)?;
    mail_code(
        &adapters,
        &signup,
        &user.email,
        Asker::network(source.expose()),
        &fresh_mark(),
        now,
    )
    .await?;
    Ok(accepted(&adapters, &signup, &tenant, None))
}

/// Requests the tenant's resources from the application again.
///
/// Only after a failure to provision that may be temporary.
#[cfg_attr(test, utoipa::path(post, path = "/signups/{id}/provisioning",
    operation_id = "retryProvisioning", tag = "Sign-ups", params(OfSignup),
    responses((status = 202, description = "The operation.", body = Answer<'static>,
            headers(("location" = String, description = "The path of the operation.")))),
    extensions(("x-problems" = json!(problems![UnknownSignup, NothingToRetry, TenantNotOpen,
        TryAgain])))))]
async fn retry_provisioning(
    State(adapters): State<Arc<Adapters>>,
    Path(id): Path<String>,
    Now(now): Now,
) -> Result<Response, Problem> {
    let (signup, tenant) = find(&adapters, &id).await?;
    let context = adapters.context(now);
    let retried = adapters
        .tenants
        .change(tenant.id, LoadOptions::SIGNUP, |loaded| {
            decide_retry(
                &loaded.state,
                &adapters.catalogue,
                &adapters.settings,
                &context,
            )
            .map(Some)
        });
    let state = retried.await.map_err(|error| problems::store(&error))?;
    tracing::info!(tenant = %tenant.id, "provisioning requested again");
    Ok(accepted(
        &adapters,
        &state.signup.unwrap_or(signup),
        &state.tenant,
        None,
    ))
}

/// Describes this API.
///
/// Returns this document. Public.
#[cfg_attr(
    test,
    utoipa::path(
        get,
        path = "/openapi.json",
        operation_id = "describeApi",
        tag = "Description",
        responses(ApiDocument),
    )
)]
async fn describe() -> Document {
    Document(include_str!("../../../../docs/openapi/regional.json"))
}

/// Stores the registration, or loads the one that an earlier request with the same key stored.
async fn register(
    adapters: &Adapters,
    key: &IdempotencyKey,
    registration: &Registration,
    ids: Identifiers,
    source: Option<&Source>,
    now: Timestamp,
) -> Result<(Signup, Tenant), Problem> {
    let (digest, fingerprint) = (key.digest(), key.fingerprint(registration, ids.onboarding));
    let known = adapters
        .tenants
        .reader()
        .load_remembered(&digest)
        .await
        .map_err(|error| problems::store(&error))?;
    let first = match known {
        Some(first) => first,
        None => {
            if !adapters.accepts_new_tenants {
                return Err(problems::region_closed(&adapters.region));
            }
            if let Some(source) = source {
                adapters.limit_source(source, &digest, now).await?;
            }
            let documents = &adapters.requirements.documents;
            let context = adapters.context(now);
            let made = decide_sign_up(
                registration,
                &adapters.catalogue,
                documents,
                ids,
                &adapters.settings,
                &context,
            );
            let stored = adapters
                .tenants
                .register(&made, &digest, &fingerprint)
                .await;
            match stored.map_err(|error| problems::store(&error))? {
                Registered::Stored => return Ok((made.signup, made.tenant)),
                Registered::Repeated(first) => first,
            }
        }
    };
    if first.fingerprint != fingerprint {
        return Err(ProblemKind::KeyReused.into());
    }
    load(adapters, first.signup).await
}

/// The response to a sign-up that fills in the hidden field. It looks like a real one, so that a
/// bot learns nothing, but nothing is stored.
fn reply_to_honeypot(
    adapters: &Adapters,
    registration: &Registration,
    ids: Identifiers,
    now: Timestamp,
) -> Response {
    let documents = &adapters.requirements.documents;
    let context = adapters.context(now);
    let made = decide_sign_up(
        registration,
        &adapters.catalogue,
        documents,
        ids,
        &adapters.settings,
        &context,
    );
    let signup = Signup {
        identity_at: Some(now),
        ..made.signup
    };
    accepted(adapters, &signup, &made.tenant, Some(PasswordHeld::Set))
}

async fn find(adapters: &Adapters, id: &str) -> Result<(Signup, Tenant), Problem> {
    let id: SignupId = id.parse().map_err(|_| ProblemKind::UnknownSignup)?;
    load(adapters, id).await
}

async fn load(adapters: &Adapters, id: SignupId) -> Result<(Signup, Tenant), Problem> {
    let reader = adapters.tenants.reader();
    let signup = reader
        .load_signup(id)
        .await
        .map_err(|error| problems::store(&error))?;
    let signup = signup.ok_or(ProblemKind::UnknownSignup)?;
    let tenant = reader
        .load_tenant(signup.tenant)
        .await
        .map_err(|error| problems::store(&error))?;
    Ok((signup, tenant.ok_or(ProblemKind::UnknownSignup)?))
}

fn accepted(
    adapters: &Adapters,
    signup: &Signup,
    tenant: &Tenant,
    password: Option<PasswordHeld>,
) -> Response {
    let location = [(LOCATION, format!("/signups/{}", signup.id))];
    let Json(answer) = answer(adapters, signup, tenant);
    (
        StatusCode::ACCEPTED,
        location,
        Json(Answer { password, ..answer }),
    )
        .into_response()
}

fn answer<'a>(adapters: &'a Adapters, signup: &Signup, tenant: &Tenant) -> Json<Answer<'a>> {
    let (address, operation) = (
        adapters.addresses.url(tenant.alias.as_str()),
        Operation::of(signup, tenant),
    );
    Json(Answer {
        region: &adapters.region,
        mode: adapters.mode,
        address,
        password: None,
        operation,
    })
}
