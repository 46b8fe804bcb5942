//! The event of the trigger. What matters here is named; the rest goes back as it came.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tenancy::{EmailAddress, Password, Username};

const SIGN_IN: &str = "UserMigration_Authentication";
const FORGOTTEN: &str = "UserMigration_ForgotPassword";

/// What Cognito asks about an account that its pool does not have. Holds a password, so it shows
/// nothing of itself.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MigrateUser {
    trigger_source: String,
    #[serde(default)]
    user_name: Option<String>,
    request: Request,
    response: Value,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Who asks, and with which password; without one it was forgotten.
pub(crate) struct Asked {
    pub(crate) username: Username,
    pub(crate) password: Option<Password>,
}

impl MigrateUser {
    /// What the event asks for; nothing where it is not what an account of ours could be asked for
    /// with. People whom a tenant's own provider knows have nothing to take over.
    pub(crate) fn asked(&self) -> Option<Asked> {
        let username = self.user_name.as_deref()?.parse().ok()?;
        let password = match self.trigger_source.as_str() {
            SIGN_IN => Some(normal(self.request.password.as_deref()?)?),
            FORGOTTEN => None,
            _ => return None,
        };
        Some(Asked { username, password })
    }

    /// The answer that there is no account to take over: an empty one, upon which Cognito answers
    /// as it does to a wrong password. An error would tell who asks that the pool does not have the
    /// account.
    #[must_use]
    pub(crate) fn refused(self) -> Self {
        Self {
            response: json!({}),
            ..self
        }
    }

    /// The answer with the account to make: a proved address, no mail, and the password that was
    /// given, where it was.
    #[must_use]
    pub(crate) fn taken_over(self, email: &EmailAddress) -> Self {
        let mut response = json!({
            "userAttributes": { "email": email.expose(), "email_verified": "true" },
            "messageAction": "SUPPRESS",
        });
        if self.trigger_source == SIGN_IN {
            response["finalUserStatus"] = json!("CONFIRMED");
        }
        Self { response, ..self }
    }
}

/// A password in the form in which all are set. Cognito keeps the very text that it was asked with:
/// in another form, nobody could sign in with it from the sign-in page.
fn normal(text: &str) -> Option<Password> {
    text.parse()
        .ok()
        .filter(|password: &Password| password.expose() == text)
}
