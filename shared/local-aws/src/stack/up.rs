//! Brings the stack up: installs, builds, starts, deploys.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::{Context, Result};
use deployment::file::write_json;
use deployment::regions::Fleet;
use deployment::{Deployment, TenantNames};
use futures::future::try_join_all;
use serde_json::Value;

use super::serving::{control_url, plan, serve_process, start_serve};
use super::{Stack, lock, stop_all};
use crate::control::Control;
use crate::deploy::{Deployed, RegionDeployment};
use crate::emulator::{self, Emulator};
use crate::layout::Layout;
use crate::local_json::{self, LocalStack};
use crate::packages::{self, Package};
use crate::ports::Ports;
use crate::progress::Progress;
use crate::{names, sdk, template};

/// How to bring the stack up.
#[derive(Debug, Clone)]
pub struct UpOptions {
    /// The checkout: the folder with `template.yaml` and `regions.toml`.
    pub checkout: PathBuf,
    /// Whether to begin with empty regions instead of the saved ones.
    pub reset: bool,
    /// Where the search for free ports starts; by default derived from the checkout's path.
    pub port_base: Option<u16>,
    /// Where progress is shown.
    pub progress: Progress,
}

impl UpOptions {
    /// The default options for a checkout: keep the regions' state, show no progress.
    pub fn new(checkout: impl Into<PathBuf>) -> Self {
        Self {
            checkout: checkout.into(),
            reset: false,
            port_base: None,
            progress: Progress::silent(),
        }
    }
}

impl Stack {
    /// Brings the stack of a checkout up, or up to date if it runs already.
    ///
    /// # Errors
    /// When a part cannot be installed, built, started or deployed; the message names the part and the reason.
    pub async fn up(options: UpOptions) -> Result<Self> {
        let layout = Layout::new(&options.checkout)?;
        let fleet = Fleet::load(layout.checkout())?;
        let template = layout.checkout().join("template.yaml");
        let template = std::fs::read_to_string(&template)
            .with_context(|| format!("cannot read {}", template.display()))?;
        let template = template::parse(&template)?;
        let _lock = lock(&layout)?;
        if options.reset {
            let step = options.progress.step("reset");
            stop_all(&layout, &fleet).await?;
            remove_state(&layout, &fleet);
            step.done("every region begins empty");
        }
        let progress = &options.progress;
        let ((), executables) =
            tokio::try_join!(install(&layout, progress), build(&layout, progress))?;
        let functions = template::functions(&template);
        let started = start_regions(&layout, &fleet, options.port_base, progress);
        let zipped = zip(&layout, &functions, &executables, progress);
        let (ports, packages) = tokio::try_join!(started, zipped)?;
        let meridian = executables
            .get("meridian")
            .context("the workspace builds no binary `meridian`")?;
        let zones = zones(&ports).await?;
        let bare = plan(&fleet, &ports, &zones, &BTreeMap::new());
        start_serve(&layout, &ports, meridian, &bare, progress).await?;
        let deployed = deploy(&fleet, &ports, &zones, &template, &packages, progress).await?;
        let (deployment, local) = publish(&layout, &fleet, &ports, &zones, deployed).await?;
        Ok(Self {
            layout,
            ports,
            deployment,
            local,
        })
    }
}

fn remove_state(layout: &Layout, fleet: &Fleet) {
    for region in fleet.regions() {
        std::fs::remove_dir_all(layout.region(region.code.as_str())).ok();
    }
    std::fs::remove_dir_all(layout.serve()).ok();
}

async fn install(layout: &Layout, progress: &Progress) -> Result<()> {
    let step = progress.step("local AWS");
    let (sender, mut messages) = tokio::sync::mpsc::unbounded_channel::<String>();
    let for_task = layout.clone();
    let task = tokio::task::spawn_blocking(move || {
        emulator::install(&for_task, &|what| {
            sender.send(what).ok();
        })
    });
    let mut new = false;
    while let Some(what) = messages.recv().await {
        new = true;
        step.at(what);
    }
    task.await??;
    step.done(if new {
        "installed"
    } else {
        "already installed"
    });
    Ok(())
}

async fn build(layout: &Layout, progress: &Progress) -> Result<BTreeMap<String, PathBuf>> {
    let step = progress.step("build");
    let executables = packages::build(layout.checkout(), &step).await?;
    step.done(format!("{} binaries", executables.len()));
    Ok(executables)
}

