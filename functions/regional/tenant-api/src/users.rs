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

/// What can be changed of a user.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
pub(crate) struct UserChange {
    /// What the user is from now on.
    role: Role,
}

/// A user as an administrator of its tenant sees it. Personal.
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
    /// Where the next page begins, unless this is the last.
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

/// Removes a user, with the account.
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
    // The account goes before the user, so that nobody is left who can sign in and is in no list.
    // An administrator becomes a member first: that is where it shows whether it is the last one,
    // before anything is gone.
    let user: Option<Username> = user.parse().ok();
    if caller.role != Role::Admin && user != Some(caller.username) {
        return Err(ProblemKind::AdminsOnly.into());
    }
    let user = user.ok_or(ProblemKind::UnknownUser)?;
    let account = find(&caller, user).await?;
    give_role(&adapters, &caller, user, Role::Member, now).await?;
    delete_accounts(&adapters, &account).await?;
    let context = adapters.context(now);
    let reach = LoadOptions {
        user: Some(user),
        ..LoadOptions::TENANT
    };
    let removed = caller.scope.change(reach, |loaded| {
        let user = loaded.user.as_ref();
        user.map(|user| decide_removal(&loaded.state, user, caller.username, &context))
            .transpose()
    });
    removed.await.map_err(store)?;
    // Who read the user just before it went may have made the account since.
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
    let reach = LoadOptions {
        user: Some(user),
        ..LoadOptions::TENANT
    };
    let changed = caller.scope.change(reach, |loaded| {
        let user = loaded.user.as_ref();
        user.map_or(Ok(None), |user| {
            decide_role(&loaded.state, user, role, by, &context)
        })
    });
    changed.await.map(|_| ()).map_err(store)
}

/// A user of this tenant: one of another is as unknown as one that does not exist.
async fn find(caller: &Caller, user: Username) -> Result<User, Problem> {
    let user = caller
        .scope
        .reader()
        .load_user_of(caller.tenant.id, user)
        .await
        .map_err(store)?;
    user.ok_or_else(|| ProblemKind::UnknownUser.into())
}
