//! One handler per route. Each step is idempotent, so that a request which was cut off anywhere is
//! completed by the same request again.

use crate::adapters::{Adapters, fresh_mark};
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
use identity::{Account, IdentityError, Mailing};
use kernel::{
    Alias, Mode, OnboardingId, PlanCode, RegionCode, SignupId, TenantId, TenantStatus, Timestamp,
};
use regional_store::{Reach, Registered};
use runtime::handover::SEAL_HEADER;
use runtime::http::{Body, Document, Now, Problem, Source};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tenancy::{
    Asker, ConfirmationCode, Documents, EmailAddress, IdempotencyKey, Identifiers, KeyDigest,
    Operation, Registration, SignUpRequest, Signup, Tenant, Username, decide_code_mail,
    decide_confirmation, decide_identity, decide_retry, decide_sign_up,
};
#[cfg(test)]
use testkit::openapi::{ApiDocument, IdempotencyHeader};
#[cfg(test)]
use testkit::problems;

/// The routes.
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
    /// The digits that were mailed. Blanks and hyphens around them and inside do not count.
    #[cfg_attr(test, schema(format = Password, write_only, max_length = 512, example = "123456"))]
    code: String,
}

/// What a sign-up form has to know.
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

/// A sign-up as its caller sees it, and where the data stays.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = SignUp))]
struct Answer<'a> {
    region: &'a RegionCode,
    mode: Mode,
    /// Where people sign in to the tenant, once the step `routing` is done; absent where tenants
    /// have no addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    /// Whose password holds: only in the answer to a request that has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<PasswordHeld>,
    #[serde(flatten)]
    operation: Operation,
}

/// Whose password an account has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) enum PasswordHeld {
    /// This request's: it made the account.
    Set,
    /// That of the request which made the account before. Whatever this one carried is gone.
    Kept,
}

/// Shows what a sign-up has to have.
///
/// The plans, and the versions of the documents to agree to. Public.
#[cfg_attr(test, utoipa::path(get, path = "/signup-form", operation_id = "showSignUpForm",
    tag = "Sign-ups",
    responses((status = 200, description = "What to fill in.", body = Form<'static>))))]
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
/// Stores the registration, makes the administrator's account, and has a code mailed. The same
/// request once more, with the same Idempotency-Key, completes what was cut off and makes no second
/// tenant. It may have another password, which holds where no account was made before: the member
/// `password` says so. An address that got as many mails as it gets is sent the code once it may
/// get more. No answer tells of that, or whether the address is known.
#[cfg_attr(test, utoipa::path(post, path = "/signups", operation_id = "createSignUp",
    tag = "Sign-ups", params(IdempotencyHeader, OnboardingHeader), request_body = SignUpRequest,
    responses((status = 202, description = "The operation, which goes on with the code.",
            body = Answer<'static>,
            headers(("location" = String, description = "Where the operation is shown.")))),
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
    let is_trapped = request.is_trapped();
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
    if is_trapped {
        tracing::info!("a trapped sign-up is answered and forgotten");
        return Ok(pretend(&adapters, &registration, ids, now));
    }
    // All that home hands over comes from one address, and home knows its callers.
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

/// Shows how far a sign-up is.
///
/// Every step with its state, and what the caller can do. To know the id is the permission.
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
/// Then the tenant is active, or the application is asked for its resources. Once confirmed, it
/// stays so, whatever is sent.
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
    // The tenant goes on even where the pool's trigger did not.
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
    let occasion = adapters.occasion(now);
    let confirmed = adapters.tenants.change(tenant.id, Reach::SIGNUP, |loaded| {
        decide_confirmation(
            &loaded.state,
            &adapters.catalogue,
            &adapters.settings,
            &occasion,
        )
    });
    let state = confirmed.await.map_err(|error| problems::store(&error))?;
    tracing::info!(tenant = %tenant.id, "sign-up confirmed");
    Ok(answer(&adapters, &state.signup.unwrap_or(signup), &state.tenant).into_response())
}

/// Mails another code.
///
/// An address that got as many mails as it gets is sent it once it may get more; the answer does
/// not tell.
#[cfg_attr(test, utoipa::path(post, path = "/signups/{id}/resend",
    operation_id = "resendSignUpCode", tag = "Sign-ups", params(OfSignup),
    responses((status = 202, description = "The operation.", body = Answer<'static>,
            headers(("location" = String, description = "Where the operation is shown.")))),
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

/// Asks the application once more for the tenant's resources.
///
/// Where it failed to make them and the failure is one that passes.
#[cfg_attr(test, utoipa::path(post, path = "/signups/{id}/provisioning",
    operation_id = "retryProvisioning", tag = "Sign-ups", params(OfSignup),
    responses((status = 202, description = "The operation.", body = Answer<'static>,
            headers(("location" = String, description = "Where the operation is shown.")))),
    extensions(("x-problems" = json!(problems![UnknownSignup, NothingToRetry, TenantNotOpen,
        TryAgain])))))]
async fn retry_provisioning(
    State(adapters): State<Arc<Adapters>>,
    Path(id): Path<String>,
    Now(now): Now,
) -> Result<Response, Problem> {
    let (signup, tenant) = find(&adapters, &id).await?;
    let occasion = adapters.occasion(now);
    let retried = adapters.tenants.change(tenant.id, Reach::SIGNUP, |loaded| {
        decide_retry(
            &loaded.state,
            &adapters.catalogue,
            &adapters.settings,
            &occasion,
        )
        .map(Some)
    });
    let state = retried.await.map_err(|error| problems::store(&error))?;
    tracing::info!(tenant = %tenant.id, "provisioning asked for again");
    Ok(accepted(
        &adapters,
        &state.signup.unwrap_or(signup),
        &state.tenant,
        None,
    ))
}

