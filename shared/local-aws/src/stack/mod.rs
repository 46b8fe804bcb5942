//! The whole stack: starts and stops it, or a single region.

mod serving;
mod status;
mod up;

use std::fs::File;
use std::path::Path;

use anyhow::{Context, Result, bail};
use aws_config::SdkConfig;
use deployment::Deployment;
use deployment::regions::Fleet;
use futures::future::join_all;
use serde_json::Value;

pub use status::{RegionStatus, Status};
pub use up::UpOptions;

use super::control::Control;
use super::emulator::Emulator;
use super::layout::Layout;
use super::local_json::{self, LocalStack};
use super::ports::{Ports, RegionPorts};
use super::sdk::{self, Mail};
use serving::serve_process;

/// A running stack.
#[derive(Debug, Clone)]
pub struct Stack {
    layout: Layout,
    ports: Ports,
    deployment: Deployment,
    local: LocalStack,
}

impl Stack {
    /// Opens the stack of a checkout that is already up.
    ///
    /// # Errors
    /// When no stack is up.
    pub fn open(checkout: &Path) -> Result<Self> {
        let layout = Layout::new(checkout)?;
        let deployment = local_json::deployment(checkout)?;
        let local = LocalStack::load(checkout)?;
        let ports =
            Ports::load(&layout)?.context("no ports were chosen yet: run `meridian local up`")?;
        Ok(Self {
            layout,
            ports,
            deployment,
            local,
        })
    }

    /// Stops the stack of a checkout; every region saves its state for the next start.
    ///
    /// Returns the number of processes stopped.
    ///
    /// # Errors
    /// When a process had to be killed or cannot be ended; the others are stopped nevertheless.
    pub async fn down(checkout: &Path) -> Result<usize> {
        let layout = Layout::new(checkout)?;
        if !layout.root().exists() {
            return Ok(0);
        }
        let fleet = Fleet::load(layout.checkout())?;
        let _lock = lock(&layout)?;
        stop_all(&layout, &fleet).await
    }

    /// The deployed addresses, names and clients.
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// The addresses of emulators, mails, links and faults.
    pub const fn local(&self) -> &LocalStack {
        &self.local
    }

    /// The content of `.meridian/local.json`: both of these in one value.
    ///
    /// # Errors
    /// When a part cannot be serialized.
    pub fn local_json(&self) -> Result<Value> {
        local_json::whole(&self.deployment, &self.local)
    }

    /// The paths of its files.
    pub const fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The checkout.
    pub fn checkout(&self) -> &Path {
        self.layout.checkout()
    }

    /// The control API of links and faults.
    pub fn control(&self) -> Control {
        Control::new(&self.local.control_url)
    }

    /// The configuration of AWS clients for a region through its proxy: triggers, faults and cuts
    /// apply.
    ///
    /// # Errors
    /// When the fleet has no such region.
    pub fn sdk(&self, region: &str) -> Result<SdkConfig> {
        Ok(sdk::config(
            region,
            &self.local.region(region)?.aws_endpoint_url,
        ))
    }

    /// The configuration of AWS clients that bypass faults and cuts, for observation from outside.
    ///
    /// # Errors
    /// When the fleet has no such region.
    pub fn emulator_sdk(&self, region: &str) -> Result<SdkConfig> {
        Ok(sdk::config(
            region,
            &self.local.region(region)?.emulator_url,
        ))
    }

    /// Invokes a function by its own name, such as `heartbeat`, and returns its response.
    ///
    /// # Errors
    /// When the region has no such function, or the function fails: the message holds its report.
    pub async fn invoke(&self, region: &str, function: &str, payload: &Value) -> Result<Value> {
        let deployed = self.deployment.region(region)?.functions.get(function);
        let deployed = deployed.with_context(|| format!("{region} has no function {function}"))?;
        sdk::invoke(&self.emulator_sdk(region)?, deployed, payload).await
    }

    /// The mails that a region has sent, oldest first.
    ///
    /// # Errors
    /// When the region does not answer.
    pub async fn mailbox(&self, region: &str) -> Result<Vec<Mail>> {
        sdk::mailbox(&self.local.region(region)?.mail_url).await
    }

    /// Stops a region: its process ends and saves its state.
    ///
    /// # Errors
    /// When the fleet has no such region, or the process had to be killed or cannot be ended.
    pub async fn stop_region(&self, region: &str) -> Result<()> {
        self.emulator(region)?.stop().await?;
        Ok(())
    }

    /// Starts a region again with its state.
    ///
    /// # Errors
    /// When the fleet has no such region, or the process does not start.
    pub async fn start_region(&self, region: &str) -> Result<bool> {
        self.emulator(region)?.start().await
    }

    /// Freezes a region: calls to it hang instead of being refused.
    ///
    /// # Errors
    /// When the fleet has no such region, or it does not run.
    pub fn pause_region(&self, region: &str) -> Result<()> {
        if !self.emulator(region)?.pause() {
            bail!("region {region} does not run");
        }
        Ok(())
    }

    /// Continues a frozen region.
    ///
    /// # Errors
    /// When the fleet has no such region, or it does not run.
    pub fn resume_region(&self, region: &str) -> Result<()> {
        if !self.emulator(region)?.resume() {
            bail!("region {region} does not run");
        }
        Ok(())
    }

    fn emulator(&self, region: &str) -> Result<Emulator> {
        self.deployment.region(region)?;
        let ports = self
            .ports
            .regions
            .get(region)
            .context("a region has its ports")?;
        Ok(Emulator::new(&self.layout, region, ports))
    }
}

/// Locks the checkout while the stack is changed; waits for another command that changes it.
fn lock(layout: &Layout) -> Result<File> {
    std::fs::create_dir_all(layout.root())
        .with_context(|| format!("cannot create {}", layout.root().display()))?;
    let file = File::options()
        .create(true)
        .append(true)
        .open(layout.lock())
        .context("cannot open the lock")?;
    file.lock().context("cannot lock the local stack")?;
    Ok(file)
}

/// Stops every process, even if one of them cannot be stopped.
async fn stop_all(layout: &Layout, fleet: &Fleet) -> Result<usize> {
    let serve = serve_process(layout)
        .stop()
        .await
        .context("the process for proxies and links");
    let none = RegionPorts {
        emulator: 0,
        proxy: 0,
        api: 0,
        operator_api: 0,
        home_api: 0,
    };
    let stops = fleet.regions().iter().map(|region| {
        let emulator = Emulator::new(layout, region.code.as_str(), &none);
        async move { emulator.stop().await }
    });
    let emulators = join_all(stops).await;
    std::fs::remove_file(layout.local_json()).ok();
    let stopped = std::iter::once(serve)
        .chain(emulators)
        .collect::<Result<Vec<bool>>>()?;
    Ok(stopped.into_iter().filter(|stopped| *stopped).count())
}
