//! The whole stack: up, down, and one region away and back.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use aws_config::SdkConfig;
use futures::future::{join_all, try_join_all};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::control::{Control, LinkStatus};
use super::deploy::{Deployed, Deployment};
use super::emulator::{self, Emulator, log_end};
use super::layout::{Layout, write_json, write_whole};
use super::names;
use super::packages::{self, Package};
use super::ports::{Ports, RegionPorts};
use super::process::Detached;
use super::progress::Progress;
use super::sdk::{self, Mail};
use super::serve::{ApiPlan, Plan, RegionPlan};
use super::state::LocalState;
use super::template;
use crate::regions::Fleet;

/// How long the serve process may take until it answers.
const SERVE_SECONDS: u64 = 20;

/// How to bring the stack up.
#[derive(Debug, Clone)]
pub struct UpOptions {
    /// The checkout: the folder with `template.yaml` and `regions.toml`.
    pub checkout: PathBuf,
    /// Whether to begin with empty regions instead of those of last time.
    pub reset: bool,
    /// Where to look for free ports first; the checkout has a place of its own.
    pub port_base: Option<u16>,
    /// Where progress is shown.
    pub progress: Progress,
}

impl UpOptions {
    /// The usual options for a checkout: keep what is there, show nothing.
    pub fn new(checkout: impl Into<PathBuf>) -> Self {
        Self {
            checkout: checkout.into(),
            reset: false,
            port_base: None,
            progress: Progress::silent(),
        }
    }
}

/// A running stack.
#[derive(Debug, Clone)]
pub struct Stack {
    layout: Layout,
    ports: Ports,
    state: LocalState,
}

/// How a region fares.
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

/// How the stack fares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Whether every region and the serve process run and answer.
    pub running: bool,
    /// The id of the serve process, while that runs.
    pub serve_pid: Option<u32>,
    /// The control API, while the stack runs.
    pub control_url: Option<String>,
    /// The address of a tenant, with `{alias}` for its label, while the stack runs.
    pub tenant_url: Option<String>,
    /// The regions.
    pub regions: Vec<RegionStatus>,
    /// The links.
    pub links: Vec<LinkStatus>,
}

