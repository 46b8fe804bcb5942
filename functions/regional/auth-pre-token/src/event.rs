//! The trigger's event in versions 2 and 3. They differ only in that version 3 also covers
//! machines. The struct names the members that matter; the others are returned unchanged.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use tenancy::{AccountName, Claims};

/// The trigger source of a machine's token; a machine has no username.
const MACHINE: &str = "TokenGeneration_ClientCredentials";

/// Cognito's request before it issues a token. It holds a person's attributes, so it has no
/// `Debug`.
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

/// The bearer of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bearer<'a> {
    /// A person, by username.
    Person(&'a str),
    /// A machine, by client id.
    Machine(&'a str),
}

impl PreToken {
    /// The bearer of the token; none where the event has no username.
    pub(crate) fn bearer(&self) -> Option<Bearer<'_>> {
        if self.trigger_source == MACHINE {
            return Some(Bearer::Machine(&self.caller_context.client_id));
        }
        self.user_name
            .as_deref()
            .filter(|name| !name.is_empty())
            .map(Bearer::Person)
    }

    /// Whether the tenant's own identity provider vouches for the account without reporting the
    /// address as verified.
    pub(crate) fn is_unverified(&self) -> bool {
        let name = self.user_name.as_deref().unwrap_or_default();
        let attribute = self
            .request
            .user_attributes
            .as_ref()
            .and_then(|all| all.get("email_verified"));
        let is_verified = attribute.is_some_and(|value| match value {
            Value::Bool(verified) => *verified,
            Value::String(text) => text.eq_ignore_ascii_case("true"),
            _ => false,
        });
        name.parse::<AccountName>().is_ok() && !is_verified
    }

    /// The alias of the tenant that the client wants to sign in to, where it sends one.
    pub(crate) fn alias(&self) -> Option<&str> {
        self.request
            .client_metadata
            .as_ref()?
            .get("alias")
            .map(String::as_str)
    }

    /// Adds claims to both tokens. Cognito removes the groups if the response has none, so they are
    /// repeated. A machine has an access token only, for which Cognito reads the same member.
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
