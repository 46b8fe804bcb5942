//! Tenants' addresses: the records of Route 53 lead to the tenant's region.

use crate::books::customer;
use crate::life::{administrator, run_lifecycle};
use crate::quiet::{quiet, quiet_for};
use crate::streams::bring_back;
use anyhow::{Context, Result, bail, ensure};
use aws_config::SdkConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, ResourceRecord, ResourceRecordSet, RrType,
};
use deployment::clients::http;
use jiff::SignedDuration;
use journey::journey;
use local_aws::Stack;
use local_aws::names::{DOMAIN, zone};
use meridian::client::operator::Operator;
use meridian::client::tenant::undo_closure;
use meridian::demo::Customer;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const REGION: &str = "eu-central-1";
const REGIONS: [&str; 4] = ["us-east-1", "eu-central-1", "ap-south-1", "us-west-2"];
/// Longer than a DNS record takes to be written, refused attempts included.
const RESOLVES_MAX: Duration = Duration::from_secs(90);
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// The alias of a customer's tenant.
pub(crate) fn alias_of(customer: &Customer) -> Result<String> {
    customer.claims["alias"]
        .as_str()
        .map(str::to_owned)
        .context("the token names the alias")
}

/// Reads the sign-in details from the address of a tenant.
async fn answer_of(stack: &Stack, alias: &str) -> Result<(StatusCode, Value)> {
    let address = stack
        .deployment()
        .tenant_address(alias)
        .context("tenants have addresses")?;
    let answer = http()
        .get(format!("{address}/.well-known/meridian"))
        .send()
        .await?;
    let status = answer.status();
    Ok((
        status,
        serde_json::from_slice(&answer.bytes().await?).unwrap_or_default(),
    ))
}