/// Describes this API.
///
/// This document. Public.
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

/// Stores the registration, or finds the one that an earlier request with the same key stored.
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
            let occasion = adapters.occasion(now);
            let made = decide_sign_up(
                registration,
                &adapters.catalogue,
                documents,
                ids,
                &adapters.settings,
                &occasion,
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

/// Makes the administrator's account, and notes that it is made or why it is not. Where its address
/// got as many mails as it gets, the account is made all the same, and the code is noted as owed.
async fn make_account(
    adapters: &Adapters,
    key: &IdempotencyKey,
    signup: Signup,
    registration: &Registration,
    asker: Asker,
    now: Timestamp,
) -> Result<(PasswordHeld, Signup), Problem> {
    let (username, email) = (signup.username, &registration.email);
    let mut owed = adapters.take_mail(email, asker, &key.digest(), now).await?;
    let mailing = if owed.is_some() {
        Mailing::Later
    } else {
        Mailing::AtOnce
    };
    let voucher = adapters.vouch(username, now).await?;
    let made = match adapters
        .identity
        .sign_up(username, email, &registration.password, mailing, &voucher)
        .await
    {
        Ok(Account::Existing) if owed.is_none() => {
            // Who made it may have been cut off before the code was mailed. Of several that find it
            // so at once, one mails the code and notes it; nothing is noted by the others, who have
            // not done it.
            if !adapters.may_mail_again(signup.id, now).await? {
                return Ok((PasswordHeld::Kept, signup));
            }
            mail_again(adapters, username)
                .await
                .map(|()| PasswordHeld::Kept)
        }
        Ok(Account::Existing) => Ok(PasswordHeld::Kept),
        Ok(Account::Unmailed) => Ok(PasswordHeld::Set),
        Ok(Account::Created) => {
            owed = None;
            Ok(PasswordHeld::Set)
        }
        Err(error) => Err(error),
    };
    let outcome = made
        .as_ref()
        .map(|_| owed)
        .map_err(problems::identity_failure);
    let occasion = adapters.occasion(now);
    let noted = adapters
        .tenants
        .change(signup.tenant, Reach::SIGNUP, |loaded| {
            Ok(decide_identity(&loaded.state, outcome.clone(), &occasion))
        });
    let noted = noted.await;
    let password = made.map_err(|error| problems::account(&error, signup.id))?;
    let state = noted.map_err(|error| problems::store(&error))?;
    Ok((password, state.signup.unwrap_or(signup)))
}

/// Mails another code to an account that is made, or notes that the address has to wait for it. The
/// answer does not tell.
async fn mail_code(
    adapters: &Adapters,
    signup: &Signup,
    email: &EmailAddress,
    asker: Asker,
    mark: &KeyDigest,
    now: Timestamp,
) -> Result<(), Problem> {
    let owed = adapters.take_mail(email, asker, mark, now).await?;
    if owed.is_none() {
        adapters
            .identity
            .resend_code(signup.username)
            .await
            .map_err(|error| problems::confirmation(&error))?;
        tracing::info!(tenant = %signup.tenant, "code sent again");
    }
    let noted = adapters
        .tenants
        .change(signup.tenant, Reach::SIGNUP, |loaded| {
            Ok(decide_code_mail(&loaded.state, owed.clone()))
        });
    noted
        .await
        .map(|_| ())
        .map_err(|error| problems::store(&error))
}

/// Mails another code; an account that is confirmed already needs none.
async fn mail_again(adapters: &Adapters, username: Username) -> Result<(), IdentityError> {
    match adapters.identity.resend_code(username).await {
        Err(IdentityError::Refused { .. }) => Ok(()),
        mailed => mailed,
    }
}

/// What a sign-up would be answered that is not stored: whoever fills in a field that no person
/// sees learns nothing from it.
fn pretend(
    adapters: &Adapters,
    registration: &Registration,
    ids: Identifiers,
    now: Timestamp,
) -> Response {
    let documents = &adapters.requirements.documents;
    let occasion = adapters.occasion(now);
    let made = decide_sign_up(
        registration,
        &adapters.catalogue,
        documents,
        ids,
        &adapters.settings,
        &occasion,
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

fn idempotency_key(headers: &HeaderMap) -> Result<IdempotencyKey, Problem> {
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
struct Handover {
    onboarding: OnboardingId,
    /// Whether it is proved that home does.
    is_sealed: bool,
}

/// Home's operation, where home hands the sign-up over: only a region in shared mode takes that.
fn handover(adapters: &Adapters, headers: &HeaderMap) -> Result<Option<Handover>, Problem> {
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
fn identifiers(onboarding: Option<OnboardingId>) -> Result<Identifiers, Problem> {
    let random = || runtime::random_bytes().map_err(|error| Problem::internal(&*error));
    Ok(Identifiers {
        signup: SignupId::from_uuid(uuid::Builder::from_random_bytes(random()?).into_uuid()),
        tenant: TenantId::from_uuid(runtime::new_uuid()),
        alias: Alias::from_random(random()?),
        onboarding,
    })
}
