//! Sign-up in a region.

use super::answer::ask;
use anyhow::{Context, Result};
use deployment::clients::http;
use kernel::Timestamp;
use local_aws::sdk::mailbox;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The sign-up form, as an organisation's administrator fills it in.
#[derive(Clone, Serialize, Deserialize)]
pub struct Details {
    /// The organisation.
    pub organisation: String,
    /// The administrator's name.
    pub name: String,
    /// The administrator's e-mail address.
    pub email: String,
    /// The administrator's password.
    pub password: String,
    /// The plan's code.
    pub plan: String,
    /// The time of day in UTC at which the tenant's days begin; midnight by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub billing_anchor: Option<String>,
    /// The version of the terms that the person agrees to.
    pub terms: String,
    /// The version of the data-processing agreement that the person agrees to.
    pub data_processing: String,
}

/// Shows the plan alone, because every other field is personal.
impl fmt::Debug for Details {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Details")
            .field("plan", &self.plan)
            .finish_non_exhaustive()
    }
}

/// A sign-up, as the region describes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Operation {
    /// The handle of the operation.
    pub id: String,
    /// The state.
    pub state: String,
    /// The caller's next step.
    pub next: String,
    /// The id of the new tenant.
    pub tenant: String,
    /// The tenant's alias.
    pub alias: String,
    /// The user name for signing in.
    pub username: String,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// One step of a sign-up.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Step {
    /// The name of the step.
    pub name: String,
    /// The state.
    pub state: String,
    /// The time at which it was done or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The reason of a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A region's sign-up form.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Form {
    /// Whether the region takes new tenants.
    pub accepts_new_tenants: bool,
    /// The documents to agree to.
    pub documents: Documents,
    /// The plans to choose from.
    pub plans: Vec<String>,
}

/// The current versions of the documents.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Documents {
    /// The version of the terms.
    pub terms: String,
    /// The version of the data-processing agreement.
    pub data_processing: String,
}

/// Reads a region's sign-up form.
///
/// # Errors
/// When the region refuses or does not answer.
pub async fn form(api_url: &str) -> Result<Form> {
    ask(http().get(format!("{api_url}/signup-form"))).await
}

/// Reads the state of a sign-up.
///
/// # Errors
/// When the region does not know it, or does not answer.
pub async fn read(api_url: &str, id: &str) -> Result<Operation> {
    ask(http().get(format!("{api_url}/signups/{id}"))).await
}

/// Requests another confirmation code by mail.
///
/// # Errors
/// When the region refuses or does not answer.
pub async fn resend(api_url: &str, id: &str) -> Result<Operation> {
    ask(http().post(format!("{api_url}/signups/{id}/resend"))).await
}

/// Requests that the application provisions again the resources that it failed to make.
///
/// # Errors
/// When no provisioning has failed that could be repeated, or the region does not answer.
pub async fn retry_provisioning(api_url: &str, id: &str) -> Result<Operation> {
    ask(http().post(format!("{api_url}/signups/{id}/provisioning"))).await
}

/// Signs up. A repeated key with the same details returns the same sign-up.
///
/// # Errors
/// When the region refuses or does not answer.
pub async fn sign_up(api_url: &str, key: &str, details: &Details) -> Result<Operation> {
    ask(http()
        .post(format!("{api_url}/signups"))
        .header("idempotency-key", key)
        .json(details))
    .await
}

/// Confirms a sign-up with the mailed code.
///
/// # Errors
/// When the region refuses or does not answer.
pub async fn confirm(api_url: &str, id: &str, code: &str) -> Result<Operation> {
    let body = serde_json::json!({ "code": code });
    ask(http()
        .post(format!("{api_url}/signups/{id}/confirmation"))
        .json(&body))
    .await
}

/// Reads the newest confirmation code that was mailed to an address, from the local stack's mail
/// box.
///
/// # Errors
/// When there is no mail with a code.
pub async fn mailed_code(mail_url: &str, address: &str) -> Result<String> {
    let mails = mailbox(mail_url).await?;
    let mail = mails.iter().rev().find(|mail| mail.is_to(address));
    mail.context("no mail to this address is in the mail box")?
        .code()
        .context("the mail holds no code")
}
