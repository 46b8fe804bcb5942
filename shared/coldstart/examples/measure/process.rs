//! A function's process, with its processor time and memory.

use crate::cases::Case;
use crate::runtime_api::RuntimeApi;
use anyhow::{Context, Result};
use std::fs::read_to_string;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running function. Dropping it ends the process.
pub(crate) struct Process(Child);

impl Process {
    /// Starts a binary with the environment that Lambda and the template give it.
    pub(crate) fn start(binary: &Path, case: &Case, api: &RuntimeApi) -> Result<Self> {
        let given = [
            ("AWS_LAMBDA_RUNTIME_API", api.address.as_str()),
            ("AWS_LAMBDA_FUNCTION_NAME", case.function),
            ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "measured"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "measured"),
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "ASIAMEASUREDMEASURED"),
            ("AWS_SECRET_ACCESS_KEY", "measured"),
            ("AWS_SESSION_TOKEN", "measured"),
            ("LOG_LEVEL", "INFO"),
        ];
        let child = Command::new(binary)
            .env_clear()
            .envs(given)
            .envs(case.environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", binary.display()))?;
        Ok(Self(child))
    }

    /// The processor time of all its threads: proc(5), `schedstat`.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        let mut spent = 0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.0.id()))? {
            let stat = read_to_string(thread?.path().join("schedstat"))?;
            let nanoseconds = stat.split(' ').next().unwrap_or_default();
            spent += nanoseconds.parse::<u64>()?;
        }
        Ok(Duration::from_nanos(spent))
    }

    /// Its resident memory in KiB: proc(5), `VmRSS` of `status`.
    pub(crate) fn resident_kib(&self) -> Result<u64> {
        let status = read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next());
        Ok(number.context("no VmRSS")?.parse()?)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A process that has already ended cannot be killed, which is no error.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}
