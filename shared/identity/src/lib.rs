//! The Cognito adapter.
//!
//! Invariant: nothing that Cognito says in its own words gets out, since its messages may quote what they
//! refuse: an error is one of a few variants, with the exception's code at most. Stores nothing itself.

mod error;

pub use error::IdentityError;

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::{AttributeType, UserStatusType};
use error::{classify, unavailable};
use tenancy::{EmailAddress, Password, Username};

/// The user pool of a region.
#[derive(Debug, Clone)]
pub struct Identity {
    client: Client,
    user_pool_id: String,
    client_id: String,
}

/// What came of asking for an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// It was made, and a code was mailed to its address.
    Created,
    /// It was there already; it stays as it is, its password included.
    Existing,
}

impl Identity {
    /// A user pool, by the client that people use.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, user_pool_id: String, client_id: String) -> Self {
        Self { client: Client::new(config), user_pool_id, client_id }
    }

    /// Makes an account, whose address is its only attribute. Made twice, it is made once.
    ///
    /// # Errors
    /// When the pool refuses or was not reached.
    pub async fn sign_up(
        &self,
        username: Username,
        email: &EmailAddress,
        password: &Password,
    ) -> Result<Account, IdentityError> {
        let email = AttributeType::builder().name("email").value(email.expose()).build();
        let sent = self
            .client
            .sign_up()
            .client_id(&self.client_id)
            .username(username.to_string())
            .password(password.expose())
            .user_attributes(email.map_err(|_| IdentityError::Unavailable { code: None })?)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Account::Created),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_username_exists_exception()) => {
                Ok(Account::Existing)
            }
            Err(error) => Err(classify(&error)),
        }
    }

    /// Confirms the address of an account by the code that was mailed to it. An account that is confirmed
    /// already, or was just now although the trigger that follows failed, counts as confirmed.
    ///
    /// # Errors
    /// When the code is wrong or expired, or the pool was not reached.
    pub async fn confirm(&self, username: Username, code: &str) -> Result<(), IdentityError> {
        let sent = self
            .client
            .confirm_sign_up()
            .client_id(&self.client_id)
            .username(username.to_string())
            .confirmation_code(code)
            .send()
            .await;
        let Err(error) = sent else { return Ok(()) };
        match classify(&error) {
            // Cognito's message would say whether the account is confirmed, but only in prose.
            refused @ IdentityError::Refused { .. } => {
                if self.is_confirmed(username).await? {
                    Ok(())
                } else {
                    Err(refused)
                }
            }
            other => Err(other),
        }
    }

    async fn is_confirmed(&self, username: Username) -> Result<bool, IdentityError> {
        let got =
            self.client.admin_get_user().user_pool_id(&self.user_pool_id).username(username.to_string()).send().await;
        match got {
            Ok(user) => Ok(user.user_status() == Some(&UserStatusType::Confirmed)),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_user_not_found_exception()) => Ok(false),
            Err(error) => Err(unavailable(&error)),
        }
    }
}

#[cfg(test)]
mod tests;
