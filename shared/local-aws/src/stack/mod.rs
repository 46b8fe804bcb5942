//! The whole stack: up, down, and one region away and back.

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
    /// The stack of a checkout that was brought up before.
    ///
    /// # Errors
    /// When none is up.
    pub fn open(checkout: &Path) -> Result<Self> {
        let layout = Layout::new(checkout)?;
        let deployment = local_json::deployment(checkout)?;
        let local = LocalStack::load(checkout)?;
        let ports = Ports::load(&layout)?.context("no ports are known: run `meridian local up`")?;
        Ok(Self {
            layout,
            ports,
            deployment,
            local,
        })
    }

    /// Stops the stack of a checkout; every region keeps its state for the next time.
    ///
    /// Returns how many processes were stopped.
    ///
    /// # Errors
    /// When a process had to be killed or cannot be ended; the others are stopped all the same.
    pub async fn down(checkout: &Path) -> Result<usize> {
        let layout = Layout::new(checkout)?;
        if !layout.root().exists() {
            return Ok(0);
        }
        let fleet = Fleet::load(layout.checkout())?;
        let _lock = lock(&layout)?;
        stop_all(&layout, &fleet).await
    }

    /// What is deployed: addresses, names and clients.
    pub const fn deployment(&self) -> &Deployment {
        &self.deployment
    }

    /// Where the emulators, their mails, and links and faults answer.
    pub const fn local(&self) -> &LocalStack {
        &self.local
    }

    /// What `.meridian/local.json` says: both of these in one.
    ///
    /// # Errors
    /// When a part is no JSON.
    pub fn local_json(&self) -> Result<Value> {
        local_json::whole(&self.deployment, &self.local)
    }

    /// Where its files are.
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

    /// The configuration of AWS clients for a region, through its proxy: with triggers, faults and
    /// cuts.
    ///
    /// # Errors
    /// When the fleet has no such region.
    pub fn sdk(&self, region: &str) -> Result<SdkConfig> {
        Ok(sdk::config(
            region,
            &self.local.region(region)?.aws_endpoint_url,
        ))
    }

    /// The configuration of AWS clients that a fault or cut does not meet: for looking on from
    /// outside.
    ///
    /// # Errors
    /// When the fleet has no such region.
    pub fn emulator_sdk(&self, region: &str) -> Result<SdkConfig> {
        Ok(sdk::config(
            region,
            &self.local.region(region)?.emulator_url,
        ))
    }

    /// Invokes a function by its own name, such as `heartbeat`, and returns its answer.
    ///
    /// # Errors
    /// When the region has no such function, or it fails: the message holds its report.
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

    /// Takes a region away: its process ends and keeps its state.
    ///
    /// # Errors
    /// When the fleet has no such region, or the process had to be killed or cannot be ended.
    pub async fn stop_region(&self, region: &str) -> Result<()> {
        self.emulator(region)?.stop().await?;
        Ok(())
    }

    /// Brings a region back with its state. Returns whether it was away.
    ///
    /// # Errors
    /// When the fleet has no such region, or the process does not start.
    pub async fn start_region(&self, region: &str) -> Result<bool> {
        self.emulator(region)?.start().await
    }

    /// Freezes a region: it hangs instead of refusing.
    ///
    /// # Errors
    /// When the fleet has no such region, or it does not run.
    pub fn pause_region(&self, region: &str) -> Result<()> {
        if !self.emulator(region)?.pause() {
            bail!("region {region} does not run");
        }
        Ok(())
    }

    /// Lets a frozen region go on.
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

/// Holds the checkout's lock while the stack is changed; waits for another command that changes it.
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

/// Stops every process, also where one of them does not end as it should.
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
