//! A tenant's address, and what it says of where to sign in.

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

/// Longer than a new name takes to be known, refused attempts to write it included.
const NAMED_MAX: Duration = Duration::from_secs(90);
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// Where the people of a tenant sign in.
#[derive(Debug, Clone, Deserialize)]
pub struct Entrance {
    /// Whether anybody can: `open` or `suspended`.
    pub status: String,
    /// The region of the tenant.
    pub region: String,
    /// The tenant's random label; only while it is open, like all that follows.
    #[serde(default)]
    alias: String,
    #[serde(default)]
    client_id: String,
    #[serde(default)]
    identity_endpoint: String,
}

impl Entrance {
    /// Asks a tenant's address, given without a slash at its end. A name that is not known yet is
    /// asked for again, for a minute and a half.
    ///
    /// # Errors
    /// When nobody answers there, or the answer is a refusal.
    pub async fn find(address: &str) -> Result<Self> {
        let url = format!("{address}/.well-known/meridian");
        let deadline = Instant::now() + NAMED_MAX;
        loop {
            let asked = ask(http().get(&url)).await;
            match asked {
                Err(error) if is_unnamed(&error) && Instant::now() < deadline => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                asked => {
                    return asked
                        .with_context(|| format!("{address} says nothing of where to sign in"));
                }
            }
        }
    }

    /// Signs a person in here with address and password.
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

/// Whether a failure may be that the name is too new: nobody knows it, or the region does not yet.
fn is_unnamed(error: &anyhow::Error) -> bool {
    let unnamed = [StatusCode::BAD_GATEWAY, StatusCode::MISDIRECTED_REQUEST];
    error
        .downcast_ref::<Refused>()
        .is_some_and(|refused| unnamed.contains(&refused.status))
}
