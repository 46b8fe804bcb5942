//! The acceptance of an invitation.

use crate::adapters::Adapters;
use crate::handler::PasswordHeld;
use crate::problems::{self, ProblemKind};
use axum::Json;
use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use identity::Account;
use kernel::{Alias, RegionCode, TenantId, Timestamp};
use runtime::http::{Body, Now, Problem, Source};
use serde::Serialize;
use std::sync::Arc;
use tenancy::{
    Acceptance, AcceptanceRequest, Bearer, Consent, EmailAddress, InvitationCode, PersonName,
    Refusal, User, Username, decide_acceptance, decide_joined, may_complete,
};
use tenant_store::{LoadOptions, TenantStoreError, TenantView};
#[cfg(test)]
use testkit::problems;

/// The tenant that the new user has joined.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct Joined<'a> {
    region: &'a RegionCode,
    /// The alias of the tenant.
    alias: Alias,
    /// The username at the identity provider.
    username: Username,
    /// Whose password the account has.
    password: PasswordHeld,
}

/// Accepts an invitation.
///
/// Creates the account of the person to whom the code was mailed. A person with another account in
/// this region may send its token, and then need not send a name or agree to the same documents
/// again.
#[cfg_attr(test, utoipa::path(post, path = "/invitations/acceptance",
    operation_id = "acceptInvitation", tag = "Sign-ups", request_body = AcceptanceRequest,
    security((), ("person" = [])),
    responses((status = 201, description = "The account is created.", body = Joined<'static>)),
    extensions(("x-problems" = json!(problems![UnknownBearer, NoInvitation, InvitedAccountRefused,
        TenantNotOpen, InvalidFields, WeakPassword, TooManyRequests, InvitedAccountNotMade,
        TryAgain])))))]
pub(crate) async fn accept(
    State(adapters): State<Arc<Adapters>>,
    headers: HeaderMap,
    Now(now): Now,
    source: Source,
    Body(request): Body<AcceptanceRequest>,
) -> Result<Response, Problem> {
    // Order: the user is stored before the account is created. The code proves that the person
    // reads the address, so the account needs no other confirmation.
    let known = known_person(&adapters, &headers, now).await?;
    let code = request
        .code
        .as_deref()
        .and_then(|code| code.parse::<InvitationCode>().ok());
    let code = code.ok_or(ProblemKind::NoInvitation)?;
    let requirements = &adapters.requirements;
    let has_agreed = known
        .as_ref()
        .is_some_and(|user| requirements.documents.are_agreed(&user.consents));
    let acceptance = request
        .validate(requirements, has_agreed)
        .map_err(|fields| problems::invalid_fields(&fields, &requirements.documents))?;
    adapters.limit_source(&source, &code.digest(), now).await?;
    let person = person(&adapters, &acceptance, known, now)?;
    let (tenant, user) = join(&adapters, &code, person, now).await?;
    // An existing account was created by an earlier request that could not store so.
    let made = adapters
        .identity
        .create_proved(user.username, &user.email, &acceptance.password)
        .await;
    let password = match made.map_err(|error| problems::account_of_invited(&error))? {
        Account::Existing => PasswordHeld::Kept,
        Account::Created | Account::Unmailed => PasswordHeld::Set,
    };
    let context = adapters.context(now);
    let options = LoadOptions {
        user: Some(user.username),
        ..LoadOptions::TENANT
    };
    let noted = adapters
        .tenants
        .change(tenant, options, |loaded: &TenantView| {
            let user = loaded.user.as_ref().ok_or(Refusal::NoInvitation)?;
            Ok(decide_joined(&loaded.state, user, &context))
        });
    let noted = noted.await;
    if matches!(noted, Err(TenantStoreError::Refused(Refusal::NoInvitation))) {
        // The user was removed or erased while the account was created: the account must not stay.
        let deleted = adapters.identity.delete_account(&user.account_name()).await;
        deleted.map_err(|error| problems::account_of_invited(&error))?;
    }
    let state = noted.map_err(|error| problems::store(&error))?;
    tracing::info!(%tenant, "invitation accepted");
    let joined = Joined {
        region: &adapters.region,
        alias: state.tenant.alias,
        username: user.username,
        password,
    };
    Ok((StatusCode::CREATED, Json(joined)).into_response())
}

