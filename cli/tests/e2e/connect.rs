//! A deployment is described from its stack, as an operator on AWS does it.

use anyhow::{Context, Result, ensure};
use journey::journey;
use meridian::local::Stack;
use meridian::local::deploy::{NAME, read};
use meridian::regions::Fleet;

/// What the stacks say is what the local stack knows, but for where it answers.
#[journey]
async fn a_deployment_is_described_from_its_stacks(stack: &Stack) -> Result<()> {
    let fleet = Fleet::load(stack.checkout())?;
    for region in fleet.regions() {
        let code = region.code.as_str();
        let known = stack.state().region(code)?;
        let read = read(&stack.emulator_sdk(code)?, NAME, region)
            .await
            .with_context(|| code.to_owned())?;
        let (described, names) = read;
        ensure!(
            names.domain == stack.state().domain && names.url == stack.state().tenant_url,
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
        ensure!(
            described.aws_endpoint_url.is_empty(),
            "{code}: {}",
            described.aws_endpoint_url
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
        &stack.emulator_sdk(&stack.state().home)?,
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
