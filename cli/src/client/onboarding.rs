//! Onboarding through home: which regions there are, and a sign-up that home hands over.

use super::answer::ask;
use super::login::machine_token;
use super::signup::{Details, Operation, Step};
use anyhow::{Context, Result};
use deployment::DeployedRegion;
use deployment::clients::http;
use kernel::Mode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The scope that an onboarding needs.
pub const SCOPE: &str = "meridian/onboarding.write";

/// A region, as home describes it to everybody.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Region {
    /// Its code.
    pub code: String,
    /// What it is called.
    pub name: String,
    /// Whose law applies there.
    pub jurisdiction: String,
    /// What may leave it.
    pub mode: Mode,
    /// Where its sign-ups are posted.
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
    /// How far it is.
    pub state: String,
    /// What the caller can do now.
    pub next: String,
    /// The steps, in order, as far as the region told.
    #[serde(default)]
    pub steps: Vec<Step>,
    /// The region's own operation. Only in the answer to who started it: home does not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signup: Option<HandedOver>,
}

/// A sign-up that home handed over.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct HandedOver {
    /// Where it is followed and confirmed.
    pub url: String,
    /// What the region answered.
    pub operation: Operation,
}

/// The fleet's regions. Public.
///
/// # Errors
/// When home does not answer.
pub async fn regions(home: &DeployedRegion) -> Result<Vec<Region>> {
    let answer: Regions = ask(http().get(format!("{}/regions", api_url(home)?))).await?;
    Ok(answer.regions)
}

/// Has home onboard a tenant. `placement` is the region, the jurisdiction or the place to be near
/// to, as the API takes it. The same key with the same details is the same onboarding.
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

/// How far an onboarding is, by what its region told home.
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