/// The person who joins: a name, consents, and for a known person the address that the invitation
/// must be for.
struct Person {
    name: PersonName,
    consents: Vec<Consent>,
    email: Option<EmailAddress>,
}

/// The user of this region whose token is sent, if there is one.
async fn known_person(
    adapters: &Adapters,
    headers: &HeaderMap,
    now: Timestamp,
) -> Result<Option<User>, Problem> {
    if !headers.contains_key(AUTHORIZATION) {
        return Ok(None);
    }
    let Bearer { username, .. } = adapters.tokens.verify_claims(headers, now).await?;
    let user = adapters
        .tenants
        .reader()
        .load_user(username)
        .await
        .map_err(|error| problems::store(&error))?;
    user.filter(|user| user.confirmed_at.is_some())
        .map(Some)
        .ok_or_else(|| ProblemKind::UnknownBearer.into())
}

fn person(
    adapters: &Adapters,
    acceptance: &Acceptance,
    known: Option<User>,
    now: Timestamp,
) -> Result<Person, Problem> {
    let documents = &adapters.requirements.documents;
    match (known, acceptance.name.clone()) {
        (Some(user), name) => {
            let agreed = documents.are_agreed(&user.consents);
            let consents = if agreed {
                user.consents
            } else {
                documents.agreed_at(now)
            };
            Ok(Person {
                name: name.unwrap_or(user.name),
                consents,
                email: Some(user.email),
            })
        }
        (None, Some(name)) => Ok(Person {
            name,
            consents: documents.agreed_at(now),
            email: None,
        }),
        (None, None) => Err(ProblemKind::NoInvitation.into()),
    }
}

/// Stores the user, or finds the one that an earlier, interrupted request with the same code
/// stored.
async fn join(
    adapters: &Adapters,
    code: &InvitationCode,
    person: Person,
    now: Timestamp,
) -> Result<(TenantId, User), Problem> {
    let reader = adapters.tenants.reader();
    let store = |error: TenantStoreError| problems::store(&error);
    let invitation = reader
        .load_invitation(code.invitation())
        .await
        .map_err(store)?;
    let Some(invitation) = invitation else {
        let username = Username::of_invitation(code.invitation());
        let user = reader.load_user(username).await.map_err(store)?;
        let user = user
            .filter(|user| may_complete(user, code, now))
            .ok_or(ProblemKind::NoInvitation)?;
        return Ok((user.tenant, user));
    };
    if person
        .email
        .as_ref()
        .is_some_and(|email| email.key() != invitation.email.key())
    {
        return Err(ProblemKind::NoInvitation.into());
    }
    let context = adapters.context(now);
    let options = LoadOptions {
        invitation: Some(invitation.id),
        user: invitation.inviter(),
        ..LoadOptions::TENANT
    };
    let joined = adapters
        .tenants
        .change(invitation.tenant, options, |loaded: &TenantView| {
            let open = loaded.invitation.as_ref().ok_or(Refusal::NoInvitation)?;
            let (name, consents) = (person.name.clone(), person.consents.clone());
            decide_acceptance(
                &loaded.state,
                open,
                loaded.user.as_ref(),
                code,
                name,
                consents,
                &context,
            )
            .map(Some)
        });
    let tenant = joined.await.map_err(store)?.tenant;
    let username = Username::of(&tenant.alias, &invitation.email);
    let user = reader
        .load_user(username)
        .await
        .map_err(store)?
        .ok_or(ProblemKind::NoInvitation)?;
    Ok((tenant.id, user))
}
