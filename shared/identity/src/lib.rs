//! The Cognito adapter.
//!
//! Invariant: no text of Cognito leaves this crate, since its messages may quote the value that
//! they refuse. An error is one of a few variants, with at most the exception's code. The crate
//! stores nothing.

mod accounts;
mod clients;
mod error;
mod previous;

pub use accounts::AccountState;
pub use clients::{ClientSecret, Credentials};
pub use error::{IdentityError, MAIL_WITHHELD, TRIGGER_REFUSALS};
pub use previous::FormerPools;

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::{AttributeType, MessageActionType, UserStatusType};
use error::{classify, unavailable};
use std::collections::HashMap;
use tenancy::{EmailAddress, Password, Username, Voucher};

/// The user pool of a region.
#[derive(Debug, Clone)]
pub struct Identity {
    client: Client,
    user_pool_id: String,
    client_id: String,
}

/// The result of creating an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// The account was created, and a code was mailed to its address.
    Created,
    /// The account was created, and its code was withheld. It can be mailed later.
    Unmailed,
    /// The account existed already; it is unchanged, including its password.
    Existing,
}

/// Whether the pool mails the code of a new account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mailing {
    /// The pool mails it at once.
    AtOnce,
    /// The code is withheld: the address has received its limit of mails.
    Later,
}

impl Mailing {
    /// The key of the client metadata that the custom-message trigger reads when an account is
    /// created. No other caller can create one, since that takes a voucher.
    pub const MEMBER: &str = "mail";
    /// The value that withholds the mail.
    pub const WITHHELD: &str = "withhold";

    fn metadata(self) -> Option<HashMap<String, String>> {
        (self == Self::Later)
            .then(|| HashMap::from([(Self::MEMBER.to_owned(), Self::WITHHELD.to_owned())]))
    }
}

impl Identity {
    /// A user pool, with the client that people use.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, user_pool_id: String, client_id: String) -> Self {
        Self {
            client: Client::new(config),
            user_pool_id,
            client_id,
        }
    }

    /// Creates an account, whose address is its only attribute. Repeating the call does not create
    /// a second one. The pool's custom-message trigger can withhold the mail with the code. The
    /// voucher proves to the pool's pre-sign-up trigger that the call is Meridian's own.
    ///
    /// # Errors
    /// When the pool refuses or was not reached.
    pub async fn sign_up(
        &self,
        username: Username,
        email: &EmailAddress,
        password: &Password,
        mailing: Mailing,
        voucher: &Voucher,
    ) -> Result<Account, IdentityError> {
        let sent = self
            .client
            .sign_up()
            .client_id(&self.client_id)
            .username(username.to_string())
            .password(password.expose())
            .set_client_metadata(mailing.metadata())
            .user_attributes(attribute("email", email.expose())?)
            // Only the pre-sign-up trigger receives validation data, and nothing stores it.
            .validation_data(attribute(Voucher::NAME, &voucher.reveal())?)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Account::Created),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_username_exists_exception()) =>
            {
                Ok(Account::Existing)
            }
            Err(error) => match classify(&error) {
                // The pool creates the account before it invokes the trigger for the mail, and
                // keeps it. No document of Cognito promises that, so the account is looked up.
                IdentityError::Refused { code } if code == MAIL_WITHHELD => {
                    match self.status(username).await? {
                        Some(_) => Ok(Account::Unmailed),
                        None => Err(IdentityError::Unavailable { code: Some(code) }),
                    }
                }
                failed => Err(failed),
            },
        }
    }

    /// Creates an account whose address is already proved, with a password for signing in at once.
    /// Completes what an earlier call began; a complete account stays unchanged.
    ///
    /// # Errors
    /// When the pool refuses or was not reached.
    pub async fn create_proved(
        &self,
        username: Username,
        email: &EmailAddress,
        password: &Password,
    ) -> Result<Account, IdentityError> {
        let created = self
            .client
            .admin_create_user()
            .user_pool_id(&self.user_pool_id)
            .username(username.to_string())
            .user_attributes(attribute("email", email.expose())?)
            .user_attributes(attribute("email_verified", "true")?)
            .message_action(MessageActionType::Suppress)
            .send()
            .await;
        match created {
            Ok(_) => {}
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_username_exists_exception()) =>
            {
                if self.is_confirmed(username).await? {
                    return Ok(Account::Existing);
                }
            }
            Err(error) => return Err(classify(&error)),
        }
        let set = self
            .client
            .admin_set_user_password()
            .user_pool_id(&self.user_pool_id)
            .username(username.to_string())
            .password(password.expose())
            .permanent(true);
        set.send()
            .await
            .map(|_| Account::Created)
            .map_err(|error| classify(&error))
    }

    /// Confirms the address of an account by its mailed code. An account counts as confirmed if it
    /// already was, or if this call confirmed it although the trigger afterwards failed.
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
            // Cognito's message would tell whether the account is confirmed, but only in prose. If
            // a trigger failed, the account was confirmed just before.
            failed @ (IdentityError::Refused { .. }
            | IdentityError::Unavailable { code: Some(_) }) => {
                if self.is_confirmed(username).await? {
                    Ok(())
                } else {
                    Err(failed)
                }
            }
            other => Err(other),
        }
    }

    /// Mails another code to the address of an account that is not confirmed.
    ///
    /// # Errors
    /// When the pool refuses or was not reached.
    pub async fn resend_code(&self, username: Username) -> Result<(), IdentityError> {
        let sent = self
            .client
            .resend_confirmation_code()
            .client_id(&self.client_id)
            .username(username.to_string());
        sent.send()
            .await
            .map(|_| ())
            .map_err(|error| classify(&error))
    }

    /// Deletes an account by its name in the pool, with everything that the pool stores of the
    /// person. Repeating the call changes nothing.
    ///
    /// # Errors
    /// When the pool was not reached.
    pub async fn delete_account(&self, name: &str) -> Result<(), IdentityError> {
        let pool = self
            .client
            .admin_delete_user()
            .user_pool_id(&self.user_pool_id);
        match pool.username(name).send().await {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_user_not_found_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(unavailable(&error)),
        }
    }

    async fn is_confirmed(&self, username: Username) -> Result<bool, IdentityError> {
        Ok(self.status(username).await?.as_deref() == Some(UserStatusType::Confirmed.as_str()))
    }

    /// The status of an account; `None` if there is no such account.
    async fn status(&self, username: Username) -> Result<Option<String>, IdentityError> {
        let got = self
            .client
            .admin_get_user()
            .user_pool_id(&self.user_pool_id)
            .username(username.to_string())
            .send()
            .await;
        match got {
            Ok(user) => Ok(Some(
                user.user_status()
                    .map(|status| status.as_str().to_owned())
                    .unwrap_or_default(),
            )),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_user_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(unavailable(&error)),
        }
    }
}

fn attribute(name: &str, value: &str) -> Result<AttributeType, IdentityError> {
    let built = AttributeType::builder().name(name).value(value).build();
    built.map_err(|_| IdentityError::Unavailable { code: None })
}

#[cfg(test)]
mod tests;
