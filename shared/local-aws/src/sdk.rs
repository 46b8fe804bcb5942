//! AWS clients of the local regions.

use anyhow::{Context, Result, bail};
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_lambda::primitives::Blob;
use aws_smithy_http_client::Builder;
use deployment::clients::{fresh_http, http};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The configuration of AWS clients for one local region, with the account administrator's key.
pub fn config(region: &str, endpoint: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "test", "test", None, None, "meridian",
        )))
        .http_client(Builder::new().build_http())
        .build()
}

/// Calls the IAM API of a local region as the account's administrator. The emulator does not check
/// the signature. Returns the response in XML.
///
/// # Errors
/// When IAM refuses or does not answer.
pub async fn iam(emulator_url: &str, form: &[(&str, &str)]) -> Result<String> {
    const ADMINISTRATOR: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=0";
    let response = http()
        .post(emulator_url)
        .header("authorization", ADMINISTRATOR)
        .form(form)
        .send()
        .await;
    let answer = response
        .and_then(reqwest::Response::error_for_status)
        .context("IAM refuses")?;
    Ok(answer.text().await?)
}

/// Invokes a function with a JSON payload and returns its response.
///
/// # Errors
/// When the call fails, or the function reports an error: the message holds the report.
pub async fn invoke(config: &SdkConfig, function: &str, payload: &Value) -> Result<Value> {
    let answer = aws_sdk_lambda::Client::new(config)
        .invoke()
        .function_name(function)
        .payload(Blob::new(serde_json::to_vec(payload)?))
        .send()
        .await
        .with_context(|| format!("cannot invoke {function}"))?;
    let bytes = answer.payload().map(Blob::as_ref).unwrap_or_default();
    if let Some(kind) = answer.function_error() {
        bail!(
            "{function} failed ({kind}): {}",
            String::from_utf8_lossy(bytes)
        );
    }
    if bytes.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(bytes)
        .with_context(|| format!("{function} answered something else than JSON"))
}

/// A mail that a region has sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Mail {
    /// The recipients.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The plain text.
    #[serde(default)]
    pub body_text: Option<String>,
    /// The HTML.
    #[serde(default)]
    pub body_html: Option<String>,
}

impl Mail {
    /// Whether a mail is addressed to an address.
    pub fn is_to(&self, address: &str) -> bool {
        self.to.iter().any(|to| to.eq_ignore_ascii_case(address))
    }

    /// The text of the mail: the plain text, or else the HTML.
    pub fn text(&self) -> &str {
        let text = self.body_text.as_deref().filter(|text| !text.is_empty());
        text.or(self.body_html.as_deref()).unwrap_or_default()
    }

    /// The confirmation code in the mail: its first sequence of exactly six digits.
    pub fn code(&self) -> Option<String> {
        let runs = self.text().split(|c: char| !c.is_ascii_digit());
        runs.into_iter()
            .find(|run| run.len() == 6)
            .map(str::to_owned)
    }
}

/// The mails that a region has sent, oldest first.
///
/// It opens a connection of its own: tests call it from several runtimes, which cannot share one.
///
/// # Errors
/// When the region does not answer.
pub async fn mailbox(mail_url: &str) -> Result<Vec<Mail>> {
    #[derive(Deserialize)]
    struct Answer {
        messages: std::collections::BTreeMap<String, Vec<Mail>>,
    }
    let answer = fresh_http()
        .get(mail_url)
        .send()
        .await?
        .error_for_status()?;
    let answer: Answer = answer
        .json()
        .await
        .context("the mailbox has an unexpected form")?;
    Ok(answer.messages.into_values().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_the_first_sequence_of_six_digits() {
        let mail = |text: &str| Mail {
            to: vec!["a@b.example".to_owned()],
            subject: String::new(),
            body_text: Some(text.to_owned()),
            body_html: None,
        };
        assert_eq!(
            mail("In 2026, code 1234567 is not 123456.")
                .code()
                .as_deref(),
            Some("123456")
        );
        assert_eq!(mail("no code").code(), None);
        assert!(mail("").is_to("A@b.example"));
    }
}
