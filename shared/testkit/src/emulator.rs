//! One emulator for all test binaries of a checkout.

use anyhow::{Context, Result};
use local_aws::emulator::{Emulator, install};
use local_aws::layout::Layout;
use local_aws::ports::RegionPorts;
use local_aws::sdk;
use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Once;
use std::time::Duration;

/// The tests' region. It is outside the local fleet, so that tests and a local stack run side by
/// side.
const REGION: &str = "eu-west-1";
// Attempts to reach a running emulator, 200 ms apart: three seconds on a busy machine.
const ATTEMPTS_MAX: u32 = 15;
// Well below the minute after which the emulator is ended.
const BEAT: Duration = Duration::from_secs(5);

/// The local AWS of the tests, as its administrator.
#[derive(Debug, Clone)]
pub struct LocalAws {
    /// The configuration for any client.
    pub config: aws_types::SdkConfig,
    /// The address of every service.
    pub endpoint: String,
}

/// The local AWS, which is started if it does not run yet.
///
/// Each test gets its own clients, since connections end with the runtime that opened them.
///
/// # Panics
/// When the emulator cannot be installed or started: no test of this kind can run then.
pub async fn aws() -> LocalAws {
    let endpoint = match start().await {
        Ok(endpoint) => endpoint,
        #[expect(clippy::panic, reason = "a test cannot go on without its local AWS")]
        Err(error) => panic!("the local AWS for tests does not start: {error:#}"),
    };
    LocalAws {
        config: sdk::config(REGION, &endpoint),
        endpoint,
    }
}

async fn start() -> Result<String> {
    let layout = Layout::new(&checkout())?;
    let folder = layout.region(REGION);
    std::fs::create_dir_all(&folder)?;
    keep_alive(&folder.join("beat"))?;
    let lock = File::create(folder.join("lock"))?;
    // A blocking thread waits for the lock, so that other tests of this process keep running.
    let lock = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await??;
    let port_file = folder.join("port");
    let port = std::fs::read_to_string(&port_file)
        .ok()
        .and_then(|text| text.trim().parse().ok());
    if let Some(port) = port {
        let running = emulator(&layout, port);
        if running.pid().is_some() && answers(&running).await {
            return Ok(running.url());
        }
        running.stop().await?;
    }
    install(&layout, &|_| {})?;
    std::fs::remove_dir_all(layout.emulator_state(REGION)).ok();
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    std::fs::write(&port_file, port.to_string())?;
    let started = emulator(&layout, port);
    started.start().await?;
    watch(&folder, started.pid().context("the emulator ended")?, port)?;
    drop(lock);
    Ok(started.url())
}

/// Several attempts, because other tests may keep the emulator busy.
async fn answers(running: &Emulator) -> bool {
    for _ in 0..ATTEMPTS_MAX {
        if running.is_healthy().await {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    false
}

fn emulator(layout: &Layout, port: u16) -> Emulator {
    let ports = RegionPorts {
        emulator: port,
        proxy: port,
        api: port,
        operator_api: port,
        home_api: port,
    };
    Emulator::new(layout, REGION, &ports)
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Touches a file every few seconds for as long as this process lives: the emulator is in use.
#[expect(
    clippy::disallowed_methods,
    reason = "a thread of its own, which no executor waits for"
)]
fn keep_alive(beat: &Path) -> Result<()> {
    static STARTED: Once = Once::new();
    std::fs::write(beat, "")?;
    let beat = beat.to_owned();
    STARTED.call_once(move || {
        std::thread::spawn(move || {
            loop {
                std::thread::sleep(BEAT);
                std::fs::write(&beat, "").ok();
            }
        });
    });
    Ok(())
}

/// Ends the emulator's process group a minute after the file was last touched.
fn watch(folder: &Path, pid: u32, port: u16) -> Result<()> {
    let script = r#"while kill -0 "$1" 2>/dev/null && [ -n "$(find beat -mmin -1 2>/dev/null)" ]; do sleep 5; done
kill -TERM "-$1"; sleep 5; kill -KILL "-$1"
[ "$(cat port)" = "$2" ] && rm -rf emulator.pid port tmp state"#;
    Command::new("sh")
        .args(["-c", script, "sh", &pid.to_string(), &port.to_string()])
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .context("cannot watch the emulator")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn an_unused_process_group_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let mut idle = Command::new("sleep")
            .arg("60")
            .process_group(0)
            .spawn()
            .unwrap();
        let began = Instant::now();
        watch(folder.path(), idle.id(), 1).unwrap();
        assert!(!idle.wait().unwrap().success(), "it was ended by a signal");
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
