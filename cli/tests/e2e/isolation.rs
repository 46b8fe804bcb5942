//! Requests with one tenant's credentials for another tenant's items. The deployed policy refuses
//! them, whatever the handler does.

use crate::life::administrator;
use crate::routing::{as_function, with_credentials};
use anyhow::{Context, Result, bail, ensure};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Get, KeysAndAttributes, Put, TransactGetItem, TransactWriteItem,
};
use aws_sdk_sts::types::Tag;
use journey::journey;
use local_aws::Stack;
use local_aws::sdk::iam;
use serde_json::json;
use std::collections::HashMap;
use std::time::{Duration, Instant};

const REGION: &str = "eu-central-1";
/// The function that acts for tenants.
const FUNCTION: &str = "tenant-api";
/// Longer than the proxy caches a role's policies.
const NOTICED_MAX: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(250);

type Item = HashMap<String, AttributeValue>;

/// The table of tenants, with the credentials of a session.
struct Narrowed {
    client: Client,
    table: String,
}

/// The role that the function assumes for a tenant, from its environment.
async fn tenant_role(stack: &Stack) -> Result<String> {
    let deployed = &stack.deployment().region(REGION)?.functions[FUNCTION];
    let client = aws_sdk_lambda::Client::new(&stack.emulator_sdk(REGION)?);
    let about = client
        .get_function_configuration()
        .function_name(deployed)
        .send()
        .await?;
    let variables = about
        .environment()
        .and_then(|environment| environment.variables());
    variables
        .and_then(|all| all.get("TENANT_ROLE_ARN"))
        .cloned()
        .context("the function has no tenant role")
}

/// Assumes the tenant role as the function does, with these session tags.
async fn session(stack: &Stack, tags: &[(&str, &str)]) -> Result<SdkConfig> {
    let function = as_function(stack, REGION, FUNCTION).await?;
    let tags = tags
        .iter()
        .map(|(name, value)| Tag::builder().key(*name).value(*value).build());
    let assumed = aws_sdk_sts::Client::new(&function)
        .assume_role()
        .role_arn(tenant_role(stack).await?)
        .role_session_name("isolation")
        .set_tags(Some(tags.collect::<Result<_, _>>()?))
        .send()
        .await?;
    Ok(with_credentials(
        &function,
        assumed
            .credentials
            .context("AssumeRole gives credentials")?,
    ))
}

async fn narrowed(stack: &Stack, tenant: &str) -> Result<Narrowed> {
    let table = stack
        .deployment()
        .region(REGION)?
        .tables
        .get("regional")
        .context("a region has its table")?
        .clone();
    Ok(Narrowed {
        client: Client::new(&session(stack, &[("tenant", tenant)]).await?),
        table,
    })
}

fn key(tenant: &str, sort: &str) -> Item {
    let text = |text: String| AttributeValue::S(text);
    HashMap::from([
        ("pk".to_owned(), text(format!("TENANT#{tenant}"))),
        ("sk".to_owned(), text(sort.to_owned())),
    ])
}

/// Whether IAM granted a call (`true`) or refused it (`false`). Any other failure is an error.
fn was_granted<T, E: ProvideErrorMetadata + std::fmt::Debug, R: std::fmt::Debug>(
    call: &str,
    answer: Result<T, SdkError<E, R>>,
) -> Result<bool> {
    match answer {
        Ok(_) => Ok(true),
        Err(error) if error.code() == Some("AccessDeniedException") => Ok(false),
        Err(error) => bail!("{call}: {error:?}"),
    }
}

