//! A deployment as the commands need it: what `meridian connect` reads from the stacks and writes.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::Client;
use kernel::{Jurisdiction, Mode};
use serde::{Deserialize, Serialize};

use crate::file::read_json;
use crate::regions::Region;
use crate::stack::DeployedStack;

/// Addresses, names and clients of all regions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The home region.
    pub home: String,
    /// Where tenants are; absent where they have no addresses of their own.
    #[serde(flatten)]
    pub tenants: Option<TenantNames>,
    /// The regions by code.
    pub regions: BTreeMap<String, DeployedRegion>,
}

/// Where tenants are. The template takes both parts or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantNames {
    /// The domain below which their labels are.
    pub domain: String,
    /// Their addresses, with `{alias}` for the label, such as `https://{alias}.app.example.com`.
    #[serde(rename = "tenant_url")]
    pub url: String,
}

/// Addresses, names and clients of one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployedRegion {
    /// What may leave the region.
    pub mode: Mode,
    /// Whose law applies.
    pub jurisdiction: Jurisdiction,
    /// The regional HTTP API: `{api_url}/signups`.
    pub api_url: String,
    /// The operator HTTP API, where the region has one.
    pub operator_api_url: Option<String>,
    /// The public HTTP API of the home region.
    pub home_api_url: Option<String>,
    /// Where machine clients get their tokens.
    pub token_url: String,
    /// The user pool.
    pub user_pool_id: String,
    /// The client of the sign-up and login pages.
    pub client_id: String,
    /// The client of the provider's own services.
    pub service_client: MachineClient,
    /// The client of operators' tools for what must not leave the region.
    pub tenant_operator_client: MachineClient,
    /// The client of operators' tools, where the region has an operator API.
    pub operator_client: Option<MachineClient>,
    /// The client of the provider's website, in the home region.
    pub website_client: Option<MachineClient>,
    /// The deployed name of each function by its own, such as `signup-api`.
    pub functions: BTreeMap<String, String>,
    /// The deployed name of each table: `regional`, `usage`, `outbox`, `billing`, `central`.
    pub tables: BTreeMap<String, String>,
    /// The URL of each queue: `ledger`, `central-dead-letter` and so on.
    pub queues: BTreeMap<String, String>,
    /// The name of each bus: `regional`, `home`.
    pub buses: BTreeMap<String, String>,
}

/// A client that gets its tokens by its own secret.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineClient {
    /// The client id.
    pub id: String,
    /// The client secret.
    pub secret: String,
}

impl std::fmt::Debug for MachineClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MachineClient")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Where the APIs of a region answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The regional HTTP API.
    pub api_url: String,
    /// The operator HTTP API, where the region has one.
    pub operator_api_url: Option<String>,
    /// The public HTTP API of the home region.
    pub home_api_url: Option<String>,
    /// Where machine clients get their tokens.
    pub token_url: String,
}

impl Deployment {
    /// Reads a file that `meridian connect` wrote.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        read_json(path)?.with_context(|| format!("{} does not exist", path.display()))
    }

    /// The address of a tenant by its label, without a slash at its end; none where tenants have
    /// none.
    pub fn tenant_address(&self, label: &str) -> Option<String> {
        let names = self.tenants.as_ref()?;
        Some(names.url.replace("{alias}", label))
    }

    /// One region.
    ///
    /// # Errors
    /// When the deployment has no such region.
    pub fn region(&self, code: &str) -> Result<&DeployedRegion> {
        self.regions.get(code).with_context(|| {
            let known: Vec<&str> = self.regions.keys().map(String::as_str).collect();
            format!(
                "no region {code} in this deployment: there are {}",
                known.join(", ")
            )
        })
    }
}

impl Addresses {
    /// The addresses that a stack names as its outputs.
    ///
    /// # Errors
    /// When the stack lacks one that every region has.
    pub fn of_outputs(stack: &DeployedStack) -> Result<Self> {
        let optional = |name: &str| stack.output(name).map(str::to_owned);
        Ok(Self {
            api_url: stack.needed_output("RegionalApiUrl")?,
            operator_api_url: optional("OperatorApiUrl"),
            home_api_url: optional("HomeApiUrl"),
            token_url: stack.needed_output("TokenUrl")?,
        })
    }
}

