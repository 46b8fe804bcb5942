//! Checks credentials that are narrowed to one tenant.
//!
//! A function that acts for a tenant assumes a role with the tenant's id as a session tag. The
//! role's policy allows only items whose partition key holds that tag (`dynamodb:LeadingKeys`,
//! `${aws:PrincipalTag/tenant}`). The function's own role may be narrowed by partition key too. The
//! emulator checks actions and tables, but neither leading keys nor policy variables. This module
//! checks those, with the deployed policies, before a call reaches the emulator.

mod policy;
mod request;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_sdk_lambda::error::SdkError;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use deployment::file::write_json;
use kernel::Timestamp;
use reqwest::Url;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::Mutex as Once;

pub use policy::Policy;
pub use request::Use;

use super::layout::read_json;
use super::sdk::iam;
use super::upstream::{Answer, Request};
use super::xml::{every, inside};

/// How long a role's policies are cached, in milliseconds.
const POLICIES_MS: u64 = 3_000;

/// The session that an access key belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The assumed role.
    pub role: String,
    /// The session's name.
    pub name: String,
    /// The session tags, with names in lower case.
    pub tags: BTreeMap<String, String>,
    /// When the key expires.
    pub ends_at: Timestamp,
}

/// The sessions of one region.
#[derive(Debug)]
pub struct Sessions {
    emulator: String,
    region: String,
    lambda: aws_sdk_lambda::Client,
    file: PathBuf,
    by_key: Mutex<BTreeMap<String, Session>>,
    // Held during a request, so that of many concurrent callers only one sends it.
    roles: Once<BTreeMap<String, String>>,
    policies: Once<BTreeMap<String, (Instant, Policy)>>,
}

/// The present time: sessions expire by the clock of this machine.
#[expect(
    clippy::disallowed_methods,
    reason = "the local stack's one place that reads the clock"
)]
fn now() -> Timestamp {
    Timestamp::now()
}

impl Sessions {
    /// The sessions of a region, including those that an earlier process saved in `file`; `config`
    /// is for the region's emulator.
    ///
    /// # Errors
    /// When the file is damaged.
    pub fn new(region: &str, emulator: &str, config: &SdkConfig, file: PathBuf) -> Result<Self> {
        let saved: Option<BTreeMap<String, Session>> = read_json(&file)?;
        Ok(Self {
            emulator: emulator.to_owned(),
            region: region.to_owned(),
            lambda: aws_sdk_lambda::Client::new(config),
            file,
            by_key: Mutex::new(saved.unwrap_or_default()),
            roles: Once::default(),
            policies: Once::default(),
        })
    }

    /// Records the session that a successful `AssumeRole` call has opened.
    pub fn record(&self, request: &Request, answer: &Answer) {
        let Some((key, session)) = opened(request, answer) else {
            return;
        };
        let mut sessions = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
        let now = now();
        sessions.retain(|_, session| session.ends_at > now);
        sessions.insert(key, session);
        // Saved for the next process. If that fails, the sessions are still valid in this one.
        write_json(&self.file, &*sessions).ok();
    }

    /// The refusal of a DynamoDB call on items that the caller's role does not allow; `None` where
    /// it passes.
    ///
    /// The access key identifies the caller, or else the function name in its user agent.
    ///
    /// # Errors
    /// When the role's policies cannot be read.
    pub async fn refuse(
        &self,
        operation: &str,
        function: Option<&str>,
        request: &Request,
    ) -> Result<Option<Answer>> {
        let recorded = access_key(request).and_then(|key| {
            let sessions = self.by_key.lock().unwrap_or_else(PoisonError::into_inner);
            sessions.get(key).cloned()
        });
        let session = match (recorded, function) {
            (Some(session), _) => Some(session),
            (None, Some(function)) => self.own(function).await?,
            (None, None) => None,
        };
        let Some(session) = session else {
            return Ok(None);
        };
        let policy = self.policy(&session.role).await?;
        let body = serde_json::from_slice(&request.body).unwrap_or_default();
        let uses = request::uses(operation, &body);
        let refused = uses
            .into_iter()
            .find(|used| !policy.allows(used, &self.region, &session.tags));
        Ok(refused.map(|used| denial(&session, &used, &self.region)))
    }

    /// Clears the cached roles and policies, as another template may have been deployed.
    pub async fn clear_cache(&self) {
        self.roles.lock().await.clear();
        self.policies.lock().await.clear();
    }

