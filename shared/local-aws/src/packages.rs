//! Builds the workspace's binaries and zips them as `bootstrap`, the packages of functions.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use deployment::file::write_whole;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::Command;

use super::layout::Layout;
use super::progress::Step;

/// A zipped function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The function, such as `signup-api`.
    pub name: String,
    /// The SHA-256 of the binary, in hexadecimal.
    pub digest: String,
    /// The zip file.
    pub path: PathBuf,
}

/// The members of cargo's JSON messages that are used here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    target: Option<CargoTarget>,
    #[serde(default)]
    executable: Option<PathBuf>,
    #[serde(default)]
    fresh: bool,
}

#[derive(Deserialize)]
struct CargoTarget {
    name: String,
    #[serde(default)]
    kind: Vec<String>,
}

/// Builds every binary of the workspace; returns their paths by name.
///
/// # Errors
/// When cargo is missing or the build fails; the message holds the compiler's errors.
pub async fn build(checkout: &Path, step: &Step) -> Result<BTreeMap<String, PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .args([
            "build",
            "--workspace",
            "--bins",
            "--message-format=json-render-diagnostics",
        ])
        .current_dir(checkout)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // `cargo run` and `cargo test` set variables about their own package. Build scripts would take
    // them for a change, and cargo would rebuild their crates.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let own = [
            "CARGO_PKG_",
            "CARGO_MANIFEST_",
            "CARGO_BIN_",
            "CARGO_CRATE_",
            "CARGO_PRIMARY_",
        ];
        if own.iter().any(|prefix| text.starts_with(prefix))
            || text == "OUT_DIR"
            || text == "LD_LIBRARY_PATH"
        {
            command.env_remove(&name);
        }
    }
    let mut cargo_process = command.spawn().with_context(|| {
        format!(
            "cannot run {}: is Rust installed?",
            Path::new(&cargo).display()
        )
    })?;
    let messages = cargo_process.stdout.take().context("cargo has an output")?;
    let mut errors = cargo_process.stderr.take().context("cargo has an output")?;
    let diagnostics = tokio::spawn(async move {
        let mut text = Vec::new();
        errors.read_to_end(&mut text).await.ok();
        String::from_utf8_lossy(&text).into_owned()
    });
    let mut executables = BTreeMap::new();
    let mut compiled = 0_u32;
    let mut lines = BufReader::new(messages).lines();
    while let Some(line) = lines.next_line().await? {
        let Ok(message) = serde_json::from_str::<Message>(&line) else {
            continue;
        };
        let ("compiler-artifact", Some(target)) = (message.reason.as_str(), message.target) else {
            continue;
        };
        if !message.fresh {
            compiled += 1;
            step.at(format!("{compiled} compiled, last {}", target.name));
        }
        if let (Some(path), true) = (
            message.executable,
            target.kind.iter().any(|kind| kind == "bin"),
        ) {
            executables.insert(target.name, path);
        }
    }
    let status = cargo_process.wait().await?;
    let diagnostics = diagnostics.await.unwrap_or_default();
    if !status.success() {
        bail!("cargo build failed:\n{}", errors_of(&diagnostics));
    }
    Ok(executables)
}

/// The compiler's messages without the lines of progress.
fn errors_of(diagnostics: &str) -> String {
    let chatter = [
        "   Compiling ",
        " Downloading ",
        "  Downloaded ",
        "    Blocking ",
        "    Updating ",
    ];
    let lines = diagnostics
        .lines()
        .filter(|line| !chatter.iter().any(|start| line.starts_with(start)));
    lines.collect::<Vec<_>>().join("\n")
}

/// Zips the functions' binaries as `bootstrap`, in parallel; packages of unchanged binaries are
/// reused.
///
/// # Errors
/// When a function has no binary, or the folder cannot be written.
pub async fn zip_all(
    layout: &Layout,
    functions: &[String],
    executables: &BTreeMap<String, PathBuf>,
) -> Result<Vec<Package>> {
    let mut tasks = Vec::new();
    for name in functions {
        let Some(executable) = executables.get(name).cloned() else {
            bail!(
                "the template has a function `{name}`, and the workspace has no binary of that name"
            );
        };
        let (folder, name) = (layout.packages(), name.clone());
        tasks.push(tokio::task::spawn_blocking(move || {
            zip_one(&folder, name, &executable)
        }));
    }
    let mut packages = Vec::new();
    for task in tasks {
        packages.push(task.await??);
    }
    Ok(packages)
}

fn zip_one(folder: &Path, name: String, executable: &Path) -> Result<Package> {
    let binary = std::fs::read(executable)
        .with_context(|| format!("cannot read {}", executable.display()))?;
    let digest = Sha256::digest(&binary)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    let path = folder.join(format!("{name}-{}.zip", &digest[..16]));
    if path.exists() {
        return Ok(Package { name, digest, path });
    }
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(1))
        .unix_permissions(0o755);
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("bootstrap", options)?;
    writer.write_all(&binary)?;
    let content = writer.finish()?.into_inner();
    remove_older(folder, &name);
    write_whole(&path, &content)?;
    Ok(Package { name, digest, path })
}

/// Removes the packages of a function's earlier builds.
fn remove_older(folder: &Path, name: &str) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let digest = file
            .strip_prefix(&format!("{name}-"))
            .and_then(|rest| rest.strip_suffix(".zip"));
        let of_name =
            digest.is_some_and(|d| d.len() == 16 && d.bytes().all(|b| b.is_ascii_hexdigit()));
        if of_name {
            std::fs::remove_file(entry.path()).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_package_holds_the_binary_and_replaces_older_ones() {
        let folder = tempfile::tempdir().unwrap();
        let binary = folder.path().join("billing-run");
        std::fs::write(&binary, b"one").unwrap();
        let packages = folder.path().join("packages");
        let first = zip_one(&packages, "billing-run".to_owned(), &binary).unwrap();
        assert_eq!(
            first,
            zip_one(&packages, "billing-run".to_owned(), &binary).unwrap()
        );
        let mut archive = zip::ZipArchive::new(std::fs::File::open(&first.path).unwrap()).unwrap();
        let mut entry = archive.by_name("bootstrap").unwrap();
        assert_eq!(entry.unix_mode(), Some(0o100_755));
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        assert_eq!(content, "one");

        let other = packages.join("billing-run-extra-0123456789abcdef.zip");
        std::fs::write(&other, b"").unwrap();
        std::fs::write(&binary, b"two").unwrap();
        let second = zip_one(&packages, "billing-run".to_owned(), &binary).unwrap();
        assert_ne!(first.digest, second.digest);
        assert!(!first.path.exists() && second.path.exists() && other.exists());
    }

    #[test]
    fn the_compilers_errors_are_kept() {
        let text = "   Compiling x v1\nerror[E0425]: cannot find\n --> src/main.rs";
        assert_eq!(
            errors_of(text),
            "error[E0425]: cannot find\n --> src/main.rs"
        );
    }
}
