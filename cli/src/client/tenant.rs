//! A tenant's administration, as its administrators do it.

use super::answer::{Refused, ask};
use anyhow::{Context, Result};
use deployment::clients::http;
use reqwest::Method;
use serde_json::{Value, json};

/// Somebody who administers a tenant, with a token to show for it.
#[derive(Debug, Clone)]
pub struct Administrator {
    /// The region's API.
    pub api_url: String,
    /// The person's access token.
    pub token: String,
    /// The tenant that is administered.
    pub tenant: String,
}

impl Administrator {
    /// Asks for something of the tenant: `path` follows `/tenants/<tenant>`.
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

    /// The same where there is nothing to answer.
    ///
    /// # Errors
    /// When the region refuses or does not answer.
    pub async fn ask_nothing(&self, method: Method, path: &str) -> Result<()> {
        let url = format!("{}/tenants/{}{path}", self.api_url, self.tenant);
        super::answer::ask_nothing(http().request(method, url).bearer_auth(&self.token)).await
    }

    /// What the tenant is.
    ///
    /// # Errors
    /// When the region refuses or does not answer.
    pub async fn profile(&self) -> Result<Value> {
        self.ask(Method::GET, "", None).await
    }

    /// Invites a person; the code is mailed.
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

    /// Asks for another plan.
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

    /// Asks for the end, which can be undone for a while. Returns the code that undoes it.
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

    /// The whole audit trail, newest first.
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

/// Takes back a closure by its code, without signing in.
///
/// # Errors
/// When the region refuses or does not answer.
pub async fn undo_closure(api_url: &str, tenant: &str, code: &str) -> Result<Value> {
    ask(http()
        .post(format!("{api_url}/tenants/{tenant}/closure/undo"))
        .json(&json!({ "code": code })))
    .await
}

/// Joins a tenant by the code of an invitation. Returns the name to sign in with.
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
        .context("who joins has a name")
}

/// The refusal that an error is.
///
/// # Errors
/// The error itself, when it is none.
pub fn refusal(error: anyhow::Error) -> Result<Refused> {
    error.downcast::<Refused>()
}
