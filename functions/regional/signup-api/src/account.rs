//! The administrator's account: created once, and its code mailed as often as the address may get
//! mail.

use crate::adapters::Adapters;
use crate::handler::PasswordHeld;
use crate::problems;
use identity::{Account, IdentityError, Mailing};
use kernel::Timestamp;
use runtime::http::Problem;
use tenancy::{
    Asker, EmailAddress, IdempotencyKey, KeyDigest, Registration, Signup, Username,
    decide_code_mail, decide_identity,
};
use tenant_store::LoadOptions;

/// Creates the administrator's account, and stores that it exists or why not. Where the address has
/// reached its limit of mails, the account is still created, and the code is stored as owed.
pub(crate) async fn make_account(
    adapters: &Adapters,
    key: &IdempotencyKey,
    signup: Signup,
    registration: &Registration,
    asker: Asker,
    now: Timestamp,
) -> Result<(PasswordHeld, Signup), Problem> {
    let (username, email) = (signup.username, &registration.email);
    let mut owed = adapters.take_mail(email, asker, &key.digest(), now).await?;
    let mailing = if owed.is_some() {
        Mailing::Later
    } else {
        Mailing::AtOnce
    };
    let voucher = adapters.vouch(username, now).await?;
    let made = match adapters
        .identity
        .sign_up(username, email, &registration.password, mailing, &voucher)
        .await
    {
        Ok(Account::Existing) if owed.is_none() => {
            // The request that created the account may have been interrupted before the code was
            // mailed. Of several requests that find this at once, one mails the code and stores so;
            // the others did not mail it, so they store nothing.
            if !adapters.may_mail_again(signup.id, now).await? {
                return Ok((PasswordHeld::Kept, signup));
            }
            mail_again(adapters, username)
                .await
                .map(|()| PasswordHeld::Kept)
        }
        Ok(Account::Existing) => Ok(PasswordHeld::Kept),
        Ok(Account::Unmailed) => Ok(PasswordHeld::Set),
        Ok(Account::Created) => {
            owed = None;
            Ok(PasswordHeld::Set)
        }
        Err(error) => Err(error),
    };
    let changes = made
        .as_ref()
        .map(|_| owed)
        .map_err(problems::identity_failure);
    let context = adapters.context(now);
    let noted = adapters
        .tenants
        .change(signup.tenant, LoadOptions::SIGNUP, |loaded| {
            Ok(decide_identity(&loaded.state, changes.clone(), &context))
        });
    let noted = noted.await;
    let password = made.map_err(|error| problems::account(&error, signup.id))?;
    let state = noted.map_err(|error| problems::store(&error))?;
    Ok((password, state.signup.unwrap_or(signup)))
}

/// Mails another code for an existing account, or stores that the address has to wait for it. The
/// response does not disclose which.
pub(crate) async fn mail_code(
    adapters: &Adapters,
    signup: &Signup,
    email: &EmailAddress,
    asker: Asker,
    mark: &KeyDigest,
    now: Timestamp,
) -> Result<(), Problem> {
    let owed = adapters.take_mail(email, asker, mark, now).await?;
    if owed.is_none() {
        adapters
            .identity
            .resend_code(signup.username)
            .await
            .map_err(|error| problems::confirmation(&error))?;
        tracing::info!(tenant = %signup.tenant, "code sent again");
    }
    let noted = adapters
        .tenants
        .change(signup.tenant, LoadOptions::SIGNUP, |loaded| {
            Ok(decide_code_mail(&loaded.state, owed.clone()))
        });
    noted
        .await
        .map(|_| ())
        .map_err(|error| problems::store(&error))
}

/// Mails another code. A confirmed account needs none, so the refusal is success.
async fn mail_again(adapters: &Adapters, username: Username) -> Result<(), IdentityError> {
    match adapters.identity.resend_code(username).await {
        Err(IdentityError::Refused { .. }) => Ok(()),
        mailed => mailed,
    }
}
