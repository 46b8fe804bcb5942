//! `.meridian/local.json`: the deployed resources, and the addresses of the local stack.
//!
//! One file with two parts, so that people and programs find all of a region in one place: the
//! [`Deployment`], in the form that `meridian connect` writes for AWS, and the [`LocalStack`] of
//! emulators behind it.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use deployment::Deployment;
use deployment::file::write_json;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::layout::{Layout, read_json};

/// The addresses that only a local stack has, beside those of its [`Deployment`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalStack {
    /// The control API of links and faults.
    pub control_url: String,
    /// The regions by code.
    pub regions: BTreeMap<String, LocalRegion>,
}

/// The addresses of one region's emulator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalRegion {
    /// The endpoint for AWS SDKs: the proxy in front of the emulator.
    pub aws_endpoint_url: String,
    /// The emulator itself, which bypasses triggers, faults and cuts.
    pub emulator_url: String,
    /// The mails that the region has sent, in JSON.
    pub mail_url: String,
}

impl LocalStack {
    /// Reads the addresses of a checkout's running stack.
    ///
    /// # Errors
    /// When no stack was deployed from this checkout, or the file is damaged.
    pub fn load(checkout: &Path) -> Result<Self> {
        load(checkout)
    }

    /// One region.
    ///
    /// # Errors
    /// When the stack has no such region.
    pub fn region(&self, code: &str) -> Result<&LocalRegion> {
        self.regions
            .get(code)
            .with_context(|| format!("no region {code} in the local stack"))
    }
}

/// Reads the deployment of a checkout's running stack.
///
/// # Errors
/// When no stack was deployed from this checkout, or the file is damaged.
pub fn deployment(checkout: &Path) -> Result<Deployment> {
    load(checkout)
}

/// Reads one part of the file and ignores the members of the other.
fn load<T: DeserializeOwned>(checkout: &Path) -> Result<T> {
    let path = Layout::new(checkout)?.local_json();
    read_json(&path)?.with_context(|| {
        format!(
            "{} does not exist: start the local stack with `meridian local up`",
            path.display()
        )
    })
}

/// Both parts in one value, as in the file.
///
/// # Errors
/// When a part cannot be serialized.
pub(crate) fn whole(deployment: &Deployment, local: &LocalStack) -> Result<Value> {
    let mut whole = serde_json::to_value(deployment)?;
    merge(&mut whole, serde_json::to_value(local)?);
    Ok(whole)
}

/// Writes both parts.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn save(layout: &Layout, deployment: &Deployment, local: &LocalStack) -> Result<()> {
    write_json(&layout.local_json(), &whole(deployment, local)?)
}

/// Merges one JSON value into another: objects member by member, any other value by replacement.
fn merge(into: &mut Value, from: Value) {
    match (into, from) {
        (Value::Object(into), Value::Object(from)) => {
            for (name, value) in from {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, from) => *into = from,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_file_holds_both_parts() {
        let client = json!({ "id": "c", "secret": "s" });
        let deployed = json!({
            "home": "us-east-1",
            "domain": "localhost",
            "tenant_url": "http://{alias}.localhost:20001",
            "regions": { "us-east-1": {
                "mode": "shared",
                "jurisdiction": "us",
                "api_url": "http://127.0.0.1:20003",
                "operator_api_url": "http://127.0.0.1:20004",
                "home_api_url": null,
                "token_url": "http://127.0.0.1:20002/oauth2/token",
                "user_pool_id": "us-east-1_a",
                "client_id": "people",
                "service_client": client,
                "tenant_operator_client": client,
                "operator_client": client,
                "website_client": null,
                "functions": { "signup-api": "meridian-signup-api" },
                "tables": {},
                "queues": {},
                "buses": {},
            } },
        });
        let local = json!({
            "control_url": "http://127.0.0.1:20000",
            "regions": { "us-east-1": {
                "aws_endpoint_url": "http://127.0.0.1:20002",
                "emulator_url": "http://127.0.0.1:20009",
                "mail_url": "http://127.0.0.1:20009/_ministack/ses/messages",
            } },
        });
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path()).unwrap();
        let parts: (Deployment, LocalStack) = (
            serde_json::from_value(deployed.clone()).unwrap(),
            serde_json::from_value(local).unwrap(),
        );
        save(&layout, &parts.0, &parts.1).unwrap();
        assert_eq!(deployment(folder.path()).unwrap(), parts.0);
        assert_eq!(LocalStack::load(folder.path()).unwrap(), parts.1);
        let whole: Value = read_json(&layout.local_json()).unwrap().unwrap();
        let region = &whole["regions"]["us-east-1"];
        assert_eq!(region["client_id"], "people");
        assert_eq!(region["aws_endpoint_url"], "http://127.0.0.1:20002");
        assert_eq!(serde_json::to_value(&parts.0).unwrap(), deployed);
    }

    #[test]
    fn the_error_without_a_stack_names_the_command_that_starts_one() {
        let folder = tempfile::tempdir().unwrap();
        let error = deployment(folder.path()).unwrap_err().to_string();
        assert!(error.contains("meridian local up"), "{error}");
    }
}
