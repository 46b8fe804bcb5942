//! The event of the trigger in its versions 2 and 3, which differ in nothing but that the latter
//! also comes for machines. Everything that matters here is named; the rest goes back as it came.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use tenancy::{AccountName, Claims};

/// The source of an event that is about a machine, whose account has no name.
const MACHINE: &str = "TokenGeneration_ClientCredentials";

/// What Cognito asks before it makes a token. Holds the attributes of a person, so it shows nothing
/// of itself.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PreToken {
    trigger_source: String,
    #[serde(default)]
    user_name: Option<String>,
    caller_context: CallerContext,
    request: Request,
    response: Value,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct CallerContext {
    client_id: String,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    #[serde(default)]
    group_configuration: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client_metadata: Option<HashMap<String, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    user_attributes: Option<Map<String, Value>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Whom a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bearer<'a> {
    /// A person, by the name of the account.
    Person(&'a str),
    /// A machine, by its client.
    Machine(&'a str),
}

impl PreToken {
    /// Whom the token is for; nobody where the event names no account.
    pub(crate) fn bearer(&self) -> Option<Bearer<'_>> {
        if self.trigger_source == MACHINE {
            return Some(Bearer::Machine(&self.caller_context.client_id));
        }
        self.user_name
            .as_deref()
            .filter(|name| !name.is_empty())
            .map(Bearer::Person)
    }

    /// Whether the tenant's own identity provider vouches for the account without saying that the
    /// address is verified.
    pub(crate) fn is_unverified(&self) -> bool {
        let name = self.user_name.as_deref().unwrap_or_default();
        let attribute = self
            .request
            .user_attributes
            .as_ref()
            .and_then(|all| all.get("email_verified"));
        let is_verified = attribute.is_some_and(|said| match said {
            Value::Bool(said) => *said,
            Value::String(said) => said.eq_ignore_ascii_case("true"),
            _ => false,
        });
        name.parse::<AccountName>().is_ok() && !is_verified
    }

    /// What the client says of the tenant that it signs in to: its label.
    pub(crate) fn alias(&self) -> Option<&str> {
        self.request
            .client_metadata
            .as_ref()?
            .get("alias")
            .map(String::as_str)
    }

    /// Puts claims into both tokens. Cognito takes an answer without groups for an order to remove
    /// them, so they are repeated. A machine has an access token only, for which Cognito reads the
    /// same place.
    pub(crate) fn add(&mut self, claims: &Claims) {
        self.response = json!({
            "claimsAndScopeOverrideDetails": {
                "idTokenGeneration": { "claimsToAddOrOverride": claims, "claimsToSuppress": [] },
                "accessTokenGeneration": {
                    "claimsToAddOrOverride": claims,
                    "claimsToSuppress": [],
                    "scopesToAdd": [],
                    "scopesToSuppress": [],
                },
                "groupOverrideDetails": self.request.group_configuration,
            },
        });
    }
}
