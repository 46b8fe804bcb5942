//! Plans and starts the process that serves proxies and links.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use deployment::file::{write_json, write_whole};
use deployment::regions::Fleet;

use crate::control::Control;
use crate::deploy::Deployed;
use crate::emulator::log_end;
use crate::layout::Layout;
use crate::ports::Ports;
use crate::process::Detached;
use crate::progress::Progress;
use crate::serve::{ApiPlan, Plan, RegionPlan};

/// How long the serve process may take until it answers, in seconds.
const SERVE_SECONDS: u64 = 20;

pub(super) fn control_url(ports: &Ports) -> String {
    format!("http://127.0.0.1:{}", ports.control)
}

pub(super) fn serve_process(layout: &Layout) -> Detached {
    Detached::new(
        layout.serve_pid(),
        format!("local serve --checkout {}", layout.checkout().display()),
    )
}

/// The plan of the serve process, with the ids of the APIs that are deployed so far.
pub(super) fn plan(
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

/// Starts the serve process. A running one stays if it is of the same build and ports.
pub(super) async fn start_serve(
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

/// Identifies the build of the program and the choice of ports.
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
