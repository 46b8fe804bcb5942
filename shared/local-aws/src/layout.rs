//! The paths of the local stack's files: everything is below `.meridian/` of the checkout.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use deployment::file;

/// The folder of one checkout's local stack.
#[derive(Debug, Clone)]
pub struct Layout {
    checkout: PathBuf,
    root: PathBuf,
}

impl Layout {
    /// The local stack of a checkout.
    ///
    /// # Errors
    /// When the folder does not exist.
    pub fn new(checkout: &Path) -> Result<Self> {
        let checkout = checkout
            .canonicalize()
            .with_context(|| format!("no such folder: {}", checkout.display()))?;
        Ok(Self {
            root: checkout.join(".meridian"),
            checkout,
        })
    }

    /// The checkout.
    pub fn checkout(&self) -> &Path {
        &self.checkout
    }

    /// `.meridian/`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The emulator's Python environment.
    pub fn venv(&self) -> PathBuf {
        self.root.join("emulator")
    }

    /// The folder of Python modules that shadow the emulator's own.
    pub fn python_path(&self) -> PathBuf {
        self.root.join("python")
    }

    /// The folder of one region's process.
    pub fn region(&self, code: &str) -> PathBuf {
        self.root.join(code)
    }

    /// The state that a region's emulator saves over a restart.
    pub fn emulator_state(&self, code: &str) -> PathBuf {
        self.region(code).join("state")
    }

    /// The temporary folder of a region's emulator and functions.
    pub fn temporary(&self, code: &str) -> PathBuf {
        self.region(code).join("tmp")
    }

    /// The log of a region's emulator.
    pub fn emulator_log(&self, code: &str) -> PathBuf {
        self.region(code).join("emulator.log")
    }

    /// The process id of a region's emulator.
    pub fn emulator_pid(&self, code: &str) -> PathBuf {
        self.region(code).join("emulator.pid")
    }

    /// The folder of the process that serves proxies and links.
    pub fn serve(&self) -> PathBuf {
        self.root.join("serve")
    }

    /// The file of the serve process's plan.
    pub fn serve_plan(&self) -> PathBuf {
        self.serve().join("plan.json")
    }

    /// The file of a region's sessions: which narrowed credentials belong to which role and tags.
    pub fn sessions(&self, code: &str) -> PathBuf {
        self.serve().join(format!("sessions-{code}.json"))
    }

    /// The log of the serve process.
    pub fn serve_log(&self) -> PathBuf {
        self.serve().join("serve.log")
    }

    /// The process id of the serve process.
    pub fn serve_pid(&self) -> PathBuf {
        self.serve().join("serve.pid")
    }

    /// The zipped functions.
    pub fn packages(&self) -> PathBuf {
        self.root.join("packages")
    }

    /// The ports of this checkout.
    pub fn ports(&self) -> PathBuf {
        self.root.join("ports.json")
    }

    /// The file that a command locks while it changes the stack.
    pub fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    /// The file of the running stack's addresses and names, for people, tests and programs.
    pub fn local_json(&self) -> PathBuf {
        self.root.join("local.json")
    }
}

/// Reads a JSON file of the local stack; `None` when it does not exist.
///
/// # Errors
/// When the file is damaged.
pub(crate) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    file::read_json(path).context("`meridian local up --reset` creates the local stack again")
}
