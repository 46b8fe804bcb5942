//! The commands in the documents work as they are written.

use crate::books::customer;
use anyhow::{Context, Result, ensure};
use journey::journey;
use local_aws::Stack;
use std::process::Stdio;
use tidy::documents::pages;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

const REGION: &str = "eu-central-1";

/// Waits until both events of the README are rolled up, where the reader waits for a fixed time.
const UNTIL_ROLLED_UP: &str = r#"
sleep() {
  for _ in $(seq 240); do
    curl -sS "$API/usage?meter=transfer-gb&tenant=$TENANT" -H "authorization: Bearer $TOKEN" | grep -q '"duplicates":1,' && return
    command sleep 0.25
  done
  return 1
}
"#;

/// Reads the shell blocks of a page that send requests to a running stack: those without a `cargo`
/// command.
fn requests(stack: &Stack, path: &str) -> Result<String> {
    let pages = pages(stack.checkout())?;
    let page = pages.iter().find(|page| page.path == path);
    let blocks = page
        .with_context(|| format!("no page {path}"))?
        .blocks("sh");
    let requests = blocks.into_iter().filter(|block| !block.contains("cargo "));
    Ok(requests.collect())
}

/// Runs a script in the checkout, as a reader would. Returns its output.
async fn run(stack: &Stack, script: &str, variables: &[(&str, &str)]) -> Result<String> {
    let mut shell = Command::new("bash")
        .args(["-euo", "pipefail", "-s"])
        .current_dir(stack.checkout())
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("no bash")?;
    let mut input = shell.stdin.take().context("the shell reads no script")?;
    input.write_all(script.as_bytes()).await?;
    drop(input);
    let output = shell.wait_with_output().await?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{}: {printed}", output.status);
    Ok(printed)
}

/// The README's commands send an event twice and see it counted once. By the commands of the page
/// on tokens, every kind of caller gets a token that an API accepts.
#[journey]
async fn the_commands_of_the_documents_work(stack: &Stack) -> Result<()> {
    // The tenant's administrator signs in once: a second sign-in at once would be another duplicate
    // event.
    let customer = customer(stack, REGION).await?;
    let details = &customer.person.details;
    let alias = customer.claims["alias"]
        .as_str()
        .context("a token names the alias")?;
    let variables = [
        ("TENANT", customer.tenant.as_str()),
        ("ALIAS", alias),
        ("EMAIL", details.email.as_str()),
        ("PASSWORD", details.password.as_str()),
    ];
    let twice = format!("{UNTIL_ROLLED_UP}{}", requests(stack, "README.md")?);
    let counted = run(stack, &twice, &variables).await?;
    ensure!(
        counted.matches(r#"{"accepted":1,"rejected":[]}"#).count() == 2
            && counted.contains(r#""value":"12.5","events":1,"#)
            && counted.contains(r#""duplicates":1,"#),
        "the event is not counted once: {counted}"
    );
    let answered = run(stack, &requests(stack, "docs/tokens.md")?, &variables).await?;
    for answer in [
        "\"windows\"",
        "\"entitlements\"",
        "\"billing_anchor\"",
        "\"as_of\"",
    ] {
        ensure!(answered.contains(answer), "no {answer} in {answered}");
    }
    ensure!(!answered.contains("/problems/"), "refused: {answered}");
    Ok(())
}
