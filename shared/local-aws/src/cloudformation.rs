//! Creates or updates the stack of one region, and waits until it is done.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Error, Result, anyhow, bail};
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::ProvideErrorMetadata as _;
use aws_sdk_cloudformation::types::{Capability, Parameter, ResourceStatus, StackStatus};
use deployment::stack::describe;

use super::deploy::NAME;
use super::progress::Step;

/// How long a deployment may take, in seconds.
const DEPLOY_SECONDS: u64 = 300;

/// Creates or updates the stack and waits for it. Returns what was done, as a word for people.
pub(crate) async fn deploy(
    client: &Client,
    url: &str,
    parameters: &BTreeMap<String, String>,
    step: &Step,
) -> Result<&'static str> {
    let parameters: Vec<Parameter> = parameters
        .iter()
        .map(|(key, value)| {
            Parameter::builder()
                .parameter_key(key)
                .parameter_value(value)
                .build()
        })
        .collect();
    let capabilities = vec![
        Capability::CapabilityNamedIam,
        Capability::CapabilityAutoExpand,
    ];
    let existing = describe(client, NAME).await?;
    let status = existing
        .as_ref()
        .and_then(|stack| stack.stack_status().cloned());
    let usable = status.as_ref().is_some_and(|status| !is_dead(status));
    if existing.is_some() && !usable {
        client
            .delete_stack()
            .stack_name(NAME)
            .send()
            .await
            .context("DeleteStack")?;
        wait(client, step).await?;
    }
    if usable {
        let updated = client
            .update_stack()
            .stack_name(NAME)
            .template_url(url)
            .set_parameters(Some(parameters))
            .set_capabilities(Some(capabilities))
            .send()
            .await;
        if let Err(error) = updated {
            let error = error.into_service_error();
            if error
                .message()
                .is_some_and(|message| message.contains("No updates"))
            {
                return Ok("unchanged");
            }
            return Err(refused(error.message()));
        }
    } else {
        let created = client
            .create_stack()
            .stack_name(NAME)
            .template_url(url)
            .set_parameters(Some(parameters))
            .set_capabilities(Some(capabilities))
            .send()
            .await;
        if let Err(error) = created {
            return Err(refused(error.into_service_error().message()));
        }
    }
    match wait(client, step).await? {
        Some(StackStatus::CreateComplete) => Ok("created"),
        Some(StackStatus::UpdateComplete) => Ok("updated"),
        status => {
            let status = status.map_or_else(|| "gone".to_owned(), |status| status.to_string());
            bail!(
                "the deployment failed ({status}): {}",
                first_failure(client).await
            )
        }
    }
}

/// Whether a stack of this status has to be deleted before it can be created again.
fn is_dead(status: &StackStatus) -> bool {
    use StackStatus::{
        CreateFailed, DeleteFailed, RollbackComplete, RollbackFailed, UpdateRollbackFailed,
    };
    matches!(
        status,
        CreateFailed | DeleteFailed | RollbackComplete | RollbackFailed | UpdateRollbackFailed
    )
}

/// The error of a template that CloudFormation does not take.
fn refused(reason: Option<&str>) -> Error {
    anyhow!(
        "the template was refused: {}",
        reason.unwrap_or("no reason given")
    )
}

async fn wait(client: &Client, step: &Step) -> Result<Option<StackStatus>> {
    let deadline = Instant::now() + Duration::from_secs(DEPLOY_SECONDS);
    loop {
        let stack = describe(client, NAME).await?;
        let Some(status) = stack.and_then(|stack| stack.stack_status().cloned()) else {
            return Ok(None);
        };
        if status == StackStatus::DeleteComplete {
            return Ok(None);
        }
        if !status.as_str().ends_with("_IN_PROGRESS") {
            return Ok(Some(status));
        }
        if Instant::now() > deadline {
            bail!("the deployment is not done after {DEPLOY_SECONDS} s");
        }
        step.at(format!("deploying: {}", status.as_str().to_lowercase()));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// The reason of the earliest failed resource of the last operation; later failures follow from it.
async fn first_failure(client: &Client) -> String {
    // Events come newest first, so the start of the operation ends the search.
    let mut events = client
        .describe_stack_events()
        .stack_name(NAME)
        .into_paginator()
        .items()
        .send();
    let mut first = None;
    while let Some(Ok(event)) = events.next().await {
        use ResourceStatus::{
            CreateFailed, CreateInProgress, DeleteFailed, UpdateFailed, UpdateInProgress,
        };
        let of_stack = event.resource_type() == Some("AWS::CloudFormation::Stack");
        match event.resource_status() {
            Some(CreateFailed | UpdateFailed | DeleteFailed) if !of_stack => {
                let reason = event
                    .resource_status_reason()
                    .unwrap_or("no reason was given");
                if !reason.contains("cancelled") {
                    let (logical, kind) = (event.logical_resource_id(), event.resource_type());
                    let named = format!(
                        "{} ({})",
                        logical.unwrap_or_default(),
                        kind.unwrap_or_default()
                    );
                    first = Some(format!("{named}: {reason}"));
                }
            }
            Some(CreateInProgress | UpdateInProgress) if of_stack => break,
            _ => {}
        }
    }
    first.unwrap_or_else(|| "no reason was given".to_owned())
}
