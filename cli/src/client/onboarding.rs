//! Onboarding through home: the list of regions, and a sign-up that home hands over to one of them.

use super::answer::ask;
use super::login::machine_token;
use super::signup::{Details, Operation, Step};
use anyhow::{Context, Result};
use deployment::DeployedRegion;
use deployment::clients::http;
use kernel::Mode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The scope that a token needs for an onboarding.
pub const SCOPE: &str = "meridian/onboarding.write";

/// A region, as home's public list describes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Region {
    /// Its code.
    pub code: String,
    /// Its display name.
    pub name: String,
    /// The jurisdiction whose law applies there.
    pub jurisdiction: String,
    /// The mode, which decides which events leave the region.
    pub mode: Mode,
    /// The URL for its sign-ups.
    pub signup_url: String,
    /// Whether it takes new tenants.
    pub accepts_new_tenants: bool,
}

#[derive(Deserialize)]
struct Regions {
    regions: Vec<Region>,
}

/// An onboarding as home shows it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Onboarding {
    /// The handle of the operation.
    pub id: String,
    /// The region that carries it out.
    pub region: String,
    /// The state of the operation.
    pub state: String,
    /// The caller's next step.
    pub next: String,
    /// The steps, in order, as far as the region has reported them.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The region's own operation. Only the answer to the request that started the onboarding has
    /// it: home does not store it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signup: Option<HandedOver>,
}

/// A sign-up that home handed over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HandedOver {
    /// The URL at which it is followed and confirmed.
    pub url: String,
    /// The region's answer.
    pub operation: Operation,
}

/// Lists the fleet's regions. Needs no token.
///
/// # Errors
/// When home does not answer.
pub async fn regions(home: &DeployedRegion) -> Result<Vec<Region>> {
    let answer: Regions = ask(http().get(format!("{}/regions", api_url(home)?))).await?;
    Ok(answer.regions)
}

/// Requests an onboarding from home. `placement` is the region, the jurisdiction or the place to be
/// near to, as the API takes it. A repeated key with the same details returns the same onboarding.
///
/// # Errors
/// When home or the region refuses or does not answer.
pub async fn onboard(
    home: &DeployedRegion,
    key: &str,
    placement: &Value,
    details: &Details,
) -> Result<Onboarding> {
    let client = home
        .website_client
        .as_ref()
        .or(home.operator_client.as_ref());
    let client = client.context("home has no client for onboarding")?;
    let token = machine_token(&home.token_url, client, SCOPE).await?;
    let request = http()
        .post(format!("{}/onboardings", api_url(home)?))
        .bearer_auth(token);
    let body = json!({ "placement": placement, "signup": details });
    ask(request.header("idempotency-key", key).json(&body)).await
}

/// Reads an onboarding, as far as its region has reported to home.
///
/// # Errors
/// When home does not know it, or does not answer.
pub async fn read(home: &DeployedRegion, id: &str) -> Result<Onboarding> {
    ask(http().get(format!("{}/onboardings/{id}", api_url(home)?))).await
}

fn api_url(home: &DeployedRegion) -> Result<&str> {
    home.home_api_url
        .as_deref()
        .context("this region is not home")
}
