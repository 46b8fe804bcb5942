//! Third-party clients, as programs in Python. Each has its own environment below
//! `.meridian/clients`.

use anyhow::{Context, Result, bail, ensure};
use local_aws::Stack;
use local_aws::emulator::{install_packages, last_lines};
use local_aws::layout::Layout;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::PoisonError;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::Mutex;

const FOLDER: &str = "cli/tests/e2e/clients";

/// The Python of an environment with the packages of a requirements file. The first call creates
/// the environment.
pub(crate) fn python(stack: &Stack, name: &str, requirements: &str) -> Result<PathBuf> {
    // Concurrent journeys share an environment, so one of them creates it while the others wait.
    static MAKING: std::sync::Mutex<()> = std::sync::Mutex::new(());
    let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
    let venv = Layout::new(stack.checkout())?
        .root()
        .join("clients")
        .join(name);
    install_packages(
        &venv,
        requirements,
        &format!("the packages of {name}"),
        &|message| println!("{message}"),
    )?;
    Ok(venv.join("bin/python"))
}

/// The third-party library that signs people in. One process takes all steps.
pub(crate) struct Library {
    running: Mutex<Running>,
}

struct Running {
    process: Child,
    jobs: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Library {
    /// Starts the library for the user pools of a region.
    pub(crate) fn start(stack: &Stack, region: &str) -> Result<Self> {
        let python = python(stack, "sign-in", include_str!("clients/requirements.txt"))?;
        let file = stack.checkout().join(FOLDER).join("sign_in.py");
        let mut command = program(&python, &file);
        command
            .env(
                "AWS_ENDPOINT_URL",
                &stack.local().region(region)?.aws_endpoint_url,
            )
            .env("AWS_DEFAULT_REGION", region)
            // Sign-in needs no AWS credentials, but the library's client refuses to start without
            // any.
            .env("AWS_ACCESS_KEY_ID", "nobody")
            .env("AWS_SECRET_ACCESS_KEY", "nothing");
        let mut process = command.spawn().context("the library does not start")?;
        let jobs = process.stdin.take().context("it has no input")?;
        let answers = process.stdout.take().context("it has no output")?;
        let answers = BufReader::new(answers).lines();
        let running = Running {
            process,
            jobs,
            answers,
        };
        Ok(Self {
            running: Mutex::new(running),
        })
    }

    /// Takes one step. `sign_in.py` defines the input and the answer of each step. A refusal is an
    /// answer, not an error.
    pub(crate) async fn step(&self, step: &str, job: &Value) -> Result<Value> {
        let mut job = job.clone();
        job["step"] = step.into();
        let mut running = self.running.lock().await;
        // A process that has ended accepts no job; its error output is reported below.
        let sent = running.jobs.write_all(format!("{job}\n").as_bytes()).await;
        match running.answers.next_line().await? {
            Some(answer) if sent.is_ok() => {
                serde_json::from_str(&answer).context("it answered no JSON")
            }
            _ => bail!("the step {step} failed:\n{}", running.last_words().await?),
        }
    }
}

impl Running {
    async fn last_words(&mut self) -> Result<String> {
        let mut text = String::new();
        let errors = self.process.stderr.as_mut().context("it has no errors")?;
        errors.read_to_string(&mut text).await?;
        Ok(last_lines(&text, 10))
    }
}

/// Runs one of the programs, with the packages of its own requirements file, for one job. Returns
/// its answer.
pub(crate) async fn run(
    stack: &Stack,
    name: &str,
    requirements: &str,
    job: &Value,
) -> Result<Value> {
    let python = python(stack, name, requirements)?;
    let file = stack
        .checkout()
        .join(FOLDER)
        .join(name.replace('-', "_"))
        .with_extension("py");
    answer(program(&python, &file), job)
        .await
        .with_context(|| format!("the client {name}"))
}

fn program(python: &Path, file: &Path) -> Command {
    let mut command = Command::new(python);
    command
        .arg(file)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", Path::new("/nonexistent"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Sends a job to a program and returns its answer. Both are JSON.
async fn answer(mut command: Command, job: &Value) -> Result<Value> {
    let mut child = command.spawn().context("it does not start")?;
    let mut input = child.stdin.take().context("it has no input")?;
    input.write_all(job.to_string().as_bytes()).await?;
    drop(input);
    let output = child.wait_with_output().await?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "it failed:\n{}",
        last_lines(&errors, 10)
    );
    serde_json::from_slice(&output.stdout).context("it answered no JSON")
}
