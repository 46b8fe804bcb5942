//! Measures release binaries of functions as Lambda runs them, beside a minimal function, the
//! floor. See docs/speed.md.
//!
//! `cargo run --release -p coldstart --example measure [-- --rounds N --binaries FOLDER]`
//!
//! The binaries are the deployed ones, except for one certificate. They call AWS by its own names,
//! over TLS, in a network namespace in which these names resolve to this process. The cases are
//! measured in rounds, so that other load of the machine affects all of them alike.

mod aws;
mod cases;
mod process;
mod roots;
mod runtime_api;
mod table;

use anyhow::{Context, Result, bail, ensure};
use aws::{Aws, HOSTS};
use cases::Case;
use process::Process;
use runtime_api::RuntimeApi;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;
use table::Figures;

const ROUNDS: u32 = 15;
/// The invocations of a process after its first.
const WARM: u32 = 40;
/// The argument by which this program runs itself inside the namespace.
const INSIDE: &str = "--inside";

/// The script that brings up the loopback interface, resolves AWS's names to it, and runs its
/// further arguments.
const NAMESPACE: &str =
    "ip link set lo up && mount --bind \"$1\" /etc/hosts && shift && exec \"$@\"";

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let value = |name: &str| {
        let place = arguments.iter().position(|argument| argument == name)?;
        arguments.get(place + 1).cloned()
    };
    let rounds = value("--rounds").map_or(Ok(ROUNDS), |rounds| rounds.parse())?;
    let program = std::env::current_exe()?;
    let own = program.parent().context("this program has no folder")?;
    let release = own.parent().context("this program is not an example")?;
    let binaries = value("--binaries").map_or_else(|| release.to_owned(), PathBuf::from);
    let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    if arguments.iter().any(|argument| argument == INSIDE) {
        return measure(&checkout, &binaries, own, rounds);
    }
    if value("--binaries").is_none() {
        build(&checkout)?;
    }
    enter(&arguments)
}

/// Builds the functions and the floor in the release profile.
fn build(checkout: &Path) -> Result<()> {
    let mut floor = Command::new("cargo");
    floor.args([
        "build",
        "--release",
        "--package",
        "coldstart",
        "--example",
        "floor",
    ]);
    let mut build = Command::new("cargo");
    build.args(["build", "--release"]);
    let functions: BTreeSet<_> = cases::all(checkout)?
        .iter()
        .map(|case| case.function)
        .filter(|function| *function != "floor")
        .collect();
    for function in functions {
        build.args(["--package", function]);
    }
    for build in [&mut floor, &mut build] {
        let built = build.current_dir(checkout).status()?;
        ensure!(built.success(), "cargo build failed");
    }
    Ok(())
}

/// Runs this program again, in its own network namespace.
fn enter(arguments: &[String]) -> Result<()> {
    let hosts = tempfile::NamedTempFile::new()?;
    let lines = HOSTS.iter().map(|host| format!("127.0.0.1 {host}\n"));
    std::fs::write(hosts.path(), lines.collect::<String>())?;
    let inside = Command::new("unshare")
        .args([
            "--user",
            "--map-root-user",
            "--net",
            "--mount",
            "sh",
            "-c",
            NAMESPACE,
            "sh",
        ])
        .arg(hosts.path())
        .arg(std::env::current_exe()?)
        .args(arguments)
        .arg(INSIDE)
        .status()
        .context("unshare is not installed (util-linux; Linux only)")?;
    if !inside.success() {
        bail!("the measurement failed; it needs user namespaces and iproute2");
    }
    Ok(())
}

fn measure(checkout: &Path, binaries: &Path, own: &Path, rounds: u32) -> Result<()> {
    let aws = Aws::start()?;
    let cases = cases::all(checkout)?;
    let copies = tempfile::tempdir()?;
    for case in &cases {
        let built = if case.function == "floor" {
            own
        } else {
            binaries
        };
        let copy = copies.path().join(case.function);
        roots::replace_root(&built.join(case.function), &aws.root_pem, &copy)?;
    }
    let mut figures: Vec<Figures> = cases.iter().map(|_| Figures::default()).collect();
    for round in 1..=rounds {
        eprint!("\rround {round} of {rounds}");
        for (case, figures) in cases.iter().zip(&mut figures) {
            let binary = copies.path().join(case.function);
            run(case, &binary, &aws, figures).with_context(|| case.name.clone())?;
        }
    }
    eprintln!();
    print!("{}", table::markdown(&cases, &figures));
    Ok(())
}

/// Measures one process, from its start to its last answer.
fn run(case: &Case, binary: &Path, aws: &Aws, figures: &mut Figures) -> Result<()> {
    aws.answer(&case.answers);
    aws.take_counts();
    let api = RuntimeApi::start()?;
    api.send(case.event(0))?;
    let began = Instant::now();
    let process = Process::start(binary, case, &api)?;
    let first = api.receive()?;
    check(case, &first.body)?;
    figures.cold.push(first.ended - began);
    (_, figures.connections) = aws.take_counts();
    let spent = process.processor_time()?;
    figures.cold_processor.push(spent);
    for number in 1..=WARM {
        api.send(case.event(number))?;
        let answer = api.receive()?;
        check(case, &answer.body)?;
        figures.warm.push(answer.ended - answer.began);
    }
    figures
        .processor
        .push((process.processor_time()? - spent) / WARM);
    figures.resident_kib.push(process.resident_kib()?);
    figures.calls = aws.take_counts().0 / WARM as usize;
    Ok(())
}

fn check(case: &Case, answer: &str) -> Result<()> {
    ensure!(answer.contains(case.expects), "answered {answer}");
    Ok(())
}
