//! The users of a tenant.

use crate::access::{Caller, Refused};
use crate::accounts::{delete_accounts, reconcile_users, require_other_administrators};
use crate::adapters::{Adapters, store};
use crate::paging::{self, Paging};
use crate::problems::{self, ProblemKind};
use crate::tenant::note_read;
#[cfg(test)]
use crate::tests::openapi::{OfTenant, OfUser, Page, refusals};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use kernel::{Role, Timestamp};
use runtime::http::{Body, Now, Problem};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tenancy::{Actor, AuditAction, User, Username, decide_removal, decide_role};
use tenant_store::LoadOptions;

/// A change of a user.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct UserChange {
    /// The user's new role.
    role: Role,
}

/// A user as an administrator of its tenant sees it. Personal data.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = User))]
struct UserView<'a> {
    id: Username,
    name: &'a str,
    #[cfg_attr(test, schema(format = "email"))]
    email: &'a str,
    role: Role,
    created_at: Timestamp,
    /// Absent until the person has proved to read the address.
    confirmed_at: Option<Timestamp>,
}

/// A page of users.
#[derive(Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
struct UserList<'a> {
    users: Vec<UserView<'a>>,
    /// The cursor of the next page; absent on the last one.
    next_cursor: Option<String>,
}

impl<'a> From<&'a User> for UserView<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: user.username,
            name: user.name.expose(),
            email: user.email.expose(),
            role: user.role,
            created_at: user.created_at,
            confirmed_at: user.confirmed_at,
        }
    }
}

/// Lists the users.
///
/// For administrators.
#[cfg_attr(test, utoipa::path(get, path = "/tenants/{tenant}/users", operation_id = "listUsers",
    tag = "Users", params(OfTenant, Page), security(("person" = [])),
    responses((status = 200, description = "A page of users.", body = UserList<'static>)),
    extensions(("x-problems" = json!(refusals![Use; InvalidFields])))))]
pub(crate) async fn list(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Now(now): Now,
    Paging { cursor, limit }: Paging,
) -> Result<Response, Refused> {
    let reader = caller.scope.reader();
    let mut page = reader
        .list_users(caller.tenant.id, cursor.as_deref(), limit)
        .await
        .map_err(store)?;
    if reconcile_users(&adapters, &caller, cursor.as_deref(), &page.entries, now).await {
        page = reader
            .list_users(caller.tenant.id, cursor.as_deref(), limit)
            .await
            .map_err(store)?;
    }
    note_read(&caller, AuditAction::ListUsers, now).await?;
    let users = page.entries.iter().map(UserView::from).collect();
    Ok(Json(UserList {
        users,
        next_cursor: paging::shown(page.next),
    })
    .into_response())
}

/// Changes a user's role.
///
/// For administrators.
#[cfg_attr(test, utoipa::path(patch, path = "/tenants/{tenant}/users/{user}",
    operation_id = "changeUser", tag = "Users", params(OfUser), request_body = UserChange,
    security(("person" = [])),
    responses((status = 200, description = "The user.", body = UserView<'static>)),
    extensions(("x-problems" = json!(refusals![Change; UnknownUser, LastAdmin])))))]
pub(crate) async fn change(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Path((_, user)): Path<(String, String)>,
    Now(now): Now,
    body: Result<Body<UserChange>, Problem>,
) -> Result<Response, Refused> {
    let Body(UserChange { role }) = body?;
    let user = user.parse().map_err(|_| ProblemKind::UnknownUser)?;
    give_role(&adapters, &caller, user, role, now).await?;
    let user = find(&caller, user).await?;
    Ok(Json(UserView::from(&user)).into_response())
}

/// Removes a user and the user's account.
///
/// For administrators; everybody may remove themselves.
#[cfg_attr(test, utoipa::path(delete, path = "/tenants/{tenant}/users/{user}",
    operation_id = "removeUser", tag = "Users", params(OfUser), security(("person" = [])),
    responses((status = 204, description = "The user is removed.")),
    extensions(("x-problems" = json!(refusals![Change; UnknownUser, LastAdmin,
        AccountNotDeleted])))))]
pub(crate) async fn remove(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Path((_, user)): Path<(String, String)>,
    Now(now): Now,
) -> Result<Response, Refused> {
    // Order: the account is deleted before the user, so that nobody can sign in who is in no list.
    // An administrator becomes a member first: the check for the last administrator then fails
    // before anything is deleted.
    let user: Option<Username> = user.parse().ok();
    if caller.role != Role::Admin && user != Some(caller.username) {
        return Err(ProblemKind::AdminsOnly.into());
    }
    let user = user.ok_or(ProblemKind::UnknownUser)?;
    let account = find(&caller, user).await?;
    give_role(&adapters, &caller, user, Role::Member, now).await?;
    delete_accounts(&adapters, &account).await?;
    let context = adapters.context(now);
    let options = LoadOptions {
        user: Some(user),
        ..LoadOptions::TENANT
    };
    let removed = caller.scope.change(options, |loaded| {
        let user = loaded.user.as_ref();
        user.map(|user| decide_removal(&loaded.state, user, caller.username, &context))
            .transpose()
    });
    removed.await.map_err(store)?;
    // A concurrent sign-in that read the user before the removal may have created the account
    // again.
    let deleted = adapters
        .identity
        .delete_account(&account.account_name())
        .await;
    deleted.map_err(|error| problems::account_not_deleted(&error))?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn give_role(
    adapters: &Adapters,
    caller: &Caller,
    user: Username,
    role: Role,
    now: Timestamp,
) -> Result<(), Problem> {
    require_other_administrators(adapters, caller, user, role, now).await?;
    let (context, by) = (adapters.context(now), Actor::User(caller.username));
    let options = LoadOptions {
        user: Some(user),
        ..LoadOptions::TENANT
    };
    let changed = caller.scope.change(options, |loaded| {
        let user = loaded.user.as_ref();
        user.map_or(Ok(None), |user| {
            decide_role(&loaded.state, user, role, by, &context)
        })
    });
    changed.await.map(|_| ()).map_err(store)
}

/// Finds a user of this tenant. Another tenant's is as unknown as one that does not exist.
async fn find(caller: &Caller, user: Username) -> Result<User, Problem> {
    let user = caller
        .scope
        .reader()
        .load_user_of(caller.tenant.id, user)
        .await
        .map_err(store)?;
    user.ok_or_else(|| ProblemKind::UnknownUser.into())
}
