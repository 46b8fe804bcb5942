//! Every event counts once, however often and in whatever order it is delivered.

use crate::books::{customer, usage_file};
use crate::dead_letters::dead_letters;
use crate::quiet::quiet;
use anyhow::{Result, ensure};
use futures::future::try_join_all;
use journey::journey;
use local_aws::{Knobs, LinkChange, Stack};
use meridian::client::login::machine_token;
use meridian::client::usage::{SCOPE, Sending, read, send};
use std::path::Path;

const REGION: &str = "eu-central-1";

/// Two clients send the same file at once, and one sends it again afterwards, while the links to
/// and from home duplicate and reorder everything.
#[journey(alone = "duplicates and reorders events between all regions")]
async fn every_event_counts_once(stack: &Stack) -> Result<()> {
    let knobs = Knobs {
        duplicate: 2,
        reorder: 5,
        ..Knobs::default()
    };
    stack
        .control()
        .set_links(&LinkChange {
            knobs,
            ..LinkChange::default()
        })
        .await?;
    let home = stack.deployment().home.clone();
    let dead_before = dead_letters(stack, &[&home, REGION]).await?;
    let tenants = vec![
        customer(stack, REGION).await?.tenant,
        customer(stack, REGION).await?.tenant,
    ];
    let file = usage_file(tenants.clone(), 3_000, 11)?;

    try_join_all([
        send_all(stack, REGION, &file.path),
        send_all(stack, REGION, &file.path),
    ])
    .await?;
    send_all(stack, REGION, &file.path).await?;
    quiet(stack).await?;

    file.ensure_counted(stack, &home, &tenants).await?;
    ensure!(
        dead_letters(stack, &[&home, REGION]).await? == dead_before,
        "there are new dead letters"
    );
    Ok(())
}

/// Sends a file as one client does.
pub(crate) async fn send_all(stack: &Stack, region: &str, file: &Path) -> Result<()> {
    send_observed(stack, region, file, |_| {}).await
}

/// Sends a file as one client does, and calls `progress` after each call with the number of events
/// that were answered.
pub(crate) async fn send_observed(
    stack: &Stack,
    region: &str,
    file: &Path,
    progress: impl Fn(u64),
) -> Result<()> {
    let state = stack.deployment().region(region)?;
    let token = machine_token(&state.token_url, &state.service_client, SCOPE).await?;
    let sending = Sending {
        api_url: state.api_url.clone(),
        token,
        batch: 250,
        parallel: 3,
    };
    send(&sending, &read(file)?, progress).await?;
    Ok(())
}