impl Narrowed {
    /// Tries every operation on the items of some tenants. Returns each with whether it was
    /// granted.
    async fn ways_to(&self, tenants: &[&str]) -> Result<Vec<(&'static str, bool)>> {
        let last = tenants.last().context("at least one tenant is needed")?;
        let Self { client, table } = self;
        let keys: Vec<Item> = tenants.iter().map(|tenant| key(tenant, "TENANT")).collect();
        let mut ways = Vec::new();
        let get = client
            .get_item()
            .table_name(table)
            .set_key(Some(key(last, "TENANT")))
            .send()
            .await;
        ways.push(("GetItem", was_granted("GetItem", get)?));
        let query = client
            .query()
            .table_name(table)
            .key_condition_expression("#pk = :pk");
        let query = query
            .expression_attribute_names("#pk", "pk")
            .expression_attribute_values(":pk", keys_pk(last));
        ways.push(("Query", was_granted("Query", query.send().await)?));
        let batch = KeysAndAttributes::builder()
            .set_keys(Some(keys.clone()))
            .build()?;
        let batch = client
            .batch_get_item()
            .request_items(table, batch)
            .send()
            .await;
        ways.push(("BatchGetItem", was_granted("BatchGetItem", batch)?));
        let gets = keys.iter().map(|key| {
            let get = Get::builder()
                .table_name(table)
                .set_key(Some(key.clone()))
                .build()?;
            anyhow::Ok(TransactGetItem::builder().get(get).build())
        });
        let gets = client
            .transact_get_items()
            .set_transact_items(Some(gets.collect::<Result<_>>()?))
            .send()
            .await;
        ways.push(("TransactGetItems", was_granted("TransactGetItems", gets)?));
        // No such item exists, and the deletion below leaves none behind.
        let put = client
            .put_item()
            .table_name(table)
            .set_item(Some(key(last, "SCENARIO")))
            .send()
            .await;
        ways.push(("PutItem", was_granted("PutItem", put)?));
        let update = client
            .update_item()
            .table_name(table)
            .set_key(Some(key(last, "SCENARIO")));
        ways.push((
            "UpdateItem",
            was_granted("UpdateItem", update.send().await)?,
        ));
        let delete = client
            .delete_item()
            .table_name(table)
            .set_key(Some(key(last, "SCENARIO")))
            .send()
            .await;
        ways.push(("DeleteItem", was_granted("DeleteItem", delete)?));
        ways.push(("TransactWriteItems", self.transacts(tenants).await?));
        Ok(ways)
    }

    async fn transacts(&self, tenants: &[&str]) -> Result<bool> {
        let mut writes = Vec::new();
        for tenant in tenants {
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(key(tenant, "SCENARIO-1")))
                .build()?;
            let delete = Delete::builder()
                .table_name(&self.table)
                .set_key(Some(key(tenant, "SCENARIO-2")))
                .build()?;
            writes.push(TransactWriteItem::builder().put(put).build());
            writes.push(TransactWriteItem::builder().delete(delete).build());
        }
        let sent = self
            .client
            .transact_write_items()
            .set_transact_items(Some(writes))
            .send()
            .await;
        let granted = was_granted("TransactWriteItems", sent)?;
        for tenant in tenants.iter().filter(|_| granted) {
            let key = Some(key(tenant, "SCENARIO-1"));
            self.client
                .delete_item()
                .table_name(&self.table)
                .set_key(key)
                .send()
                .await?;
        }
        Ok(granted)
    }
}

fn keys_pk(tenant: &str) -> AttributeValue {
    AttributeValue::S(format!("TENANT#{tenant}"))
}

/// The credentials of one tenant reach its own items by every operation, and another tenant's by
/// none, neither alone nor together with its own. They reach no user's item, no scan, and no other
/// table.
#[journey]
async fn narrowed_credentials_reach_one_tenant(stack: &Stack) -> Result<()> {
    let (ours, theirs) = (
        administrator(stack, REGION).await?,
        administrator(stack, REGION).await?,
    );
    let (ours, theirs) = (
        ours.customer.tenant.as_str(),
        theirs.customer.tenant.as_str(),
    );
    let narrowed = narrowed(stack, ours).await?;
    for (way, granted) in narrowed.ways_to(&[ours]).await? {
        ensure!(granted, "{way} of the tenant's own items is refused");
    }
    for (way, granted) in narrowed.ways_to(&[theirs]).await? {
        ensure!(!granted, "{way} of another tenant's items is granted");
    }
    for (way, granted) in narrowed.ways_to(&[ours, theirs]).await? {
        ensure!(
            !granted,
            "{way} of another tenant's items is granted beside its own"
        );
    }
    let scan = narrowed
        .client
        .scan()
        .table_name(&narrowed.table)
        .send()
        .await;
    ensure!(
        !was_granted("Scan", scan)?,
        "a tenant's credentials list everything"
    );
    let user = HashMap::from([
        (
            "pk".to_owned(),
            AttributeValue::S("USER#00000000-0000-4000-8000-000000000000".to_owned()),
        ),
        ("sk".to_owned(), AttributeValue::S("USER".to_owned())),
    ]);
    let user = narrowed
        .client
        .get_item()
        .table_name(&narrowed.table)
        .set_key(Some(user))
        .send()
        .await;
    ensure!(
        !was_granted("GetItem", user)?,
        "a tenant's credentials read a user's item"
    );
    let usage = stack
        .deployment()
        .region(REGION)?
        .tables
        .get("usage")
        .context("a region has its usage")?;
    let usage = narrowed
        .client
        .get_item()
        .table_name(usage)
        .set_key(Some(key(ours, "TENANT")))
        .send()
        .await;
    ensure!(
        !was_granted("GetItem", usage)?,
        "a tenant's credentials read another table"
    );
    Ok(())
}

