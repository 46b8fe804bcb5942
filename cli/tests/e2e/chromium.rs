//! A headless Chromium and the driver that controls it. Both end with the journey, however that
//! ends.

use anyhow::{Context, Result, bail, ensure};
use deployment::clients::http;
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use serde_json::{Map, Value, json};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
const DRIVER: &str = "chromedriver";
/// The browser's time zone: one hour ahead of UTC, and two in summer.
const TIME_ZONE: &str = "Europe/Berlin";
const HOW_TO_INSTALL: &str = "the journeys through a browser need Chromium and its driver on the PATH; on Debian and \
                              Ubuntu: apt-get install chromium chromium-driver";
const READY_MAX: Duration = Duration::from_secs(30);
/// How long a page may take to show an expected element.
const SHOWN_MAX: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A browser with nothing in it: no cookies, no storage, no history.
pub(crate) struct Browser {
    client: Client,
    driver: Driver,
}

/// Opens a browser, runs `journey` with it, and closes it.
pub(crate) async fn browse<T>(journey: impl AsyncFnOnce(&Browser) -> Result<T>) -> Result<T> {
    let browser = Browser::open().await?;
    let went = journey(&browser).await;
    let Browser { client, driver } = browser;
    client.close().await.ok();
    drop(driver);
    went
}

impl Browser {
    async fn open() -> Result<Self> {
        let chromium = BROWSERS
            .iter()
            .find_map(|name| on_path(name))
            .context(HOW_TO_INSTALL)?;
        let mut driver = Driver::start()?;
        driver.wait_until_ready().await?;
        let profile = driver.profile.path().display();
        let mut arguments = vec![
            "--headless=new".to_owned(),
            "--disable-gpu".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--accept-lang=en".to_owned(),
            "--window-size=1000,1400".to_owned(),
            format!("--user-data-dir={profile}"),
        ];
        // Containers and build machines run as root, and Chromium refuses to start its sandbox as
        // root.
        if geteuid().is_root() {
            arguments.push("--no-sandbox".to_owned());
        }
        let mut capabilities = Map::new();
        capabilities.insert(
            "goog:chromeOptions".to_owned(),
            json!({ "binary": chromium, "args": arguments }),
        );
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&driver.url)
            .await
            .with_context(|| format!("{} does not start", chromium.display()))?;
        Ok(Self { client, driver })
    }

    /// Opens an address.
    pub(crate) async fn goto(&self, url: &str) -> Result<()> {
        self.client
            .goto(url)
            .await
            .with_context(|| format!("the browser does not open {url}"))
    }

    /// Waits for an element that a person can see.
    pub(crate) async fn see(&self, css: &str) -> Result<Element> {
        let deadline = Instant::now() + SHOWN_MAX;
        loop {
            if let Ok(element) = self.client.find(Locator::Css(css)).await
                && element.is_displayed().await.unwrap_or(false)
            {
                return Ok(element);
            }
            if Instant::now() > deadline {
                bail!(
                    "the page does not show {css}; it shows:\n{}",
                    self.shown().await
                );
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Applies an action to a visible element. A page that renders again between finding and using
    /// the element replaces it by another one; then that one is found and used.
    async fn with<T>(
        &self,
        css: &str,
        action: impl AsyncFn(Element) -> Result<T, CmdError>,
    ) -> Result<T> {
        let deadline = Instant::now() + SHOWN_MAX;
        loop {
            match action(self.see(css).await?).await {
                Err(error) if error.is_stale_element_reference() && Instant::now() < deadline => {
                    tokio::time::sleep(POLL_INTERVAL).await;
                }
                done => return Ok(done?),
            }
        }
    }

    /// Replaces the text of a field.
    pub(crate) async fn fill(&self, css: &str, text: &str) -> Result<()> {
        let filled = self.with(css, async |field: Element| {
            field.clear().await?;
            field.send_keys(text).await
        });
        filled.await.with_context(|| format!("{css} takes no text"))
    }

    /// Clicks a button, a box or a link.
    pub(crate) async fn press(&self, css: &str) -> Result<()> {
        let pressed = self.with(css, async |element: Element| element.click().await);
        pressed
            .await
            .with_context(|| format!("{css} cannot be pressed"))
    }

    /// The text of an element.
    pub(crate) async fn text(&self, css: &str) -> Result<String> {
        let text = self.with(css, async |element: Element| element.text().await);
        text.await.with_context(|| format!("{css} has no text"))
    }

    /// The value of an attribute of an element; empty where there is none.
    pub(crate) async fn attribute(&self, css: &str, name: &str) -> Result<String> {
        let value = self.with(css, async |element: Element| element.attr(name).await);
        Ok(value
            .await
            .with_context(|| format!("{css} has no attributes"))?
            .unwrap_or_default())
    }

    /// Waits until the text of an element contains `text`.
    pub(crate) async fn read(&self, css: &str, text: &str) -> Result<()> {
        let deadline = Instant::now() + SHOWN_MAX;
        loop {
            let shown = self.text(css).await?;
            if shown.contains(text) {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{css} shows {shown:?}, not {text:?}"
            );
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    /// Runs a script in the page, and returns its result.
    pub(crate) async fn run(&self, script: &str) -> Result<Value> {
        self.client
            .execute(script, Vec::new())
            .await
            .with_context(|| format!("the page does not run {script}"))
    }

    async fn shown(&self) -> String {
        let text = self
            .run("return `${location.href}\\n${document.body.innerText}`")
            .await;
        text.ok()
            .and_then(|text| text.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}

/// The process of the driver. The browser belongs to its process group.
struct Driver {
    process: Child,
    url: String,
    profile: TempDir,
}

impl Driver {
    fn start() -> Result<Self> {
        let program = on_path(DRIVER).context(HOW_TO_INSTALL)?;
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let process = Command::new(program)
            .arg(format!("--port={port}"))
            .env("TZ", TIME_ZONE)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("chromedriver does not start")?;
        Ok(Self {
            process,
            url: format!("http://127.0.0.1:{port}"),
            profile: tempfile::tempdir()?,
        })
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_MAX;
        while http()
            .get(format!("{}/status", self.url))
            .send()
            .await
            .is_err()
        {
            ensure!(
                self.process.try_wait()?.is_none(),
                "chromedriver ended at once"
            );
            ensure!(Instant::now() < deadline, "chromedriver does not answer");
            tokio::time::sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let group = i32::try_from(self.process.id())
            .ok()
            .and_then(Pid::from_raw);
        if let Some(group) = group {
            kill_process_group(group, Signal::KILL).ok();
        }
        self.process.wait().ok();
    }
}

/// Finds a program on the `PATH`.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}
