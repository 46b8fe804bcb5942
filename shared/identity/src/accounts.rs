//! The accounts that the pool really has, however they came to be.

use crate::error::unavailable;
use crate::{Identity, IdentityError};
use aws_sdk_cognitoidentityprovider::error::SdkError;
use aws_sdk_cognitoidentityprovider::operation::get_user::GetUserError;
use aws_sdk_cognitoidentityprovider::types::UserType;
use tenancy::{EmailAddress, ProviderName};

/// How many accounts a page lists: the most that Cognito gives.
const PAGE: i32 = 60;
/// As many pages as an address can have accounts: one in each of a region's tenants, within reason.
const PAGES_MAX: u32 = 100;

/// What the pool has under the name of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// An account that can be used.
    Enabled,
    /// An account that was disabled at the pool.
    Disabled,
    /// Nothing: it was never made, or was deleted.
    Missing,
}

impl Identity {
    /// What the pool has under a name.
    ///
    /// # Errors
    /// When the pool was not reached.
    pub async fn account_state(&self, name: &str) -> Result<AccountState, IdentityError> {
        let got = self
            .client
            .admin_get_user()
            .user_pool_id(&self.user_pool_id)
            .username(name)
            .send()
            .await;
        match got {
            Ok(user) if user.enabled() => Ok(AccountState::Enabled),
            Ok(_) => Ok(AccountState::Disabled),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_user_not_found_exception()) =>
            {
                Ok(AccountState::Missing)
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// Whether an access token still holds at the pool: it does not once its person has signed out
    /// everywhere, or the account is disabled or deleted. Of people who sign in at the pool itself;
    /// the tokens of others lack the scope that the pool wants (`aws.cognito.signin.user.admin`).
    ///
    /// # Errors
    /// When the pool was not reached.
    pub async fn is_in_session(&self, access_token: &str) -> Result<bool, IdentityError> {
        match self
            .client
            .get_user()
            .access_token(access_token)
            .send()
            .await
        {
            Ok(_) => Ok(true),
            Err(error) if has_ended(&error) => Ok(false),
            Err(error) => Err(unavailable(&error)),
        }
    }

    /// The names of the accounts with an address, whatever they are called.
    ///
    /// # Errors
    /// When the pool was not reached.
    pub async fn accounts_with(&self, email: &EmailAddress) -> Result<Vec<String>, IdentityError> {
        let typed = email.expose().to_owned();
        let folded = Some(email.key()).filter(|folded| *folded != typed);
        let mut names = Vec::new();
        for address in std::iter::once(typed).chain(folded) {
            names.extend(
                self.list_accounts(&format!("email = {}", quoted(&address)))
                    .await?,
            );
        }
        names.sort_unstable();
        names.dedup();
        Ok(names)
    }

    /// The names of the accounts for which a tenant's own provider vouches.
    ///
    /// # Errors
    /// When the pool was not reached.
    pub async fn accounts_of_provider(
        &self,
        provider: &ProviderName,
    ) -> Result<Vec<String>, IdentityError> {
        self.list_accounts(&format!("username ^= {}", quoted(&format!("{provider}_"))))
            .await
    }

    async fn list_accounts(&self, filter: &str) -> Result<Vec<String>, IdentityError> {
        let (mut names, mut next) = (Vec::new(), None);
        for _ in 0..PAGES_MAX {
            let listed = self
                .client
                .list_users()
                .user_pool_id(&self.user_pool_id)
                .filter(filter)
                .limit(PAGE);
            let page = listed
                .set_pagination_token(next)
                .send()
                .await
                .map_err(|error| unavailable(&error))?;
            names.extend(
                page.users()
                    .iter()
                    .filter_map(UserType::username)
                    .map(str::to_owned),
            );
            next = page.pagination_token;
            if next.is_none() {
                return Ok(names);
            }
        }
        // Not all of them are known: what is done with the list would be done by halves.
        Err(IdentityError::Unavailable { code: None })
    }
}

/// Cognito answers so to a token that was revoked or whose account is disabled, and to one whose
/// account is gone.
fn has_ended<R>(error: &SdkError<GetUserError, R>) -> bool {
    error.as_service_error().is_some_and(|error| {
        error.is_not_authorized_exception() || error.is_user_not_found_exception()
    })
}

/// A value of a filter: quotation marks within it are escaped.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
