//! Installs the emulator of AWS, and runs one process of it per region.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use deployment::clients::fresh_http;
use deployment::file::{write_json, write_whole};
use rustix::process::Signal;
use serde_json::Value;

use super::layout::{Layout, read_json};
use super::ports::{RegionPorts, is_free};
use super::process::Detached;

/// The emulator's pinned version, since another version behaves differently. One line per package,
/// as pip reads it.
const REQUIREMENTS: &str = include_str!("requirements.txt");

/// Python code that runs before the emulator's own.
const SITE_CUSTOMIZE: &str = include_str!("sitecustomize.py");

/// The oldest Python version that runs the emulator.
const PYTHON_MINIMUM: (u32, u32) = (3, 10);

/// How long a process may take until it answers, in seconds.
const READY_SECONDS: u64 = 60;

/// Installs the emulator into the checkout; does nothing if it is already installed.
///
/// `say` receives a description of each step.
///
/// # Errors
/// When no suitable Python is found or pip fails; the message names the remedy.
pub fn install(layout: &Layout, say: &dyn Fn(String)) -> Result<()> {
    write_whole(
        &layout.python_path().join("sitecustomize.py"),
        SITE_CUSTOMIZE.as_bytes(),
    )?;
    install_packages(
        &layout.venv(),
        REQUIREMENTS,
        "the emulator (about 100 MB, only this once)",
        say,
    )
}

/// Creates a Python environment with these packages; does nothing if it already exists.
///
/// `say` receives a description of each step; `what` names the packages in it.
///
/// # Errors
/// When no suitable Python is found or pip fails; the message names the remedy.
pub fn install_packages(
    venv: &Path,
    requirements: &str,
    what: &str,
    say: &dyn Fn(String),
) -> Result<()> {
    let (mark, python) = (venv.join("installed.txt"), venv.join("bin/python"));
    if std::fs::read_to_string(&mark).is_ok_and(|text| text == requirements) && python.exists() {
        return Ok(());
    }
    let system = find_python()?;
    say(format!(
        "creating a Python environment with {}",
        system.display()
    ));
    std::fs::remove_dir_all(venv).ok();
    std::fs::create_dir_all(venv).with_context(|| format!("cannot create {}", venv.display()))?;
    let made = Command::new(&system)
        .args(["-m", "venv"])
        .arg(venv)
        .output()
        .context("cannot run Python")?;
    if !made.status.success() {
        std::fs::remove_dir_all(venv).ok();
        bail!(
            "{} cannot create a virtual environment. On Debian and Ubuntu: apt install python3-venv\n{}",
            system.display(),
            output_end(&made)
        );
    }
    let wanted = venv.join("requirements.txt");
    write_whole(&wanted, requirements.as_bytes())?;
    say(format!("downloading {what}"));
    let installed = Command::new(&python)
        .args([
            "-m",
            "pip",
            "install",
            "--disable-pip-version-check",
            "--no-input",
            "--quiet",
            "-r",
        ])
        .arg(&wanted)
        .output()
        .context("cannot run pip")?;
    if !installed.status.success() {
        bail!(
            "pip could not install {what}. Is the package index reachable from here?\n{}",
            output_end(&installed)
        );
    }
    write_whole(&mark, requirements.as_bytes())
}

fn python(layout: &Layout) -> PathBuf {
    layout.venv().join("bin/python")
}

/// The first Python on the path that is new enough.
fn find_python() -> Result<PathBuf> {
    let (major, minor) = PYTHON_MINIMUM;
    let probe = "import sys; print(sys.version_info[0], sys.version_info[1])";
    let mut seen = Vec::new();
    for name in [
        "python3",
        "python",
        "python3.13",
        "python3.12",
        "python3.11",
        "python3.10",
    ] {
        let Ok(output) = Command::new(name).args(["-c", probe]).output() else {
            continue;
        };
        let text = String::from_utf8_lossy(&output.stdout);
        let version: Vec<u32> = text
            .split_whitespace()
            .filter_map(|n| n.parse().ok())
            .collect();
        match version[..] {
            [m, n] if (m, n) >= PYTHON_MINIMUM => return Ok(PathBuf::from(name)),
            [m, n] => seen.push(format!("{name} is {m}.{n}")),
            _ => {}
        }
    }
    if seen.is_empty() {
        bail!("the local AWS needs Python {major}.{minor} or newer, and no python3 is on the PATH");
    }
    bail!(
        "the local AWS needs Python {major}.{minor} or newer: {}",
        seen.join(", ")
    );
}

fn output_end(output: &std::process::Output) -> String {
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    last_lines(&text, 15)
}

/// The last lines of a text.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// The emulator of one region.
#[derive(Debug, Clone)]
pub struct Emulator {
    layout: Layout,
    code: String,
    ports: RegionPorts,
    process: Detached,
}

impl Emulator {
    /// The emulator of a region, running or not.
    pub fn new(layout: &Layout, code: &str, ports: &RegionPorts) -> Self {
        let marker = layout.venv().display().to_string();
        Self {
            layout: layout.clone(),
            code: code.to_owned(),
            ports: ports.clone(),
            process: Detached::new(layout.emulator_pid(code), marker),
        }
    }

