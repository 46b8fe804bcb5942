//! The accounts that exist in the pool, however they were created.

use crate::Identity;
use crate::error::IdentityError;
use crate::error::unavailable;
use aws_sdk_cognitoidentityprovider::error::SdkError;
use aws_sdk_cognitoidentityprovider::operation::get_user::GetUserError;
use aws_sdk_cognitoidentityprovider::types::UserType;
use tenancy::{EmailAddress, ProviderName};

/// The number of accounts per page: the maximum of Cognito.
const PAGE: i32 = 60;
/// The bound of pages: an address can have one account in each tenant of a region, within reason.
const PAGES_MAX: u32 = 100;

/// The state of an account in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// The account can be used.
    Enabled,
    /// The account was disabled in the pool.
    Disabled,
    /// The account was never created, or was deleted.
    Missing,
}

impl Identity {
    /// The state of the account with this name.
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

    /// Whether an access token is still valid at the pool. It ends when its person signs out
    /// everywhere, or when the account is disabled or deleted. Works for people who sign in at the
    /// pool itself; other tokens lack the required scope (`aws.cognito.signin.user.admin`).
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

    /// The names of all accounts with this address.
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

    /// The names of the accounts that a tenant's own provider authenticates.
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
        // The list is incomplete, and a caller who used it would do half of its work.
        Err(IdentityError::Unavailable { code: None })
    }
}

/// Cognito's response to a token that was revoked, or whose account is disabled or deleted.
fn has_ended<R>(error: &SdkError<GetUserError, R>) -> bool {
    error.as_service_error().is_some_and(|error| {
        error.is_not_authorized_exception() || error.is_user_not_found_exception()
    })
}

/// A quoted value of a filter, with the quotation marks inside it escaped.
fn quoted(value: &str) -> String {
    format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
}
