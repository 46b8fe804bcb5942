//! Processes that outlive the command that starts them.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use deployment::file::write_whole;
use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process};

/// How long a process may take to end, in seconds: an emulator writes its whole state to disk
/// first.
const END_SECONDS: u64 = 60;

/// A process, identified by the file that holds its id.
///
/// Systems reuse process ids, so a process counts as ours only while its command line contains the
/// `marker` with which it was started.
#[derive(Debug, Clone)]
pub struct Detached {
    pid_file: PathBuf,
    marker: String,
}

impl Detached {
    /// The process of a pid file; `marker` is part of its command line.
    pub fn new(pid_file: PathBuf, marker: impl Into<String>) -> Self {
        Self {
            pid_file,
            marker: marker.into(),
        }
    }

    /// The id of the running process.
    pub fn pid(&self) -> Option<u32> {
        let pid: u32 = std::fs::read_to_string(&self.pid_file)
            .ok()?
            .trim()
            .parse()
            .ok()?;
        let known = Pid::from_raw(i32::try_from(pid).ok()?)?;
        (test_kill_process(known).is_ok() && command_line(pid)?.contains(&self.marker))
            .then_some(pid)
    }

    /// Starts a command in its own process group, its output appended to a log.
    ///
    /// # Errors
    /// When the program cannot be started or the files not be written.
    pub fn start(&self, command: &mut Command, log: &Path) -> Result<u32> {
        let folder = log.parent().context("a log lies in a folder")?;
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let out = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("cannot write {}", log.display()))?;
        let child = command
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        let pid = child.id();
        write_whole(&self.pid_file, format!("{pid}\n").as_bytes())?;
        self.wait_until_shown();
        // The child is reaped when it ends while this process lives; afterwards the system does it.
        std::thread::spawn(move || {
            let mut child = child;
            child.wait().ok();
        });
        Ok(pid)
    }

    /// Waits for the command line of a new process, which systems show a moment after its start.
    #[expect(
        clippy::disallowed_methods,
        reason = "a millisecond, while a process is being started"
    )]
    fn wait_until_shown(&self) {
        let deadline = Instant::now() + Duration::from_secs(1);
        while self.pid().is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Sends a signal to the process; false when it does not run.
    pub fn signal(&self, signal: Signal) -> bool {
        self.target()
            .is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// Sends a signal to the process and everything that it started.
    pub fn signal_group(&self, signal: Signal) -> bool {
        self.target()
            .is_some_and(|pid| kill_process_group(pid, signal).is_ok())
    }

    /// Sends SIGTERM to the process, waits, and kills the rest of its group. Returns whether it ran.
    ///
    /// # Errors
    /// When the process did not end by itself and was killed, so that its state may be lost, or
    /// cannot be ended at all.
    pub async fn stop(&self) -> Result<bool> {
        let Some(pid) = self.target() else {
            std::fs::remove_file(&self.pid_file).ok();
            return Ok(false);
        };
        // A stopped process receives signals only once it continues.
        kill_process_group(pid, Signal::CONT).ok();
        kill_process(pid, Signal::TERM).ok();
        let deadline = Instant::now() + Duration::from_secs(END_SECONDS);
        while self.pid().is_some() && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let ended_by_itself = self.pid().is_none();
        kill_process_group(pid, Signal::KILL).ok();
        let deadline = Instant::now() + Duration::from_secs(2);
        while self.pid().is_some() {
            if Instant::now() > deadline {
                bail!("process {} does not end", pid.as_raw_nonzero());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::fs::remove_file(&self.pid_file).ok();
        if !ended_by_itself {
            let pid = pid.as_raw_nonzero();
            bail!(
                "process {pid} did not end in {END_SECONDS} s and was killed: its state may be lost"
            );
        }
        Ok(true)
    }

    fn target(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.pid()?).ok()?)
    }
}

/// Kills the processes of a group that run a function, by their environment; returns how many.
///
/// It needs `/proc` for the environments of other processes, and finds none on other systems.
pub fn kill_function(group: u32, function: &str) -> usize {
    let variable = format!("AWS_LAMBDA_FUNCTION_NAME={function}");
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return 0;
    };
    let mut killed = 0;
    for entry in processes.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<i32>().ok())
        else {
            continue;
        };
        let Ok(environment) = std::fs::read(entry.path().join("environ")) else {
            continue;
        };
        let names = environment
            .split(|byte| *byte == 0)
            .any(|pair| pair == variable.as_bytes());
        let ours = std::fs::read_to_string(entry.path().join("stat"))
            .is_ok_and(|stat| group_of(&stat) == Some(group));
        if names
            && ours
            && let Some(pid) = Pid::from_raw(pid)
        {
            killed += usize::from(kill_process(pid, Signal::KILL).is_ok());
        }
    }
    killed
}

/// The process group in a line of `/proc/<pid>/stat`: the third field after the command's bracket.
fn group_of(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?
        .1
        .split_whitespace()
        .nth(2)?
        .parse()
        .ok()
}

fn command_line(pid: u32) -> Option<String> {
    let proc = format!("/proc/{pid}/cmdline");
    if Path::new("/proc/self/cmdline").exists() {
        // A process that has ended but was not yet reaped has an empty command line.
        let bytes = std::fs::read(proc).ok().filter(|bytes| !bytes.is_empty())?;
        return Some(String::from_utf8_lossy(&bytes).replace('\0', " "));
    }
    let output = Command::new("ps")
        .args(["-o", "command=", "-p", &pid.to_string()])
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
        .filter(|line| !line.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_process_is_found_stopped_and_not_mistaken() {
        let folder = tempfile::tempdir().unwrap();
        let process = Detached::new(folder.path().join("pid"), "61.25");
        assert!(!process.stop().await.unwrap());
        let pid = process
            .start(
                Command::new("sleep").arg("61.25"),
                &folder.path().join("log"),
            )
            .unwrap();
        assert_eq!(process.pid(), Some(pid));
        let other = Detached::new(folder.path().join("pid"), "something else");
        assert_eq!(other.pid(), None);
        assert!(process.stop().await.unwrap());
        assert_eq!(process.pid(), None);
        assert!(!folder.path().join("pid").exists());
    }

    #[test]
    fn the_group_is_read_after_the_command() {
        assert_eq!(group_of("17 (a) b) S 1 4711 17 0"), Some(4711));
        assert_eq!(group_of("nonsense"), None);
    }
}
