//! Looks an unknown account up where its tenant was before.

use crate::adapters::Adapters;
use crate::event::{Asked, MigrateUser};
use identity::IdentityError;
use runtime::Failure;
use std::time::Duration;
use tenancy::{EmailAddress, Origin, Password, Realm, Username};
use tenant_store::TenantStoreError;

/// How long a former pool may take: Cognito gives a trigger five seconds in all.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Answers with the account to make, for a confirmed member of a tenant that came from another
/// pool: at sign-in only by the password that the former pool knows, and without one for who has
/// forgotten it, since the code that follows goes to the member's address. Everybody else is
/// refused, all alike.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: MigrateUser,
) -> Result<MigrateUser, Failure> {
    let Some(asked) = event.asked() else {
        return Ok(refuse(event));
    };
    let found = adapters
        .member(asked.username)
        .await
        .map_err(|error| Failure::of("TenantUnavailable", &error))?;
    let Some((email, realm)) = found else {
        return Ok(refuse(event));
    };
    if !adapters.is_proved(&realm, &asked).await? {
        return Ok(refuse(event));
    }
    tracing::info!(from = %realm.region, "took over an account");
    Ok(event.taken_over(&email))
}

impl Adapters {
    /// The address of a confirmed member, and the pool that the tenant's accounts were in.
    async fn member(
        &self,
        username: Username,
    ) -> Result<Option<(EmailAddress, Realm)>, TenantStoreError> {
        let Some(membership) = self.tenants.load_membership(username).await? else {
            return Ok(None);
        };
        // Whom a tenant's own provider vouches for has no password, neither here nor there.
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

    /// Whether the former pool knows the password; who has forgotten it will prove to read the
    /// mail.
    async fn is_proved(&self, realm: &Realm, asked: &Asked) -> Result<bool, Failure> {
        match &asked.password {
            Some(password) => self.knows(realm, asked.username, password).await,
            None => Ok(true),
        }
    }

    async fn knows(
        &self,
        realm: &Realm,
        username: Username,
        password: &Password,
    ) -> Result<bool, Failure> {
        let asked =
            tokio::time::timeout(ANSWER_TIMEOUT, self.former.knows(realm, username, password))
                .await;
        let answered = asked.unwrap_or(Err(IdentityError::Unavailable { code: None }));
        answered.map_err(|error| Failure::of("FormerPoolUnavailable", &error))
    }
}

fn refuse(event: MigrateUser) -> MigrateUser {
    tracing::info!("no account to take over");
    event.refused()
}
