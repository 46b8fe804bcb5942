//! A deployment's description is read from its stacks, as an operator on AWS does it.

use anyhow::{Context, Result, ensure};
use deployment::described::read;
use deployment::regions::Fleet;
use journey::journey;
use local_aws::Stack;
use local_aws::deploy::NAME;

/// The stacks give the same description as the local stack, except for the URLs.
#[journey]
async fn a_deployment_is_described_from_its_stacks(stack: &Stack) -> Result<()> {
    let fleet = Fleet::load(stack.checkout())?;
    for region in fleet.regions() {
        let code = region.code.as_str();
        let known = stack.deployment().region(code)?;
        let read = read(&stack.emulator_sdk(code)?, NAME, region)
            .await
            .with_context(|| code.to_owned())?;
        let (described, names) = read;
        ensure!(
            names.is_some() && names == stack.deployment().tenants,
            "{code}: {names:?}"
        );
        ensure!(
            described.api_url.contains(".execute-api."),
            "{code}: {}",
            described.api_url
        );
        ensure!(
            described.operator_api_url.is_some() == known.operator_api_url.is_some(),
            "{code}: {described:?}"
        );
        ensure!(
            described.token_url.contains("amazoncognito.com"),
            "{code}: {}",
            described.token_url
        );
        let members = serde_json::to_value(&described)?;
        ensure!(
            ["aws_endpoint_url", "emulator_url", "mail_url"]
                .iter()
                .all(|only_local| members.get(only_local).is_none()),
            "{code}: {members}"
        );
        ensure!(
            described.service_client == known.service_client,
            "{code}: another service client"
        );
        let (operators, known_operators) = (
            &described.tenant_operator_client,
            &known.tenant_operator_client,
        );
        ensure!(
            operators == known_operators && !operators.id.is_empty(),
            "{code}: another client of operators"
        );
        ensure!(
            described.functions == known.functions && described.tables == known.tables,
            "{code}: {described:?}"
        );
    }
    let missing = read(
        &stack.emulator_sdk(&stack.deployment().home)?,
        "no-such-stack",
        &fleet.regions()[0],
    )
    .await;
    ensure!(
        missing.is_err_and(|error| error.to_string().contains("has no stack no-such-stack")),
        "a missing stack"
    );
    Ok(())
}
