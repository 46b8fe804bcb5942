//! What `.meridian/local.json` says of the running stack; a deployment to AWS is described in the
//! same shape.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use kernel::{Jurisdiction, Mode};
use serde::{Deserialize, Serialize};

use super::layout::{Layout, read_json, write_json};

/// Addresses, names and clients of the whole stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalState {
    /// The home region.
    pub home: String,
    /// The domain below which tenants' aliases are; empty where there is none.
    pub domain: String,
    /// The address of a tenant, with `{alias}` for its label, such as
    /// `https://{alias}.app.example.com`; empty where tenants have none.
    #[serde(default)]
    pub tenant_url: String,
    /// The regions by code.
    pub regions: BTreeMap<String, RegionState>,
    /// Where links and faults are steered.
    pub control_url: String,
}

/// Addresses, names and clients of one region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionState {
    /// What may leave the region.
    pub mode: Mode,
    /// Whose law applies.
    pub jurisdiction: Jurisdiction,
    /// The regional HTTP API: `{api_url}/signups`.
    pub api_url: String,
    /// The operator HTTP API, where the region has one.
    pub operator_api_url: Option<String>,
    /// The public HTTP API of the home region.
    #[serde(default)]
    pub home_api_url: Option<String>,
    /// What an AWS SDK calls: the proxy before the emulator. Empty on AWS: its own endpoints.
    pub aws_endpoint_url: String,
    /// The emulator itself, without triggers, faults and cuts. Empty on AWS.
    pub emulator_url: String,
    /// The mails that the region has sent, as JSON. Empty on AWS.
    pub mail_url: String,
    /// The user pool.
    pub user_pool_id: String,
    /// The client of the sign-up and login pages.
    pub client_id: String,
    /// The client of the provider's own services.
    pub service_client: MachineClient,
    /// The client of operators' tools for what must not leave the region.
    #[serde(default)]
    pub tenant_operator_client: MachineClient,
    /// The client of operators' tools, where the region has an operator API.
    pub operator_client: Option<MachineClient>,
    /// The client of the provider's website, in the home region.
    #[serde(default)]
    pub website_client: Option<MachineClient>,
    /// Where machine clients get their tokens.
    pub token_url: String,
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
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
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

impl LocalState {
    /// Reads the state of a checkout's running stack.
    ///
    /// # Errors
    /// When no stack was deployed from this checkout, or the file is damaged.
    pub fn load(checkout: &Path) -> Result<Self> {
        let path = Layout::new(checkout)?.local_json();
        read_json(&path)?.with_context(|| {
            format!(
                "{} does not exist: start the local stack with `meridian local up`",
                path.display()
            )
        })
    }

    /// Reads a file in the shape of `.meridian/local.json`.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn read(path: &Path) -> Result<Self> {
        read_json(path)?.with_context(|| format!("{} does not exist", path.display()))
    }

    /// Writes the state of a checkout's running stack.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, layout: &Layout) -> Result<()> {
        write_json(&layout.local_json(), self)
    }

    /// The address of a tenant by its label, without a slash at its end; none where tenants have
    /// none.
    pub fn tenant_address(&self, label: &str) -> Option<String> {
        (!self.tenant_url.is_empty()).then(|| self.tenant_url.replace("{alias}", label))
    }

    /// One region.
    ///
    /// # Errors
    /// When the fleet has no such region.
    pub fn region(&self, code: &str) -> Result<&RegionState> {
        self.regions.get(code).with_context(|| {
            let known: Vec<&str> = self.regions.keys().map(String::as_str).collect();
            format!(
                "no region {code} in the local stack: there are {}",
                known.join(", ")
            )
        })
    }
}
