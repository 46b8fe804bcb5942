//! The description of a deployment: `meridian connect` reads it from the stacks and writes it to a
//! file.

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
    /// The tenants' domain and addresses; absent if tenants have no addresses of their own.
    #[serde(flatten)]
    pub tenants: Option<TenantNames>,
    /// The regions by code.
    pub regions: BTreeMap<String, DeployedRegion>,
}

/// The tenants' domain and addresses. The template takes both or neither.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantNames {
    /// The parent domain of the tenants' names.
    pub domain: String,
    /// The pattern of their addresses, with `{alias}` in place of the tenant's alias, such as
    /// `https://{alias}.app.example.com`.
    #[serde(rename = "tenant_url")]
    pub url: String,
}

/// Addresses, names and clients of one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeployedRegion {
    /// What may leave the region.
    pub mode: Mode,
    /// The jurisdiction that the tenants' data is under.
    pub jurisdiction: Jurisdiction,
    /// The regional HTTP API: `{api_url}/signups`.
    pub api_url: String,
    /// The operator HTTP API, in regions that have one.
    pub operator_api_url: Option<String>,
    /// The public HTTP API of the home region.
    pub home_api_url: Option<String>,
    /// The endpoint where machine clients get tokens.
    pub token_url: String,
    /// The user pool.
    pub user_pool_id: String,
    /// The client of the sign-up and login pages.
    pub client_id: String,
    /// The machine client of the provider's own services.
    pub service_client: MachineClient,
    /// The machine client of operators' tools for data that must not leave the region.
    pub tenant_operator_client: MachineClient,
    /// The machine client of operators' tools, in regions with an operator API.
    pub operator_client: Option<MachineClient>,
    /// The machine client of the provider's website, in the home region.
    pub website_client: Option<MachineClient>,
    /// The deployed name of each function by its own name, such as `signup-api`.
    pub functions: BTreeMap<String, String>,
    /// The deployed name of each table: `regional`, `usage`, `outbox`, `billing`, `central`.
    pub tables: BTreeMap<String, String>,
    /// The URL of each queue: `ledger`, `central-dead-letter` and so on.
    pub queues: BTreeMap<String, String>,
    /// The name of each bus: `regional`, `home`.
    pub buses: BTreeMap<String, String>,
}

/// A client that gets tokens with a secret (OAuth client credentials).
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

/// The addresses of a region's APIs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addresses {
    /// The regional HTTP API.
    pub api_url: String,
    /// The operator HTTP API, in regions that have one.
    pub operator_api_url: Option<String>,
    /// The public HTTP API of the home region.
    pub home_api_url: Option<String>,
    /// The endpoint where machine clients get tokens.
    pub token_url: String,
}

impl Deployment {
    /// Reads a file written by `meridian connect`.
    ///
    /// # Errors
    /// When the file does not exist, or is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        read_json(path)?.with_context(|| format!("{} does not exist", path.display()))
    }

    /// The address of a tenant by its alias or custom subdomain, without a trailing slash; `None`
    /// if tenants have no addresses of their own.
    pub fn tenant_address(&self, subdomain: &str) -> Option<String> {
        let names = self.tenants.as_ref()?;
        Some(names.url.replace("{alias}", subdomain))
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
    /// Reads the addresses from a stack's outputs.
    ///
    /// # Errors
    /// When the stack lacks an output that every region has.
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
    /// Reads the tenants' domain and addresses from a stack's outputs; `None` if it has none.
    pub fn of_outputs(stack: &DeployedStack) -> Option<Self> {
        Some(Self {
            domain: stack.output("TenantDomain")?.to_owned(),
            url: stack.output("TenantAddress")?.to_owned(),
        })
    }
}

/// Reads a region from its stack on AWS: the region, and its tenants' domain and addresses.
///
/// # Errors
/// When the region has no such stack, or the stack lacks an output of the template.
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
    /// Describes a region from its stack, with the secrets of its clients from the user pool.
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
    fn a_file_without_tenant_addresses_is_read_and_written_unchanged() {
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
