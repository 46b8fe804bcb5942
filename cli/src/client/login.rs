//! Sign-in of people and of machines.

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::types::AuthFlowType;
use deployment::MachineClient;
use deployment::clients::http;
use serde::Deserialize;
use serde_json::Value;
use tenancy::Password;

/// The tokens of a person who has signed in.
#[derive(Clone)]
pub struct Session {
    /// Identifies the person (OpenID Connect).
    pub id_token: String,
    /// Authorizes requests to the APIs.
    pub access_token: String,
    /// Gets new tokens without the password.
    pub refresh_token: String,
}

/// Signs a person in with a password.
///
/// # Errors
/// When the user pool refuses or does not answer.
pub async fn sign_in(
    config: &SdkConfig,
    client_id: &str,
    username: &str,
    password: &str,
) -> Result<Session> {
    let answer = aws_sdk_cognitoidentityprovider::Client::new(config)
        .initiate_auth()
        .client_id(client_id)
        .auth_flow(AuthFlowType::UserPasswordAuth)
        .auth_parameters("USERNAME", username)
        .auth_parameters("PASSWORD", Password::normal(password))
        .send()
        .await
        .context("the user pool refused the sign-in")?;
    let result = answer
        .authentication_result()
        .context("the user pool asks for more than a password")?;
    let token = |token: Option<&str>| token.map(str::to_owned).context("the answer lacks a token");
    Ok(Session {
        id_token: token(result.id_token())?,
        access_token: token(result.access_token())?,
        refresh_token: token(result.refresh_token())?,
    })
}

/// Gets new tokens for a session.
///
/// # Errors
/// When the user pool refuses, as it does for a suspended tenant, or does not answer.
pub async fn refresh(config: &SdkConfig, client_id: &str, session: &Session) -> Result<Session> {
    let answer = aws_sdk_cognitoidentityprovider::Client::new(config)
        .initiate_auth()
        .client_id(client_id)
        .auth_flow(AuthFlowType::RefreshTokenAuth)
        .auth_parameters("REFRESH_TOKEN", &session.refresh_token)
        .send()
        .await
        .context("the user pool refused the refresh")?;
    let result = answer
        .authentication_result()
        .context("the answer lacks tokens")?;
    let token = |token: Option<&str>| token.map(str::to_owned).context("the answer lacks a token");
    Ok(Session {
        id_token: token(result.id_token())?,
        access_token: token(result.access_token())?,
        refresh_token: session.refresh_token.clone(),
    })
}

/// The claims of a token, for display only: the signature is not verified, so no decision may rest
/// on them.
///
/// # Errors
/// When the text is not a token.
pub fn shown_claims(token: &str) -> Result<Value> {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).context("a token has three parts")?;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(payload)
        .context("a token is base64")?;
    serde_json::from_slice(&bytes).context("a token's claims are JSON")
}

#[derive(Deserialize)]
struct MachineToken {
    access_token: String,
}

/// Gets an access token for a machine client, for one scope.
///
/// # Errors
/// When the user pool refuses or does not answer.
pub async fn machine_token(token_url: &str, client: &MachineClient, scope: &str) -> Result<String> {
    let form = [("grant_type", "client_credentials"), ("scope", scope)];
    let request = http()
        .post(token_url)
        .basic_auth(&client.id, Some(&client.secret))
        .form(&form);
    let answer: MachineToken = super::answer::ask(request)
        .await
        .context("no token for the machine client")?;
    Ok(answer.access_token)
}