    /// A function's session with its own role; `None` if no such function is deployed.
    async fn own(&self, function: &str) -> Result<Option<Session>> {
        let mut roles = self.roles.lock().await;
        let role = match roles.get(function) {
            Some(role) => role.clone(),
            None => {
                let about = self
                    .lambda
                    .get_function_configuration()
                    .function_name(function)
                    .send()
                    .await;
                let about = match about.map_err(SdkError::into_service_error) {
                    Err(error) if error.is_resource_not_found_exception() => return Ok(None),
                    about => about.context("GetFunctionConfiguration")?,
                };
                let role = about
                    .role()
                    .and_then(|arn| arn.rsplit('/').next())
                    .context("a function without a role")?;
                roles.insert(function.to_owned(), role.to_owned());
                role.to_owned()
            }
        };
        Ok(Some(Session {
            role,
            name: function.to_owned(),
            tags: BTreeMap::new(),
            ends_at: Timestamp::MAX,
        }))
    }

    async fn policy(&self, role: &str) -> Result<Policy> {
        let mut policies = self.policies.lock().await;
        if let Some((at, policy)) = policies.get(role)
            && at.elapsed() < Duration::from_millis(POLICIES_MS)
        {
            return Ok(policy.clone());
        }
        let listed = iam(
            &self.emulator,
            &[("Action", "ListRolePolicies"), ("RoleName", role)],
        )
        .await?;
        let mut policy = Policy::default();
        for name in every(&listed, "member") {
            let form = [
                ("Action", "GetRolePolicy"),
                ("RoleName", role),
                ("PolicyName", name),
            ];
            let answer = iam(&self.emulator, &form).await?;
            let document =
                inside(&answer, "PolicyDocument").context("GetRolePolicy: no document")?;
            policy.add(&decoded(document)?)?;
        }
        policies.insert(role.to_owned(), (Instant::now(), policy.clone()));
        Ok(policy)
    }
}

/// The access key that signed a call.
fn access_key(request: &Request) -> Option<&str> {
    let (_, credential) = request.header("authorization")?.split_once("Credential=")?;
    credential.split('/').next()
}

/// The access key and session that an `AssumeRole` call has opened.
fn opened(request: &Request, answer: &Answer) -> Option<(String, Session)> {
    let form = pairs(std::str::from_utf8(&request.body).ok()?)?;
    let given = |name: &str| {
        form.iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    };
    if !answer.status.is_success() || given("Action") != Some("AssumeRole") {
        return None;
    }
    let tags = (1..).map_while(|n| {
        let part = |part: &str| given(&format!("Tags.member.{n}.{part}"));
        Some((part("Key")?.to_ascii_lowercase(), part("Value")?.to_owned()))
    });
    let (_, role) = given("RoleArn")?.rsplit_once('/')?;
    let answer = std::str::from_utf8(&answer.body).ok()?;
    let session = Session {
        role: role.to_owned(),
        name: given("RoleSessionName")?.to_owned(),
        tags: tags.collect(),
        ends_at: inside(answer, "Expiration")?.parse().ok()?,
    };
    Some((inside(answer, "AccessKeyId")?.to_owned(), session))
}

/// The name-value pairs of a form.
fn pairs(form: &str) -> Option<Vec<(String, String)>> {
    let url = Url::parse(&format!("http://form/?{form}")).ok()?;
    Some(url.query_pairs().into_owned().collect())
}

/// Decodes a text from IAM, which percent-encodes every special character in its responses.
fn decoded(text: &str) -> Result<String> {
    let mut found = pairs(&format!("text={text}")).context("not a form")?;
    Ok(found.pop().context("an empty form")?.1)
}

/// The refusal in DynamoDB's form.
fn denial(session: &Session, used: &Use, region: &str) -> Answer {
    let Session { role, name, .. } = session;
    let message = format!(
        "User: arn:aws:sts::000000000000:assumed-role/{role}/{name} is not authorized to perform: {} on resource: {} \
         because no identity-based policy allows the {} action",
        used.action,
        used.resource(region),
        used.action
    );
    let body =
        json!({ "__type": "com.amazon.coral.service#AccessDeniedException", "Message": message });
    let mut headers = HeaderMap::new();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.0"),
    );
    headers.insert(
        "x-amzn-errortype",
        HeaderValue::from_static("AccessDeniedException"),
    );
    Answer {
        status: StatusCode::BAD_REQUEST,
        headers,
        body: Bytes::from(body.to_string()),
    }
}

#[cfg(test)]
mod tests;
