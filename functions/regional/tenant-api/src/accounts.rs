//! Comparison of the region's user pool with a tenant's users. People can delete their own accounts
//! with nothing but their token, and so can anybody who administers the pool. No trigger reports
//! it, so the pool is checked where it matters.

use crate::access::Caller;
use crate::adapters::{Adapters, TenantScope, store};
use crate::problems::{self, ProblemKind};
use futures::stream::{StreamExt as _, iter};
use identity::{AccountState, Identity, IdentityError};
use kernel::{Role, TenantId, Timestamp};
use runtime::http::{Client, Problem, invalid_token};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tenancy::{Origin, Tenant, User, Username, decide_lost};
use tenant_store::LoadOptions;

/// The accounts that are requested at once. The pool answers 120 such requests a second in all
/// (Amazon Cognito quotas, category `UserRead`).
const CHECKS_AT_ONCE: usize = 8;
/// The most administrators of a tenant that are checked.
const ADMINISTRATORS_MAX: usize = 50;
/// The interval between checks of the same page: what a tenant is shown is never older.
const CHECK_INTERVAL_S: i64 = 60;
/// How long an account may be missing after its user was confirmed, in seconds. Cognito creates the
/// account of a federated user only after Meridian has stored the user.
const CREATED_WITHIN_S: i64 = 600;
/// The delay before a missing account is requested once more.
const RETRY_DELAY: Duration = Duration::from_secs(1);
/// The most checks that are remembered. All are dropped then, which costs some checks more.
const CHECKS_MAX: usize = 10_000;

/// When this process last checked tenants against the pool.
#[derive(Debug, Default)]
pub(crate) struct PoolChecks(Mutex<HashMap<(TenantId, Option<String>), Timestamp>>);

impl PoolChecks {
    /// Whether a tenant's administrators, or a page of its users, are due for a check. Records the
    /// check as done.
    fn is_due(&self, tenant: TenantId, page: Option<&str>, now: Timestamp) -> bool {
        let mut checks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if checks.len() >= CHECKS_MAX {
            checks.clear();
        }
        let last = checks.insert((tenant, page.map(str::to_owned)), now);
        last.is_none_or(|last| now.as_second() - last.as_second() >= CHECK_INTERVAL_S)
    }
}

/// Makes sure that a person's token is still valid at the pool. The token itself does not show that
/// the person has signed out everywhere since, or that the account was disabled or deleted.
///
/// # Errors
/// 401 where the token is not valid any more; 503 when the pool does not answer.
pub(crate) async fn require_session(
    adapters: &Adapters,
    client: &Client,
    caller: &Caller,
    access_token: &str,
) -> Result<(), Problem> {
    let holds = match client {
        Client::Named => adapters.identity.is_in_session(access_token).await,
        // The pool does not accept the token of a federated client for this request. The state of
        // the account is the next best proof.
        Client::Other(_) => {
            let user = find(&caller.scope, caller.tenant.id, caller.username).await?;
            let state = adapters.identity.account_state(&user.account_name()).await;
            state.map(|state| state == AccountState::Enabled)
        }
    };
    if holds.map_err(|error| problems::pool_unavailable(&error))? {
        Ok(())
    } else {
        Err(invalid_token())
    }
}

/// Removes the administrators whose accounts are gone, unless they were checked within the last
/// minute. Returns whether there were any. Where the pool does not answer, the stored users are
/// shown.
pub(crate) async fn reconcile_administrators(
    adapters: &Adapters,
    caller: &Caller,
    now: Timestamp,
) -> bool {
    let tenant = caller.tenant.id;
    if !adapters.checks.is_due(tenant, None, now) {
        return false;
    }
    let removed = remove_lost_administrators(adapters, caller, now).await;
    note_failure(tenant, removed)
}

/// As [`reconcile_administrators`], for the page of users after `cursor`.
pub(crate) async fn reconcile_users(
    adapters: &Adapters,
    caller: &Caller,
    cursor: Option<&str>,
    users: &[User],
    now: Timestamp,
) -> bool {
    let tenant = &caller.tenant;
    if !adapters
        .checks
        .is_due(tenant.id, Some(cursor.unwrap_or_default()), now)
    {
        return false;
    }
    let removed = remove_lost(adapters, &caller.scope, tenant, users, now).await;
    note_failure(tenant.id, removed)
}

/// Removes the administrators whose accounts are gone.
///
/// # Errors
/// When the pool or the table does not answer.
pub(crate) async fn remove_lost_administrators(
    adapters: &Adapters,
    caller: &Caller,
    now: Timestamp,
) -> Result<bool, Problem> {
    let (scope, tenant) = (&caller.scope, &caller.tenant);
    let administrators = scope
        .reader()
        .load_administrators(tenant.id, ADMINISTRATORS_MAX)
        .await
        .map_err(store)?;
    remove_lost(adapters, scope, tenant, &administrators, now).await
}

