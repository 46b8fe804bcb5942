//! What the region's user pool has of a tenant's users. People can delete their own accounts there
//! with nothing but their token, and so can whoever administers the pool: no trigger tells of it,
//! so it is looked at where it matters.

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

/// How many accounts are asked for at once: the pool answers 120 such questions a second in all
/// (Amazon Cognito quotas, category `UserRead`).
const QUESTIONS_AT_ONCE: usize = 8;
/// How many of a tenant's administrators are looked at.
const ADMINISTRATORS_MAX: usize = 50;
/// A look is as good as another for so long: what a tenant is shown is never older.
const LOOK_AGAIN_S: i64 = 60;
/// An account that a tenant's own provider vouches for is made just after its user. Before that it
/// is not missing.
const MADE_WITHIN_S: i64 = 600;
/// When an account that is missing is asked for once more.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How many looks are remembered before all are forgotten.
const LOOKS_MAX: usize = 10_000;

/// When tenants were looked at by this process.
#[derive(Debug, Default)]
pub(crate) struct Looks(Mutex<HashMap<(TenantId, Option<String>), Timestamp>>);

impl Looks {
    /// Whether it is time to look at a tenant's administrators, or at a page of its users, and
    /// notes that it is done.
    fn is_due(&self, tenant: TenantId, page: Option<&str>, now: Timestamp) -> bool {
        let mut looks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if looks.len() >= LOOKS_MAX {
            looks.clear();
        }
        let last = looks.insert((tenant, page.map(str::to_owned)), now);
        last.is_none_or(|last| now.as_second() - last.as_second() >= LOOK_AGAIN_S)
    }
}

/// Makes sure that a person's token still holds at the pool, which knows what the token itself does
/// not say: that the person has signed out everywhere since, or that the account is disabled or
/// gone.
///
/// # Errors
/// 401 where it does not hold; 503 when the pool does not answer.
pub(crate) async fn require_session(
    adapters: &Adapters,
    client: &Client,
    caller: &Caller,
    access_token: &str,
) -> Result<(), Problem> {
    let holds = match client {
        Client::Named => adapters.identity.is_in_session(access_token).await,
        // The pool answers nobody by such a token: it says at least whether the account can be
        // used.
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

/// Removes the administrators whose accounts are gone, unless that was looked at within the minute,
/// and says whether there were any. Where the pool does not answer, what is stored is shown.
pub(crate) async fn reconcile_administrators(
    adapters: &Adapters,
    caller: &Caller,
    now: Timestamp,
) -> bool {
    let tenant = caller.tenant.id;
    if !adapters.looks.is_due(tenant, None, now) {
        return false;
    }
    let removed = remove_lost_administrators(adapters, caller, now).await;
    note_failure(tenant, removed)
}

/// The same for a page of users, which begins after `cursor`.
pub(crate) async fn reconcile_users(
    adapters: &Adapters,
    caller: &Caller,
    cursor: Option<&str>,
    users: &[User],
    now: Timestamp,
) -> bool {
    let tenant = &caller.tenant;
    if !adapters
        .looks
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

/// Removes those of a tenant's users whose accounts are gone, and says whether there were any.
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
    // Where a tenant has come from another pool, an account follows at its person's next sign-in.
    if tenant.previous.is_some() {
        return Ok(false);
    }
    let mut asked = Vec::with_capacity(users.len());
    for user in users {
        if is_made(user, now) {
            asked.push(look(&adapters.identity, user.username, user.account_name()));
        }
    }
    let mut answers = iter(asked).buffer_unordered(QUESTIONS_AT_ONCE);
    let mut lost = Vec::new();
    while let Some(answer) = answers.next().await {
        let (username, state) = answer.map_err(|error| problems::pool_unavailable(&error))?;
        lost.extend((state == AccountState::Missing).then_some(username));
    }
    for username in &lost {
        let context = adapters.context(now);
        let reach = LoadOptions {
            user: Some(*username),
            ..LoadOptions::TENANT
        };
        let removed = scope.change(reach, |loaded| {
            Ok(loaded
                .user
                .as_ref()
                .map(|user| decide_lost(&loaded.state, user, &context)))
        });
        removed.await.map_err(store)?;
        tracing::warn!(tenant = %tenant.id, "a user's account is gone, and so is the user");
    }
    Ok(!lost.is_empty())
}

/// Deletes every account of a user: the one of the user's own name, and whatever else has the
/// address and is nobody else's.
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

/// Makes sure that a tenant is not left without an administrator who can get in: where somebody
/// gives up being one, the others have to have accounts. Who does it to somebody else has one, by
/// the token.
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

/// Whether a user's account has to be there. Of people who prove their address at the pool it is
/// made before.
fn is_made(user: &User, now: Timestamp) -> bool {
    let made_within_s = if user.origin == Origin::Federation {
        MADE_WITHIN_S
    } else {
        0
    };
    user.confirmed_at
        .is_some_and(|confirmed_at| now.as_second() - confirmed_at.as_second() >= made_within_s)
}

/// What the pool has of a user. Whoever is missing is asked for twice: Cognito does not promise
/// that a read sees what was made just before.
async fn look(
    identity: &Identity,
    username: Username,
    account: String,
) -> Result<(Username, AccountState), IdentityError> {
    let mut state = identity.account_state(&account).await?;
    if state == AccountState::Missing {
        tokio::time::sleep(ASK_AGAIN_AFTER).await;
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

/// A look that failed leaves what is stored, and is told in the log; there will be another.
fn note_failure(tenant: TenantId, removed: Result<bool, Problem>) -> bool {
    removed.unwrap_or_else(|problem| {
        tracing::warn!(%tenant, slug = problem.slug(), "the user pool was not compared with the tenant's users");
        false
    })
}