impl Stack {
    /// Brings the stack of a checkout up, or up to date where it runs already.
    ///
    /// # Errors
    /// When a part cannot be installed, built, started or deployed; the message says which and why.
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
        let state = publish(&layout, &fleet, &ports, &zones, deployed).await?;
        Ok(Self {
            layout,
            ports,
            state,
        })
    }

    /// The stack of a checkout that was brought up before.
    ///
    /// # Errors
    /// When none is up.
    pub fn open(checkout: &Path) -> Result<Self> {
        let layout = Layout::new(checkout)?;
        let state = LocalState::load(checkout)?;
        let ports = Ports::load(&layout)?.context("no ports are known: run `meridian local up`")?;
        Ok(Self {
            layout,
            ports,
            state,
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

    /// How the stack of a checkout fares, running or not.
    ///
    /// # Errors
    /// When the checkout has no fleet.
    pub async fn status(checkout: &Path) -> Result<Status> {
        let layout = Layout::new(checkout)?;
        let fleet = Fleet::load(layout.checkout())?;
        let ports = Ports::load(&layout)?;
        let state = LocalState::load(checkout).ok();
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
            let deployed = state.as_ref().and_then(|state| state.regions.get(code));
            regions.push(RegionStatus {
                region: code.to_owned(),
                mode: region.mode.to_string(),
                home: fleet.is_home(code),
                pid,
                healthy,
                functions: deployed.map_or(0, |region| region.functions.len()),
                api_url: deployed.map(|region| region.api_url.clone()),
                aws_endpoint_url: deployed.map(|region| region.aws_endpoint_url.clone()),
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

    /// Addresses, names and clients.
    pub const fn state(&self) -> &LocalState {
        &self.state
    }

    /// The checkout.
    pub fn checkout(&self) -> &Path {
        self.layout.checkout()
    }

    /// The control API of links and faults.
    pub fn control(&self) -> Control {
        Control::new(&self.state.control_url)
    }

    /// The configuration of AWS clients for a region, through its proxy: with triggers, faults and
    /// cuts.
    ///
    /// # Errors
    /// When the fleet has no such region.
    pub fn sdk(&self, region: &str) -> Result<SdkConfig> {
        Ok(sdk::config(
            region,
            &self.state.region(region)?.aws_endpoint_url,
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
            &self.state.region(region)?.emulator_url,
        ))
    }

    /// Invokes a function by its own name, such as `heartbeat`, and returns its answer.
    ///
    /// # Errors
    /// When the region has no such function, or it fails: the message holds its report.
    pub async fn invoke(&self, region: &str, function: &str, payload: &Value) -> Result<Value> {
        let deployed = self.state.region(region)?.functions.get(function);
        let deployed = deployed.with_context(|| format!("{region} has no function {function}"))?;
        sdk::invoke(&self.emulator_sdk(region)?, deployed, payload).await
    }

    /// The mails that a region has sent, oldest first.
    ///
    /// # Errors
    /// When the region does not answer.
    pub async fn mailbox(&self, region: &str) -> Result<Vec<Mail>> {
        sdk::mailbox(&self.state.region(region)?.mail_url).await
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
        self.state.region(region)?;
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

fn control_url(ports: &Ports) -> String {
    format!("http://127.0.0.1:{}", ports.control)
}

fn serve_process(layout: &Layout) -> Detached {
    Detached::new(
        layout.serve_pid(),
        format!("local serve --checkout {}", layout.checkout().display()),
    )
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

fn remove_state(layout: &Layout, fleet: &Fleet) {
    for region in fleet.regions() {
        std::fs::remove_dir_all(layout.region(region.code.as_str())).ok();
    }
    std::fs::remove_dir_all(layout.serve()).ok();
}

async fn install(layout: &Layout, progress: &Progress) -> Result<()> {
    let step = progress.step("local AWS");
    let (sender, mut said) = tokio::sync::mpsc::unbounded_channel::<String>();
    let for_task = layout.clone();
    let task = tokio::task::spawn_blocking(move || {
        emulator::install(&for_task, &|what| {
            sender.send(what).ok();
        })
    });
    let mut new = false;
    while let Some(what) = said.recv().await {
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

/// The hosted zone for tenants' names in each region: they have to be there before a function
/// writes into them.
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

/// What to serve, with the ids of the APIs as far as they are known.
fn plan(
    fleet: &Fleet,
    ports: &Ports,
    zones: &BTreeMap<String, String>,
    deployed: &BTreeMap<String, Deployed>,
) -> Plan {
    let regions = ports.regions.iter().map(|(code, region)| {
        let id = |logical: &str| {
            deployed
                .get(code)
                .and_then(|deployed| deployed.apis.get(logical).cloned())
        };
        let plan = RegionPlan {
            emulator_url: format!("http://127.0.0.1:{}", region.emulator),
            proxy_port: region.proxy,
            apis: vec![
                ApiPlan {
                    port: region.api,
                    api_id: id("RegionalApi"),
                },
                ApiPlan {
                    port: region.operator_api,
                    api_id: id("OperatorApi"),
                },
                ApiPlan {
                    port: region.home_api,
                    api_id: id("HomeApi"),
                },
            ],
        };
        (code.clone(), plan)
    });
    let home = fleet.home().to_string();
    Plan {
        control_port: ports.control,
        gateway_port: ports.gateway,
        zone: zones.get(&home).cloned().unwrap_or_default(),
        home,
        regions: regions.collect(),
        links: deployed
            .values()
            .flat_map(|deployed| deployed.links.clone())
            .collect(),
    }
}

/// Starts the serve process, or leaves the running one alone when it is this very program.
async fn start_serve(
    layout: &Layout,
    ports: &Ports,
    program: &Path,
    plan: &Plan,
    progress: &Progress,
) -> Result<()> {
    let step = progress.step("proxies and links");
    let process = serve_process(layout);
    let control = Control::new(control_url(ports));
    let version = version_of(program, ports)?;
    let mark = layout.serve().join("version.txt");
    let same = std::fs::read_to_string(&mark).is_ok_and(|text| text == version);
    if same && process.pid().is_some() && control.is_healthy().await {
        step.done("were running");
        return Ok(());
    }
    process.stop().await?;
    write_json(&layout.serve_plan(), plan)?;
    let mut command = Command::new(program);
    command
        .args(["local", "serve", "--checkout"])
        .arg(layout.checkout());
    process.start(&mut command, &layout.serve_log())?;
    let deadline = Instant::now() + Duration::from_secs(SERVE_SECONDS);
    while !control.is_healthy().await {
        if process.pid().is_none() {
            bail!(
                "the process for proxies and links ended at once:\n{}",
                log_end(&layout.serve_log())
            );
        }
        if Instant::now() > deadline {
            bail!(
                "the process for proxies and links does not answer:\n{}",
                log_end(&layout.serve_log())
            );
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    write_whole(&mark, version.as_bytes())?;
    step.done("started");
    Ok(())
}

/// Tells one build of the program from another, and one choice of ports.
fn version_of(program: &Path, ports: &Ports) -> Result<String> {
    let about =
        std::fs::metadata(program).with_context(|| format!("cannot read {}", program.display()))?;
    let modified = about
        .modified()?
        .duration_since(std::time::UNIX_EPOCH)?
        .as_nanos();
    Ok(format!(
        "{} {modified} {}",
        about.len(),
        serde_json::to_string(ports)?
    ))
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
            let deployment = Deployment {
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

/// Tells the serve process and the world what was deployed.
async fn publish(
    layout: &Layout,
    fleet: &Fleet,
    ports: &Ports,
    zones: &BTreeMap<String, String>,
    deployed: BTreeMap<String, Deployed>,
) -> Result<LocalState> {
    write_json(&layout.serve_plan(), &plan(fleet, ports, zones, &deployed))?;
    Control::new(control_url(ports)).reload().await?;
    let state = LocalState {
        home: fleet.home().to_string(),
        domain: names::DOMAIN.to_owned(),
        tenant_url: names::address(ports.gateway),
        regions: deployed
            .into_iter()
            .map(|(code, deployed)| (code, deployed.state))
            .collect(),
        control_url: control_url(ports),
    };
    state.save(layout)?;
    Ok(state)
}