/// Waits until an address answers as `wanted` requires, and returns the answer.
async fn until(
    stack: &Stack,
    alias: &str,
    wanted: fn(StatusCode, &Value) -> bool,
) -> Result<Value> {
    let deadline = Instant::now() + RESOLVES_MAX;
    loop {
        let (status, answer) = answer_of(stack, alias).await?;
        if wanted(status, &answer) {
            return Ok(answer);
        }
        if Instant::now() > deadline {
            bail!("{alias} still answers {status} {answer}");
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn is_open(status: StatusCode, answer: &Value) -> bool {
    status.is_success() && answer["status"] == "open"
}

fn is_suspended(status: StatusCode, answer: &Value) -> bool {
    status.is_success() && answer["status"] == "suspended"
}

/// Whether there is no record, so no connection. A region that does not know the tenant would
/// answer otherwise.
fn is_gone(status: StatusCode, _: &Value) -> bool {
    status == StatusCode::BAD_GATEWAY
}

/// Reads the record of a name from the hosted zone of a region.
async fn record(stack: &Stack, region: &str, alias: &str) -> Result<Option<String>> {
    let config = stack.emulator_sdk(region)?;
    let client = aws_sdk_route53::Client::new(&config);
    let listed = client
        .list_resource_record_sets()
        .hosted_zone_id(zone(&config).await?)
        .start_record_name(format!("{alias}.{DOMAIN}"))
        .max_items(1)
        .send()
        .await?;
    let found = listed
        .resource_record_sets()
        .iter()
        .find(|set| set.name() == format!("{alias}.{DOMAIN}."));
    Ok(found.and_then(|set| Some(set.resource_records().first()?.value().to_owned())))
}

/// Waits until home's hosted zone has a record, or does not have it any more.
async fn until_recorded(stack: &Stack, alias: &str, exists: bool) -> Result<()> {
    let deadline = Instant::now() + RESOLVES_MAX;
    while record(stack, &stack.deployment().home, alias)
        .await?
        .is_some()
        != exists
    {
        ensure!(
            Instant::now() < deadline,
            "home's zone: {alias} is still {}",
            if exists { "missing" } else { "there" }
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}

/// In every region, a tenant's address answers from the tenant's own region. A subdomain that no
/// tenant has does not answer.
#[journey]
async fn a_tenant_is_reached_by_its_address(stack: &Stack) -> Result<()> {
    for region in REGIONS {
        let customer = customer(stack, region).await?;
        let alias = alias_of(&customer)?;
        let answer = until(stack, &alias, is_open)
            .await
            .with_context(|| region.to_owned())?;
        ensure!(
            (&answer["alias"], &answer["region"]) == (&json!(alias), &json!(region)),
            "{answer}"
        );
        let state = stack.deployment().region(region)?;
        ensure!(
            answer["user_pool_id"] == json!(state.user_pool_id),
            "another region's pool: {answer}"
        );
        let page = http()
            .get(
                stack
                    .deployment()
                    .tenant_address(&alias)
                    .context("an address")?,
            )
            .send()
            .await?;
        let kind = page
            .headers()
            .get("content-type")
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        ensure!(
            page.status().is_success() && kind.starts_with("text/html"),
            "{}: {kind}",
            page.status()
        );
        until_recorded(stack, &alias, true).await?;
        ensure!(
            record(stack, region, &alias)
                .await?
                .is_some_and(|host| host.contains(region)),
            "{region}: {alias}"
        );
    }
    let (status, _) = answer_of(stack, "zzzzzzzzzzzz").await?;
    ensure!(
        status == StatusCode::BAD_GATEWAY,
        "a subdomain that nobody has: {status}"
    );
    Ok(())
}

/// The address of a suspended tenant shows the suspension and nothing else. The address of a
/// closing tenant remains. A closed tenant has no record anywhere.
#[journey(
    alone = "moves the clock of a region's tenants",
    region = "eu-central-1"
)]
async fn an_address_ends_with_its_tenant(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let (alias, tenant) = (alias_of(&host.customer)?, host.customer.tenant.clone());
    until(stack, &alias, is_open).await?;
    quiet_for(stack, &[&host.customer]).await?;
    let operator = Operator::connect(stack.deployment().region(&stack.deployment().home)?).await?;
    operator.suspend(&tenant, "dunning").await?;
    let suspended = until(stack, &alias, is_suspended).await?.to_string();
    ensure!(
        !suspended.contains(&tenant)
            && !suspended.contains(&host.customer.person.details.organisation),
        "{suspended}"
    );
    operator.reactivate(&tenant, "dunning").await?;
    until(stack, &alias, is_open).await?;

    let undo = host.admin.close().await?;
    quiet_for(stack, &[&host.customer]).await?;
    ensure!(
        !is_gone(answer_of(stack, &alias).await?.0, &Value::Null),
        "the address of a closing tenant is gone"
    );
    undo_closure(&stack.deployment().region(REGION)?.api_url, &tenant, &undo).await?;
    until(stack, &alias, is_open).await?;
    host.admin.close().await?;
    let ended = meridian::now() + SignedDuration::from_hours(30 * 24 + 1);
    run_lifecycle(stack, REGION, ended).await?;
    run_lifecycle(stack, REGION, ended + SignedDuration::from_mins(10)).await?;
    until(stack, &alias, is_gone).await?;
    until_recorded(stack, &alias, false).await?;
    ensure!(
        record(stack, REGION, &alias).await?.is_none(),
        "the region's zone has a record"
    );
    quiet_for(stack, &[&host.customer]).await?;
    Ok(())
}

/// While home is down, addresses still answer and new ones are added. When home is back, it has all
/// of them.
#[journey(alone = "stops home")]
async fn addresses_outlive_home(stack: &Stack) -> Result<()> {
    let home = stack.deployment().home.clone();
    let before = alias_of(&customer(stack, REGION).await?)?;
    until(stack, &before, is_open).await?;
    quiet(stack).await?;
    stack.stop_region(&home).await?;
    until(stack, &before, is_open)
        .await
        .context("a known address while home is off")?;
    let meanwhile = alias_of(&customer(stack, REGION).await?)?;
    until(stack, &meanwhile, is_open)
        .await
        .context("a new address while home is off")?;
    bring_back(stack, &home).await?;
    stack.pause_region(&home)?;
    let hung = alias_of(&customer(stack, REGION).await?)?;
    until(stack, &hung, is_open)
        .await
        .context("a new address while home hangs")?;
    stack.resume_region(&home)?;
    for alias in [&before, &meanwhile, &hung] {
        until_recorded(stack, alias, true).await?;
        until(stack, alias, is_open).await?;
    }
    quiet(stack).await
}

/// A configuration for the AWS of a region through its proxy, with the permissions of one of its
/// functions.
pub(crate) async fn as_function(stack: &Stack, region: &str, function: &str) -> Result<SdkConfig> {
    let deployed = stack.deployment().region(region)?.functions.get(function);
    let deployed = deployed.with_context(|| format!("{region} has no function {function}"))?;
    let config = stack.sdk(region)?;
    let about = aws_sdk_lambda::Client::new(&config)
        .get_function_configuration()
        .function_name(deployed)
        .send();
    let role = about
        .await?
        .role()
        .context("a function has its role")?
        .to_owned();
    let assumed = aws_sdk_sts::Client::new(&config)
        .assume_role()
        .role_arn(role)
        .role_session_name(function)
        .send()
        .await;
    let given = assumed
        .context("AssumeRole")?
        .credentials
        .context("AssumeRole gives credentials")?;
    Ok(with_credentials(&config, given))
}

/// The same configuration with other credentials.
pub(crate) fn with_credentials(
    config: &SdkConfig,
    given: aws_sdk_sts::types::Credentials,
) -> SdkConfig {
    let (key, secret, token) = (
        given.access_key_id,
        given.secret_access_key,
        given.session_token,
    );
    let provider = SharedCredentialsProvider::new(Credentials::new(
        key,
        secret,
        Some(token),
        None,
        "scenario",
    ));
    config.to_builder().credentials_provider(provider).build()
}

/// A function without the permission for a DNS change is refused by its own region, and no record
/// changes.
#[journey]
async fn dns_changes_need_permission(stack: &Stack) -> Result<()> {
    let alias = alias_of(&customer(stack, REGION).await?)?;
    until(stack, &alias, is_open).await?;
    let held = record(stack, REGION, &alias).await?.context("a record")?;
    let own = zone(&stack.emulator_sdk(REGION)?).await?;
    let change = |action: ChangeAction, host: &str| {
        let value = ResourceRecord::builder().value(host).build()?;
        let set = ResourceRecordSet::builder()
            .name(format!("{alias}.{DOMAIN}"))
            .r#type(RrType::Cname)
            .ttl(60);
        let change = Change::builder()
            .action(action)
            .resource_record_set(set.resource_records(value).build()?);
        anyhow::Ok(ChangeBatch::builder().changes(change.build()?).build()?)
    };
    for (function, zone, action, host, code) in [
        (
            "heartbeat",
            own.as_str(),
            ChangeAction::Upsert,
            "elsewhere.example",
            "AccessDenied",
        ),
        (
            "policy-apply",
            own.as_str(),
            ChangeAction::Delete,
            held.as_str(),
            "AccessDenied",
        ),
        (
            "routing-apply",
            "ZANOTHERZONE",
            ChangeAction::Upsert,
            "elsewhere.example",
            "AccessDenied",
        ),
        (
            "routing-apply",
            own.as_str(),
            ChangeAction::Delete,
            "elsewhere.example",
            "InvalidChangeBatch",
        ),
    ] {
        let client = aws_sdk_route53::Client::new(&as_function(stack, REGION, function).await?);
        let call = client
            .change_resource_record_sets()
            .hosted_zone_id(zone)
            .change_batch(change(action, host)?);
        let refused = call
            .send()
            .await
            .err()
            .with_context(|| format!("{function} changes a name"))?;
        let body = refused
            .raw_response()
            .and_then(|answer| answer.body().bytes())
            .unwrap_or_default();
        ensure!(
            String::from_utf8_lossy(body).contains(code),
            "{function}: {refused:?}"
        );
        ensure!(
            record(stack, REGION, &alias).await?.as_ref() == Some(&held),
            "{function}: the record is another one"
        );
        ensure!(
            is_open(
                answer_of(stack, &alias).await?.0,
                &answer_of(stack, &alias).await?.1
            ),
            "{function}: no answer"
        );
    }
    Ok(())
}