impl TenantNames {
    /// Where a stack says that tenants are; `None` where they have no addresses of their own.
    pub fn of_outputs(stack: &DeployedStack) -> Option<Self> {
        Some(Self {
            domain: stack.output("TenantDomain")?.to_owned(),
            url: stack.output("TenantAddress")?.to_owned(),
        })
    }
}

/// Reads a region that is deployed to AWS from its stack: the region, and where its tenants are.
///
/// # Errors
/// When the region has no such stack, or it lacks an output of the template.
pub async fn read(
    config: &SdkConfig,
    name: &str,
    region: &Region,
) -> Result<(DeployedRegion, Option<TenantNames>)> {
    let stack = DeployedStack::read(config, name).await?;
    let stack = stack.with_context(|| format!("{} has no stack {name}", region.code))?;
    let addresses = Addresses::of_outputs(&stack)?;
    Ok((
        DeployedRegion::describe(config, &stack, region, addresses).await?,
        TenantNames::of_outputs(&stack),
    ))
}

impl DeployedRegion {
    /// Describes a region by its stack, with the secrets of its clients from the user pool.
    ///
    /// # Errors
    /// When the stack lacks an output of the template, or the user pool refuses.
    pub async fn describe(
        config: &SdkConfig,
        stack: &DeployedStack,
        region: &Region,
        addresses: Addresses,
    ) -> Result<Self> {
        let user_pool_id = stack.needed_output("UserPoolId")?;
        let pools = Client::new(config);
        let needed = async |name: &str| {
            machine_client(&pools, &user_pool_id, stack.needed_output(name)?).await
        };
        let optional = async |name: &str| match stack.output(name) {
            Some(id) => machine_client(&pools, &user_pool_id, id.to_owned())
                .await
                .map(Some),
            None => Ok(None),
        };
        Ok(Self {
            mode: region.mode,
            jurisdiction: region.jurisdiction.clone(),
            api_url: addresses.api_url,
            operator_api_url: addresses.operator_api_url,
            home_api_url: addresses.home_api_url,
            token_url: addresses.token_url,
            client_id: stack.needed_output("UserPoolClientId")?,
            service_client: needed("ServiceClientId").await?,
            tenant_operator_client: needed("TenantOperatorClientId").await?,
            operator_client: optional("OperatorClientId").await?,
            website_client: optional("WebsiteClientId").await?,
            functions: stack.named("AWS::Lambda::Function", "Function"),
            tables: stack.named("AWS::DynamoDB::Table", "Table"),
            queues: stack.named("AWS::SQS::Queue", "Queue"),
            buses: stack.named("AWS::Events::EventBus", "Bus"),
            user_pool_id,
        })
    }
}

async fn machine_client(pools: &Client, pool: &str, id: String) -> Result<MachineClient> {
    let described = pools
        .describe_user_pool_client()
        .user_pool_id(pool)
        .client_id(&id)
        .send()
        .await;
    let described = described.context("DescribeUserPoolClient")?;
    let secret = described
        .user_pool_client()
        .and_then(|client| client.client_secret());
    let secret = secret.with_context(|| format!("client {id} has no secret"))?;
    Ok(MachineClient {
        secret: secret.to_owned(),
        id,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tenants_have_addresses_or_the_file_says_nothing_of_them() {
        let mut file = json!({ "home": "us-east-1", "regions": {} });
        let plain: Deployment = serde_json::from_value(file.clone()).unwrap();
        assert_eq!(plain.tenants, None);
        assert_eq!(plain.tenant_address("k3"), None);
        assert_eq!(serde_json::to_value(&plain).unwrap(), file);
        file["domain"] = json!("app.example.com");
        file["tenant_url"] = json!("https://{alias}.app.example.com");
        let named: Deployment = serde_json::from_value(file.clone()).unwrap();
        assert_eq!(
            named.tenant_address("k3").as_deref(),
            Some("https://k3.app.example.com")
        );
        assert_eq!(serde_json::to_value(&named).unwrap(), file);
    }

    #[test]
    fn a_clients_secret_is_not_in_its_debug_text() {
        let client = MachineClient {
            id: "known".to_owned(),
            secret: "hidden".to_owned(),
        };
        let text = format!("{client:?}");
        assert!(text.contains("known") && !text.contains("hidden"), "{text}");
    }
}
