//! Looks up an unknown account in the pool where its tenant was before.

use crate::adapters::Adapters;
use crate::event::{AccountRequest, MigrateUser};
use identity::IdentityError;
use runtime::Failure;
use std::time::Duration;
use tenancy::{EmailAddress, Origin, Password, Realm, Username};
use tenant_store::TenantStoreError;

/// The time limit of a former pool: Cognito gives a trigger five seconds in all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Returns the account to create, for a confirmed member of a tenant from another pool. At sign-in
/// the former pool has to accept the password. A forgotten password needs none, because the code
/// that follows is mailed to the member's address. Everybody else gets the same refusal.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: MigrateUser,
) -> Result<MigrateUser, Failure> {
    let Some(request) = event.account_request() else {
        return Ok(refuse(event));
    };
    let found = adapters
        .member(request.username)
        .await
        .map_err(|error| Failure::of("TenantUnavailable", &error))?;
    let Some((email, realm)) = found else {
        return Ok(refuse(event));
    };
    if !adapters.is_proved(&realm, &request).await? {
        return Ok(refuse(event));
    }
    tracing::info!(from = %realm.region, "took over an account");
    Ok(event.taken_over(&email))
}

impl Adapters {
    /// The address of a confirmed member, and the pool where the tenant's accounts were before.
    async fn member(
        &self,
        username: Username,
    ) -> Result<Option<(EmailAddress, Realm)>, TenantStoreError> {
        let Some(membership) = self.tenants.load_membership(username).await? else {
            return Ok(None);
        };
        // A person of a tenant's own provider has no password in either pool.
        if membership.confirmed_at.is_none() || matches!(membership.origin, Origin::Federation) {
            return Ok(None);
        }
        let tenant = self.tenants.load_tenant(membership.tenant).await?;
        let Some(realm) = tenant.and_then(|tenant| tenant.previous) else {
            return Ok(None);
        };
        let user = self
            .tenants
            .load_user_of(membership.tenant, username)
            .await?;
        Ok(user.map(|user| (user.email, realm)))
    }

    /// Whether the former pool accepts the password. A person who has forgotten it proves to read
    /// the mail instead.
    async fn is_proved(&self, realm: &Realm, request: &AccountRequest) -> Result<bool, Failure> {
        match &request.password {
            Some(password) => self.knows(realm, request.username, password).await,
            None => Ok(true),
        }
    }

    async fn knows(
        &self,
        realm: &Realm,
        username: Username,
        password: &Password,
    ) -> Result<bool, Failure> {
        let answer =
            tokio::time::timeout(ANSWER_TIMEOUT, self.former.knows(realm, username, password))
                .await;
        let answer = answer.unwrap_or(Err(IdentityError::Unavailable { code: None }));
        answer.map_err(|error| Failure::of("FormerPoolUnavailable", &error))
    }
}

fn refuse(event: MigrateUser) -> MigrateUser {
    tracing::info!("no account to take over");
    event.refused()
}
