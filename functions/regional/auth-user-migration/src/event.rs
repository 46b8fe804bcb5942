//! The trigger's event. The structs name the members that matter; the others are returned
//! unchanged.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tenancy::{EmailAddress, Password, Username};

const SIGN_IN: &str = "UserMigration_Authentication";
const FORGOTTEN: &str = "UserMigration_ForgotPassword";

/// Cognito's request about an account that its pool does not have. It holds a password, so it has
/// no `Debug`.
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

/// The account of the request, and the password; none where it was forgotten.
pub(crate) struct AccountRequest {
    pub(crate) username: Username,
    pub(crate) password: Option<Password>,
}

impl MigrateUser {
    /// The account of the request; none where no account of Meridian's can be meant. People of a
    /// tenant's own provider have nothing to move.
    pub(crate) fn account_request(&self) -> Option<AccountRequest> {
        let username = self.user_name.as_deref()?.parse().ok()?;
        let password = match self.trigger_source.as_str() {
            SIGN_IN => Some(normal(self.request.password.as_deref()?)?),
            FORGOTTEN => None,
            _ => return None,
        };
        Some(AccountRequest { username, password })
    }

    /// The response that there is no account to move: an empty one, which Cognito reports like a
    /// wrong password. An error would disclose that the pool does not have the account.
    #[must_use]
    pub(crate) fn refused(self) -> Self {
        Self {
            response: json!({}),
            ..self
        }
    }

    /// The response with the account to create: a proved address, no mail, and the given password,
    /// if there is one.
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

/// Parses a password, and accepts only its normal form, which is stored everywhere. Cognito keeps
/// the text that it got: with another form, nobody could sign in from the sign-in page.
fn normal(text: &str) -> Option<Password> {
    text.parse()
        .ok()
        .filter(|password: &Password| password.expose() == text)
}
