//! A tenant's administration, as its administrators use it.

use super::answer::{Refused, ask};
use anyhow::{Context, Result};
use deployment::clients::http;
use reqwest::Method;
use serde_json::{Value, json};

/// An administrator of a tenant, with an access token.
#[derive(Debug, Clone)]
pub struct Administrator {
    /// The region's API.
    pub api_url: String,
    /// The person's access token.
    pub token: String,
    /// The tenant's id.
    pub tenant: String,
}

impl Administrator {
    /// Sends a request about the tenant; `path` follows `/tenants/<tenant>`.
    ///
    /// # Errors
    /// When the region refuses or does not answer.
    pub async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}/tenants/{}{path}", self.api_url, self.tenant);
        let mut request = http().request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        ask(request).await
    }

    /// Sends a request about the tenant whose answer has no body.
    ///
    /// # Errors
    /// When the region refuses or does not answer.
    pub async fn ask_nothing(&self, method: Method, path: &str) -> Result<()> {
        let url = format!("{}/tenants/{}{path}", self.api_url, self.tenant);
        super::answer::ask_nothing(http().request(method, url).bearer_auth(&self.token)).await
    }

    /// Reads the tenant's profile.
    ///
    /// # Errors
    /// When the region refuses or does not answer.
    pub async fn profile(&self) -> Result<Value> {
        self.ask(Method::GET, "", None).await
    }

    /// Invites a person. The region mails the code.
    ///
    /// # Errors
    /// When the region refuses or does not answer.
    pub async fn invite(&self, email: &str, role: &str) -> Result<Value> {
        self.ask(
            Method::POST,
            "/invitations",
            Some(&json!({ "email": email, "role": role })),
        )
        .await
    }

    /// Requests another plan.
    ///
    /// # Errors
    /// When the region refuses or does not answer.
    pub async fn request_plan(&self, plan: &str) -> Result<Value> {
        self.ask(
            Method::POST,
            "/plan-changes",
            Some(&json!({ "plan": plan })),
        )
        .await
    }

    /// Requests the closure of the tenant, which can be undone during the grace period. Returns the
    /// code that undoes it.
    ///
    /// # Errors
    /// When the region refuses or does not answer.
    pub async fn close(&self) -> Result<String> {
        let closing = self.ask(Method::POST, "/closure", None).await?;
        closing["undo_code"]
            .as_str()
            .map(str::to_owned)
            .context("a closure comes with a code")
    }

    /// Reads the whole audit trail, newest entry first.
    ///
    /// # Errors
    /// When the region refuses or does not answer.
    pub async fn audit(&self) -> Result<Vec<Value>> {
        let mut entries = Vec::new();
        let mut path = "/audit?limit=100".to_owned();
        loop {
            let page = self.ask(Method::GET, &path, None).await?;
            entries.extend(page["entries"].as_array().cloned().unwrap_or_default());
            match page["next_cursor"].as_str() {
                Some(cursor) => path = format!("/audit?limit=100&cursor={cursor}"),
                None => return Ok(entries),
            }
        }
    }
}

/// Undoes a closure by its code, without signing in.
///
/// # Errors
/// When the region refuses or does not answer.
pub async fn undo_closure(api_url: &str, tenant: &str, code: &str) -> Result<Value> {
    ask(http()
        .post(format!("{api_url}/tenants/{tenant}/closure/undo"))
        .json(&json!({ "code": code })))
    .await
}

/// Accepts an invitation by its code. Returns the user name for signing in.
///
/// # Errors
/// When the region refuses or does not answer.
pub async fn accept_invitation(
    api_url: &str,
    code: &str,
    name: &str,
    password: &str,
) -> Result<String> {
    let form = super::signup::form(api_url).await?;
    let body = json!({
        "code": code,
        "name": name,
        "password": password,
        "terms": form.documents.terms,
        "data_processing": form.documents.data_processing,
    });
    let joined: Value = ask(http()
        .post(format!("{api_url}/invitations/acceptance"))
        .json(&body))
    .await?;
    joined["username"]
        .as_str()
        .map(str::to_owned)
        .context("the answer lacks the user name")
}

/// Takes the refusal out of an error.
///
/// # Errors
/// The error itself, when it is not a refusal.
pub fn refusal(error: anyhow::Error) -> Result<Refused> {
    error.downcast::<Refused>()
}