async fn zip(
    layout: &Layout,
    functions: &[String],
    executables: &BTreeMap<String, PathBuf>,
    progress: &Progress,
) -> Result<Vec<Package>> {
    let step = progress.step("packages");
    let packages = packages::zip_all(layout, functions, executables).await?;
    let bytes: u64 = packages
        .iter()
        .filter_map(|p| std::fs::metadata(&p.path).ok())
        .map(|m| m.len())
        .sum();
    step.done(format!(
        "{} functions, {} MB",
        packages.len(),
        bytes / 1_000_000
    ));
    Ok(packages)
}

async fn start_regions(
    layout: &Layout,
    fleet: &Fleet,
    port_base: Option<u16>,
    progress: &Progress,
) -> Result<Ports> {
    let step = progress.step("regions");
    let before = Ports::load(layout)?;
    let mut held = BTreeSet::new();
    if let Some(before) = &before {
        if serve_process(layout).pid().is_some() {
            held.extend(before.served());
        }
        for (code, ports) in &before.regions {
            if Emulator::new(layout, code, ports).pid().is_some() {
                held.insert(ports.emulator);
            }
        }
    }
    let ports = Ports::choose(layout, fleet, port_base, &held)?;
    let starts = ports.regions.iter().map(|(code, region)| {
        let emulator = Emulator::new(layout, code, region);
        async move { emulator.start().await }
    });
    let started = try_join_all(starts)
        .await?
        .into_iter()
        .filter(|started| *started)
        .count();
    step.done(format!(
        "{started} started, {} were running",
        ports.regions.len() - started
    ));
    Ok(ports)
}

/// Creates the hosted zone for tenants' names in each region, which must exist before a function
/// writes into it.
async fn zones(ports: &Ports) -> Result<BTreeMap<String, String>> {
    let zones = ports.regions.iter().map(|(code, ports)| async move {
        let config = sdk::config(code, &format!("http://127.0.0.1:{}", ports.emulator));
        let zone = names::zone(&config)
            .await
            .with_context(|| format!("region {code}"))?;
        anyhow::Ok((code.clone(), zone))
    });
    Ok(try_join_all(zones).await?.into_iter().collect())
}

async fn deploy(
    fleet: &Fleet,
    ports: &Ports,
    zones: &BTreeMap<String, String>,
    template: &Value,
    packages: &[Package],
    progress: &Progress,
) -> Result<BTreeMap<String, Deployed>> {
    let deployments = fleet.regions().iter().map(|region| {
        let code = region.code.to_string();
        let step = progress.step(format!("deploy {code}"));
        async move {
            let of_region = ports.regions.get(&code).context("a region has its ports")?;
            let zone = zones.get(&code).context("a region has its hosted zone")?;
            let gateway = ports.gateway;
            let deployment = RegionDeployment {
                fleet,
                region,
                ports: of_region,
                gateway,
                zone,
                template,
                packages,
            };
            let deployed = deployment
                .run(&step)
                .await
                .with_context(|| format!("region {code}"))?;
            step.done(&deployed.summary);
            anyhow::Ok((code, deployed))
        }
    });
    Ok(try_join_all(deployments).await?.into_iter().collect())
}

/// Sends the deployed APIs and links to the serve process, and writes `local.json`.
async fn publish(
    layout: &Layout,
    fleet: &Fleet,
    ports: &Ports,
    zones: &BTreeMap<String, String>,
    deployed: BTreeMap<String, Deployed>,
) -> Result<(Deployment, LocalStack)> {
    write_json(&layout.serve_plan(), &plan(fleet, ports, zones, &deployed))?;
    Control::new(control_url(ports)).reload().await?;
    let (mut regions, mut local_regions) = (BTreeMap::new(), BTreeMap::new());
    for (code, deployed) in deployed {
        regions.insert(code.clone(), deployed.region);
        local_regions.insert(code, deployed.local);
    }
    let deployment = Deployment {
        home: fleet.home().to_string(),
        tenants: Some(TenantNames {
            domain: names::DOMAIN.to_owned(),
            url: names::address(ports.gateway),
        }),
        regions,
    };
    let local = LocalStack {
        control_url: control_url(ports),
        regions: local_regions,
    };
    local_json::save(layout, &deployment, &local)?;
    Ok((deployment, local))
}
