//! The CloudFormation stack of one region: its outputs and its resources.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_cloudformation::types::{ResourceStatus, Stack};
use serde_json::Value;

/// A deployed stack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeployedStack {
    outputs: BTreeMap<String, String>,
    resources: Vec<Resource>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Resource {
    logical: String,
    kind: String,
    physical: String,
}

/// CloudFormation's description of a stack; `None` if there is no stack of this name.
///
/// # Errors
/// When CloudFormation refuses or does not answer.
pub async fn describe(client: &Client, name: &str) -> Result<Option<Stack>> {
    match client.describe_stacks().stack_name(name).send().await {
        Ok(answer) => Ok(answer.stacks.and_then(|stacks| stacks.into_iter().next())),
        Err(error) => {
            let error = error.into_service_error();
            if error
                .message()
                .is_some_and(|message| message.contains("does not exist"))
            {
                return Ok(None);
            }
            Err(error).context("DescribeStacks")
        }
    }
}

impl DeployedStack {
    /// Reads the outputs and resources of a stack; `None` if there is no stack of this name.
    ///
    /// # Errors
    /// When CloudFormation refuses or does not answer.
    pub async fn read(config: &SdkConfig, name: &str) -> Result<Option<Self>> {
        let client = Client::new(config);
        let Some(stack) = describe(&client, name).await? else {
            return Ok(None);
        };
        let outputs = stack.outputs().iter().filter_map(|output| {
            Some((
                output.output_key()?.to_owned(),
                output.output_value()?.to_owned(),
            ))
        });
        Ok(Some(Self {
            outputs: outputs.collect(),
            resources: resources(&client, name).await?,
        }))
    }

    /// An output of the template; `None` if this region's stack lacks it.
    pub fn output(&self, name: &str) -> Option<&str> {
        self.outputs.get(name).map(String::as_str)
    }

    /// An output that every region's stack has.
    ///
    /// # Errors
    /// When the stack lacks it, because it was deployed from another template.
    pub fn needed_output(&self, name: &str) -> Result<String> {
        self.output(name)
            .map(str::to_owned)
            .with_context(|| format!("the stack has no output {name}"))
    }

    /// The physical id of a resource by its logical id.
    pub fn physical(&self, logical: &str) -> Option<&str> {
        let mut resources = self.resources.iter();
        let found = resources.find(|resource| resource.logical == logical)?;
        Some(&found.physical)
    }

    /// The logical and physical ids of all resources of a type.
    pub fn of_type<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let of_kind = self
            .resources
            .iter()
            .filter(move |resource| resource.kind == kind);
        of_kind.map(|resource| (resource.logical.as_str(), resource.physical.as_str()))
    }

    /// Physical ids by the logical id in kebab case: `CentralDeadLetterQueue` is
    /// `central-dead-letter`.
    pub(crate) fn named(&self, kind: &str, suffix: &str) -> BTreeMap<String, String> {
        let named = self.of_type(kind).map(|(logical, physical)| {
            (
                kebab(logical.strip_suffix(suffix).unwrap_or(logical)),
                physical.to_owned(),
            )
        });
        named.collect()
    }

    /// The value of a reference to resources and the region: `Ref` and `Fn::Sub`.
    pub fn resolve(&self, value: &Value, region: &str) -> Option<String> {
        if let Some(text) = value.as_str() {
            return Some(text.to_owned());
        }
        if let Some(name) = value.get("Ref").and_then(Value::as_str) {
            return self.physical(name).map(str::to_owned);
        }
        let mut text = value
            .get("Fn::Sub")?
            .as_str()?
            .replace("${AWS::Region}", region);
        text = text.replace("${AWS::URLSuffix}", "amazonaws.com");
        for resource in &self.resources {
            text = text.replace(&format!("${{{}}}", resource.logical), &resource.physical);
        }
        Some(text)
    }
}

async fn resources(client: &Client, name: &str) -> Result<Vec<Resource>> {
    let mut pages = client
        .list_stack_resources()
        .stack_name(name)
        .into_paginator()
        .items()
        .send();
    let mut found = Vec::new();
    while let Some(resource) = pages.next().await {
        let resource = resource.context("ListStackResources")?;
        if resource.resource_status() == Some(&ResourceStatus::DeleteComplete) {
            continue;
        }
        let named = (
            resource.logical_resource_id(),
            resource.resource_type(),
            resource.physical_resource_id(),
        );
        if let (Some(logical), Some(kind), Some(physical)) = named {
            found.push(Resource {
                logical: logical.to_owned(),
                kind: kind.to_owned(),
                physical: physical.to_owned(),
            });
        }
    }
    Ok(found)
}

/// A Pascal-case name in kebab case: `AuthPreSignUp` is `auth-pre-sign-up`.
fn kebab(pascal: &str) -> String {
    let mut words = String::new();
    for (index, letter) in pascal.char_indices() {
        if letter.is_ascii_uppercase() && index > 0 {
            words.push('-');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn logical_ids_become_kebab_case() {
        assert_eq!(kebab("AuthPreSignUp"), "auth-pre-sign-up");
        assert_eq!(kebab("Ledger"), "ledger");
    }

    #[test]
    fn references_of_authorizers_are_resolved() {
        let stack = DeployedStack {
            resources: vec![Resource {
                logical: "UserPool".to_owned(),
                kind: "AWS::Cognito::UserPool".to_owned(),
                physical: "eu_1".to_owned(),
            }],
            ..DeployedStack::default()
        };
        let issuer =
            json!({"Fn::Sub": "https://cognito-idp.${AWS::Region}.amazonaws.com/${UserPool}"});
        assert_eq!(
            stack.resolve(&issuer, "eu-central-1").as_deref(),
            Some("https://cognito-idp.eu-central-1.amazonaws.com/eu_1")
        );
        assert_eq!(
            stack.resolve(&json!({"Ref": "UserPool"}), "r").as_deref(),
            Some("eu_1")
        );
        assert_eq!(stack.resolve(&json!({"Ref": "Other"}), "r"), None);
    }
}
