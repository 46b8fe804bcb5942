//! The users of a tenant.

use crate::access::{Caller, Refused};
use crate::accounts::{delete_accounts, reconcile_users, require_other_administrators};
use crate::adapters::{Adapters, store};
use crate::paging::{self, Paging};
use crate::problems;
use crate::tenant::note_read;
#[cfg(test)]
use crate::tests::openapi::said;
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

/// `GET /tenants/{tenant}/users`
#[cfg_attr(test, utoipa::path(
    get,
    path = "/tenants/{tenant}/users",
    tag = "Users",
    operation_id = "listUsers",
    summary = "Lists the users",
    description = "For administrators.",
    params(
        ("tenant" = kernel::TenantId, Path, description = "The tenant."),
        ("limit" = Option<u8>, Query, minimum = 1, maximum = 100, description = "How many at most; 50 if absent."),
        ("cursor" = Option<String>, Query, max_length = 64, description = "The `next_cursor` of an earlier answer."),
    ),
    security(("person" = [])),
    responses(
        (status = 200, description = "A page of users.", body = UserList<'static>),
        (status = 403, description = said::NOT_ALLOWED),
        (status = 404, description = said::UNKNOWN_TENANT),
        (status = 409, description = said::NOT_IN_USE),
        (status = 422, description = "`invalid-fields`: the member `fields` says which."),
        (status = 503, description = said::BUSY),
    ),
))]
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

/// `PATCH /tenants/{tenant}/users/{user}`
#[cfg_attr(test, utoipa::path(
    patch,
    path = "/tenants/{tenant}/users/{user}",
    tag = "Users",
    operation_id = "changeUser",
    summary = "Changes a user's role",
    description = "For administrators.",
    params(
        ("tenant" = kernel::TenantId, Path, description = "The tenant."),
        ("user" = Username, Path, description = "The user."),
    ),
    request_body = UserChange,
    security(("person" = [])),
    responses(
        (status = 200, description = "The user.", body = UserView<'static>),
        (status = 403, description = said::NOT_ALLOWED),
        (status = 404, description = format!("{} {}", said::UNKNOWN_TENANT, said::UNKNOWN_USER)),
        (status = 409, description = format!("{} {}", said::NOT_NOW, said::LAST_ADMIN)),
        (status = 503, description = said::BUSY),
    ),
))]
pub(crate) async fn change(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Path((_, user)): Path<(String, String)>,
    Now(now): Now,
    body: Result<Body<UserChange>, Problem>,
) -> Result<Response, Refused> {
    let Body(UserChange { role }) = body?;
    let user = user.parse().map_err(|_| problems::unknown_user())?;
    give_role(&adapters, &caller, user, role, now).await?;
    let user = find(&caller, user).await?;
    Ok(Json(UserView::from(&user)).into_response())
}

/// `DELETE /tenants/{tenant}/users/{user}`: the account goes before the user, so that nobody is
/// left who can sign in and is in no list. An administrator becomes a member first: that is where
/// it shows whether it is the last one, before anything is gone.
#[cfg_attr(test, utoipa::path(
    delete,
    path = "/tenants/{tenant}/users/{user}",
    tag = "Users",
    operation_id = "removeUser",
    summary = "Removes a user, with the account",
    description = "For administrators; everybody may remove themselves.",
    params(
        ("tenant" = kernel::TenantId, Path, description = "The tenant."),
        ("user" = Username, Path, description = "The user."),
    ),
    security(("person" = [])),
    responses(
        (status = 204, description = "The user is removed."),
        (status = 403, description = said::NOT_ALLOWED),
        (status = 404, description = format!("{} {}", said::UNKNOWN_TENANT, said::UNKNOWN_USER)),
        (status = 409, description = format!("{} {}", said::NOT_NOW, said::LAST_ADMIN)),
        (status = 503, description = format!("{} {}", said::BUSY, said::NOT_DELETED)),
    ),
))]
pub(crate) async fn remove(
    State(adapters): State<Arc<Adapters>>,
    Extension(caller): Extension<Caller>,
    Path((_, user)): Path<(String, String)>,
    Now(now): Now,
) -> Result<Response, Refused> {
    let user: Option<Username> = user.parse().ok();
    if caller.role != Role::Admin && user != Some(caller.username) {
        return Err(problems::admins_only().into());
    }
    let user = user.ok_or_else(problems::unknown_user)?;
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
    user.ok_or_else(problems::unknown_user)
}