/// Removes those of a tenant's users whose accounts are gone. Returns whether there were any.
///
/// # Errors
/// When the pool or the table does not answer.
pub(crate) async fn remove_lost(
    adapters: &Adapters,
    scope: &TenantScope,
    tenant: &Tenant,
    users: &[User],
    now: Timestamp,
) -> Result<bool, Problem> {
    // After a move from another pool, an account is created at its person's next sign-in.
    if tenant.previous.is_some() {
        return Ok(false);
    }
    let mut checks = Vec::with_capacity(users.len());
    for user in users {
        if is_made(user, now) {
            checks.push(check_account(
                &adapters.identity,
                user.username,
                user.account_name(),
            ));
        }
    }
    let mut answers = iter(checks).buffer_unordered(CHECKS_AT_ONCE);
    let mut lost = Vec::new();
    while let Some(answer) = answers.next().await {
        let (username, state) = answer.map_err(|error| problems::pool_unavailable(&error))?;
        lost.extend((state == AccountState::Missing).then_some(username));
    }
    for username in &lost {
        let context = adapters.context(now);
        let options = LoadOptions {
            user: Some(*username),
            ..LoadOptions::TENANT
        };
        let removed = scope.change(options, |loaded| {
            Ok(loaded
                .user
                .as_ref()
                .map(|user| decide_lost(&loaded.state, user, &context)))
        });
        removed.await.map_err(store)?;
        tracing::warn!(tenant = %tenant.id, "removed a user whose account is gone");
    }
    Ok(!lost.is_empty())
}

/// Deletes every account of a user: the one with the user's own name, and each other account with
/// the address that belongs to no other user.
///
/// # Errors
/// When the pool or the table does not answer.
pub(crate) async fn delete_accounts(adapters: &Adapters, user: &User) -> Result<(), Problem> {
    let unavailable = |error: IdentityError| problems::account_not_deleted(&error);
    let found = adapters
        .identity
        .accounts_with(&user.email)
        .await
        .map_err(unavailable)?;
    let strays = adapters
        .own
        .reader()
        .strays(user, found)
        .await
        .map_err(store)?;
    for name in std::iter::once(user.account_name()).chain(strays) {
        adapters
            .identity
            .delete_account(&name)
            .await
            .map_err(unavailable)?;
    }
    Ok(())
}

/// Makes sure that a tenant keeps an administrator who can sign in. An administrator who gives up
/// the role leaves it to the others, so their accounts have to exist. The caller who changes
/// somebody else's role has an account, as the token proves.
///
/// # Errors
/// When the pool or the table does not answer.
pub(crate) async fn require_other_administrators(
    adapters: &Adapters,
    caller: &Caller,
    user: Username,
    role: Role,
    now: Timestamp,
) -> Result<(), Problem> {
    if role == Role::Member && user == caller.username && caller.role == Role::Admin {
        remove_lost_administrators(adapters, caller, now).await?;
    }
    Ok(())
}

/// Whether a user's account has to exist. Accounts of people who prove their address at the pool
/// are created before the user is confirmed.
fn is_made(user: &User, now: Timestamp) -> bool {
    let created_within_s = if user.origin == Origin::Federation {
        CREATED_WITHIN_S
    } else {
        0
    };
    user.confirmed_at
        .is_some_and(|confirmed_at| now.as_second() - confirmed_at.as_second() >= created_within_s)
}

/// The state of a user's account. A missing one is requested twice: Cognito does not promise that a
/// read sees an account that was created just before.
async fn check_account(
    identity: &Identity,
    username: Username,
    account: String,
) -> Result<(Username, AccountState), IdentityError> {
    let mut state = identity.account_state(&account).await?;
    if state == AccountState::Missing {
        tokio::time::sleep(RETRY_DELAY).await;
        state = identity.account_state(&account).await?;
    }
    Ok((username, state))
}

async fn find(scope: &TenantScope, tenant: TenantId, username: Username) -> Result<User, Problem> {
    let user = scope
        .reader()
        .load_user_of(tenant, username)
        .await
        .map_err(store)?;
    user.ok_or_else(|| ProblemKind::UnknownBearer.into())
}

/// Logs a check that failed. The stored users stay, and the next check follows.
fn note_failure(tenant: TenantId, removed: Result<bool, Problem>) -> bool {
    removed.unwrap_or_else(|problem| {
        tracing::warn!(%tenant, slug = problem.slug(), "the tenant's users were not checked against the user pool");
        false
    })
}