    /// The region.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The address of the emulator itself.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.emulator)
    }

    /// The id of the running process.
    pub fn pid(&self) -> Option<u32> {
        self.process.pid()
    }

    /// Starts the process if it does not run, and waits until it answers.
    ///
    /// Returns whether it had to be started.
    ///
    /// # Errors
    /// When its port is taken, or it ends or does not answer; the message holds the end of its log.
    pub async fn start(&self) -> Result<bool> {
        if self.pid().is_some() {
            self.process.signal_group(Signal::CONT);
            self.wait_until_ready().await?;
            return Ok(false);
        }
        if !is_free(self.ports.emulator) {
            bail!(
                "port {} of region {} is in use by another program: `meridian local up` chooses another one",
                self.ports.emulator,
                self.code
            );
        }
        let temporary = self.layout.temporary(&self.code);
        std::fs::remove_dir_all(&temporary).ok();
        for folder in [&temporary, &self.layout.emulator_state(&self.code)] {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot create {}", folder.display()))?;
        }
        reset_stream_positions(&self.layout.emulator_state(&self.code))?;
        self.process
            .start(&mut self.command(), &self.layout.emulator_log(&self.code))?;
        self.wait_until_ready().await?;
        Ok(true)
    }

    /// The process inherits only the variables that it needs, because functions inherit them in
    /// turn.
    fn command(&self) -> Command {
        let state = self.layout.emulator_state(&self.code);
        let mut command = Command::new(python(&self.layout));
        command
            .args(["-m", "ministack"])
            .current_dir(self.layout.region(&self.code))
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.layout.region(&self.code))
            .env("LANG", "C.UTF-8")
            .env("PYTHONPATH", self.layout.python_path())
            .env("PYTHONUNBUFFERED", "1")
            .env("TMPDIR", self.layout.temporary(&self.code))
            .env("BIND_HOST", "127.0.0.1")
            .env("GATEWAY_PORT", self.ports.emulator.to_string())
            .env(
                "AWS_ENDPOINT_URL",
                format!("http://127.0.0.1:{}", self.ports.proxy),
            )
            .env("MINISTACK_REGION", &self.code)
            .env("MINISTACK_COGNITO_PRETOKEN_STRICT", "1")
            .env("AUTH", "true")
            .env("IOT_MTLS_ENABLED", "false")
            .env("SFTP_ENABLED", "0")
            .env("PERSIST_STATE", "1")
            .env("STATE_DIR", &state)
            .env("S3_DATA_DIR", state.join("s3"))
            // Functions run as processes, even where a container engine is installed.
            .env(
                "DOCKER_HOST",
                format!("unix://{}", state.join("no-docker.sock").display()),
            );
        command
    }

    async fn wait_until_ready(&self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(READY_SECONDS);
        while !self.is_healthy().await {
            let log = || log_end(&self.layout.emulator_log(&self.code));
            if self.pid().is_none() {
                bail!("the emulator of {} ended at once:\n{}", self.code, log());
            }
            if Instant::now() > deadline {
                bail!(
                    "the emulator of {} does not answer after {READY_SECONDS} s:\n{}",
                    self.code,
                    log()
                );
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Ok(())
    }

    /// Whether the process answers.
    pub async fn is_healthy(&self) -> bool {
        let url = format!("{}/_ministack/health", self.url());
        let answer = fresh_http()
            .get(url)
            .timeout(Duration::from_secs(2))
            .send()
            .await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// Ends the process; its tables, queues, functions and pools are saved for the next start.
    ///
    /// # Errors
    /// When the process had to be killed, so that its state may not be saved, or cannot be ended.
    pub async fn stop(&self) -> Result<bool> {
        let stopped = self.process.stop().await;
        std::fs::remove_dir_all(self.layout.temporary(&self.code)).ok();
        stopped.with_context(|| format!("the emulator of {}", self.code))
    }

    /// Freezes the process and its functions: calls to the region hang instead of being refused.
    pub fn pause(&self) -> bool {
        self.process.signal_group(Signal::STOP)
    }

    /// Continues a frozen region.
    pub fn resume(&self) -> bool {
        self.process.signal_group(Signal::CONT)
    }
}

/// Makes the emulator read streams from their beginning again.
///
/// The emulator saves the positions of event source mappings, but not the streams themselves:
/// records written after a restart would lie before the saved position and never be read.
fn reset_stream_positions(state: &Path) -> Result<()> {
    let file = state.join("lambda.json");
    let Some(mut saved) = read_json::<Value>(&file)? else {
        return Ok(());
    };
    if let Some(functions) = saved.get_mut("payload").and_then(Value::as_object_mut) {
        functions.remove("dynamodb_stream_positions");
    }
    write_json(&file, &saved)
}

/// The last lines of a log file.
pub fn log_end(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    last_lines(&String::from_utf8_lossy(&bytes), 20)
}
