//! A tenant's address, and the sign-in details that it publishes.

use super::Refused;
use super::answer::ask;
use super::login::{Session, sign_in};
use anyhow::{Context, Result, ensure};
use deployment::clients::http;
use local_aws::sdk::config;
use reqwest::StatusCode;
use serde::Deserialize;
use std::time::{Duration, Instant};
use tenancy::Username;

/// Longer than a new DNS name takes to resolve, refused attempts to write its record included.
const RESOLVES_MAX: Duration = Duration::from_secs(90);
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The sign-in details of a tenant.
#[derive(Debug, Clone, Deserialize)]
pub struct Entrance {
    /// Whether people can sign in: `open` or `suspended`.
    pub status: String,
    /// The region of the tenant.
    pub region: String,
    /// The tenant's alias. This field and the following ones are empty unless the tenant is open.
    #[serde(default)]
    alias: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    identity_endpoint: String,
}

impl Entrance {
    /// Reads the details from a tenant's address, which has no slash at its end. While the name is
    /// not known yet, the request is repeated for a minute and a half.
    ///
    /// # Errors
    /// When the address does not answer, or the answer is a refusal.
    pub async fn find(address: &str) -> Result<Self> {
        let url = format!("{address}/.well-known/meridian");
        let deadline = Instant::now() + RESOLVES_MAX;
        loop {
            let answer = ask(http().get(&url)).await;
            match answer {
                Err(error) if is_unknown_yet(&error) && Instant::now() < deadline => {
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
                answer => {
                    return answer
                        .with_context(|| format!("{address} does not publish where to sign in"));
                }
            }
        }
    }

    /// Signs a person in with an e-mail address and a password.
    ///
    /// # Errors
    /// When the tenant is not open, or the user pool refuses or does not answer.
    pub async fn sign_in(&self, email: &str, password: &str) -> Result<Session> {
        ensure!(self.status == "open", "the tenant is {}", self.status);
        let username = Username::of(&self.alias.parse()?, &email.parse()?);
        let config = config(&self.region, &self.identity_endpoint);
        sign_in(&config, &self.client_id, &username.to_string(), password).await
    }
}

/// Whether a failure may come from a name that is too new: DNS, or the region, does not know it
/// yet.
fn is_unknown_yet(error: &anyhow::Error) -> bool {
    let unknown = [StatusCode::BAD_GATEWAY, StatusCode::MISDIRECTED_REQUEST];
    error
        .downcast_ref::<Refused>()
        .is_some_and(|refused| unknown.contains(&refused.status))
}