/// A session of the role needs the tag of one tenant and takes no other tag, and only the function
/// may assume the role.
#[journey]
async fn a_tenant_session_is_for_one_tenant(stack: &Stack) -> Result<()> {
    let tenant = administrator(stack, REGION).await?.customer.tenant;
    session(stack, &[("tenant", &tenant)])
        .await
        .context("the function assumes the role for a tenant")?;
    for tags in [
        vec![],
        vec![("tenant", "*")],
        vec![("tenant", tenant.as_str()), ("role", "admin")],
    ] {
        ensure!(
            session(stack, &tags).await.is_err(),
            "the role is assumed with {tags:?}"
        );
    }
    let other = as_function(stack, REGION, "signup-api").await?;
    let tag = Tag::builder().key("tenant").value(&tenant).build()?;
    let client = aws_sdk_sts::Client::new(&other);
    let call = client
        .assume_role()
        .role_arn(tenant_role(stack).await?)
        .role_session_name("isolation")
        .tags(tag);
    ensure!(
        call.send().await.is_err(),
        "another function assumes the role"
    );
    Ok(())
}

/// With its own credentials, before it has assumed a role, the function reads no tenant's items.
#[journey]
async fn the_function_reads_no_tenant_without_the_role(stack: &Stack) -> Result<()> {
    let tenant = administrator(stack, REGION).await?.customer.tenant;
    let table = stack
        .deployment()
        .region(REGION)?
        .tables
        .get("regional")
        .context("a region has its table")?
        .clone();
    let alone = Narrowed {
        client: Client::new(&as_function(stack, REGION, FUNCTION).await?),
        table,
    };
    for (way, granted) in alone.ways_to(&[&tenant]).await? {
        ensure!(
            !granted,
            "{way} of a tenant's items is granted to the function itself"
        );
    }
    Ok(())
}

/// The refusal comes from the deployed policy: with a wider policy the same call is granted, and
/// with the deployed one again it is refused.
#[journey(
    alone = "widens the policy of all tenants' credentials",
    region = "eu-central-1"
)]
async fn the_refusal_comes_from_the_deployed_policy(stack: &Stack) -> Result<()> {
    let (ours, theirs) = (
        administrator(stack, REGION).await?,
        administrator(stack, REGION).await?,
    );
    let narrowed = narrowed(stack, &ours.customer.tenant).await?;
    let wanted = &theirs.customer.tenant;
    ensure!(
        !reads(&narrowed, wanted).await?,
        "another tenant's item is read"
    );
    let role = tenant_role(stack).await?;
    let role = role.rsplit('/').next().context("a role has its name")?;
    let emulator = &stack.local().region(REGION)?.emulator_url;
    let wider = json!({ "Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": "*",
        "Condition": { "ForAllValues:StringLike": { "dynamodb:LeadingKeys": ["TENANT#*"] } },
    }] });
    let named = [("RoleName", role), ("PolicyName", "scenario")];
    let put = [
        ("Action", "PutRolePolicy"),
        ("PolicyDocument", &wider.to_string()),
        named[0],
        named[1],
    ];
    iam(emulator, &put).await?;
    let widened = until_reads(&narrowed, wanted, true).await;
    iam(
        emulator,
        &[("Action", "DeleteRolePolicy"), named[0], named[1]],
    )
    .await?;
    widened.context("with a wider policy")?;
    until_reads(&narrowed, wanted, false)
        .await
        .context("with the deployed policy again")
}

async fn reads(narrowed: &Narrowed, tenant: &str) -> Result<bool> {
    let call = narrowed
        .client
        .get_item()
        .table_name(&narrowed.table)
        .set_key(Some(key(tenant, "TENANT")));
    was_granted("GetItem", call.send().await)
}

async fn until_reads(narrowed: &Narrowed, tenant: &str, wanted: bool) -> Result<()> {
    let deadline = Instant::now() + NOTICED_MAX;
    while reads(narrowed, tenant).await? != wanted {
        ensure!(
            Instant::now() < deadline,
            "another tenant's item is {}read",
            if wanted { "not " } else { "" }
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}
