//! The status of a stack, running or not.

use std::path::Path;

use anyhow::Result;
use deployment::regions::Fleet;
use serde::{Deserialize, Serialize};

use super::Stack;
use super::serving::{control_url, serve_process};
use crate::control::{Control, LinkStatus};
use crate::emulator::Emulator;
use crate::layout::Layout;
use crate::local_json::{self, LocalStack};
use crate::names;
use crate::ports::Ports;

/// The status of a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionStatus {
    /// The region.
    pub region: String,
    /// Its mode.
    pub mode: String,
    /// Whether it is home.
    pub home: bool,
    /// The id of its emulator's process, while that runs.
    pub pid: Option<u32>,
    /// Whether the emulator answers.
    pub healthy: bool,
    /// How many functions are deployed.
    pub functions: usize,
    /// The regional HTTP API.
    pub api_url: Option<String>,
    /// The AWS endpoint.
    pub aws_endpoint_url: Option<String>,
}

/// The status of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Whether every region and the serve process run and answer.
    pub running: bool,
    /// The id of the serve process, while that runs.
    pub serve_pid: Option<u32>,
    /// The control API, while the stack runs.
    pub control_url: Option<String>,
    /// The address of a tenant, with `{alias}` in place of the tenant's alias, while the stack
    /// runs.
    pub tenant_url: Option<String>,
    /// The regions.
    pub regions: Vec<RegionStatus>,
    /// The links.
    pub links: Vec<LinkStatus>,
}

impl Stack {
    /// The status of a checkout's stack, running or not.
    ///
    /// # Errors
    /// When the checkout has no `regions.toml`, or it is damaged.
    pub async fn status(checkout: &Path) -> Result<Status> {
        let layout = Layout::new(checkout)?;
        let fleet = Fleet::load(layout.checkout())?;
        let ports = Ports::load(&layout)?;
        let deployment = local_json::deployment(checkout).ok();
        let local = LocalStack::load(checkout).ok();
        let mut regions = Vec::new();
        for region in fleet.regions() {
            let code = region.code.as_str();
            let emulator = ports.as_ref().and_then(|ports| ports.regions.get(code));
            let emulator = emulator.map(|ports| Emulator::new(&layout, code, ports));
            let pid = emulator.as_ref().and_then(Emulator::pid);
            let healthy = match &emulator {
                Some(emulator) if pid.is_some() => emulator.is_healthy().await,
                _ => false,
            };
            let deployed = deployment.as_ref().and_then(|all| all.regions.get(code));
            let answers = local.as_ref().and_then(|all| all.regions.get(code));
            regions.push(RegionStatus {
                region: code.to_owned(),
                mode: region.mode.to_string(),
                home: fleet.is_home(code),
                pid,
                healthy,
                functions: deployed.map_or(0, |region| region.functions.len()),
                api_url: deployed.map(|region| region.api_url.clone()),
                aws_endpoint_url: answers.map(|region| region.aws_endpoint_url.clone()),
            });
        }
        let serve_pid = serve_process(&layout).pid();
        let served = ports.filter(|_| serve_pid.is_some());
        let (control_url, tenant_url) = served
            .map(|ports| (control_url(&ports), names::address(ports.gateway)))
            .unzip();
        let links = match &control_url {
            Some(url) => Control::new(url).links().await.unwrap_or_default(),
            None => Vec::new(),
        };
        let running = serve_pid.is_some() && regions.iter().all(|region| region.healthy);
        Ok(Status {
            running,
            serve_pid,
            control_url,
            tenant_url,
            regions,
            links,
        })
    }
}
