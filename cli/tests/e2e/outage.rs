//! A region goes down and comes back. Nothing is lost, and nothing counts twice.

use crate::books::{customer, usage_file};
use crate::dead_letters::dead_letters;
use crate::exactly_once::{send_all, send_observed};
use crate::quiet::quiet;
use crate::streams::bring_back;
use anyhow::{Result, ensure};
use futures::future::join3;
use journey::journey;
use local_aws::Stack;
use std::time::{Duration, Instant};
use tokio::sync::mpsc::unbounded_channel;

const REGION: &str = "eu-central-1";
/// Longer than usage takes to reach the link to home.
const ATTEMPTED_MAX: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// How long home hangs without refusing connections.
const HANGS: Duration = Duration::from_secs(5);
/// The number of events that each of two clients sends, and the number of answered events of the
/// first one at which the region is stopped.
const EVENTS: usize = 12_000;
const LOST_AFTER: u64 = 3_000;

/// While home is down, the region signs up, signs in and meters. When home is back, it receives
/// everything once.
#[journey(alone = "stops home")]
async fn a_region_works_without_home(stack: &Stack) -> Result<()> {
    let home = stack.deployment().home.clone();
    let before = customer(stack, REGION).await?;
    let first = usage_file(vec![before.tenant.clone()], 600, 21)?;
    send_all(stack, REGION, &first.path).await?;

    stack.stop_region(&home).await?;
    let meanwhile = customer(stack, REGION).await?;
    ensure!(
        meanwhile.claims["region"] == REGION,
        "the token names the region: {}",
        meanwhile.claims
    );
    let second = usage_file(vec![meanwhile.tenant.clone()], 600, 22)?;
    send_all(stack, REGION, &second.path).await?;
    until_undelivered(stack, REGION, &home).await?;

    bring_back(stack, &home).await?;
    // Home hangs instead of refusing.
    stack.pause_region(&home)?;
    let hung = customer(stack, REGION).await?;
    let third = usage_file(vec![hung.tenant.clone()], 300, 23)?;
    send_all(stack, REGION, &third.path).await?;
    tokio::time::sleep(HANGS).await;
    stack.resume_region(&home)?;
    quiet(stack).await?;
    for (tenant, file) in [
        (before.tenant, first),
        (meanwhile.tenant, second),
        (hung.tenant, third),
    ] {
        file.ensure_counted(stack, &home, &[tenant]).await?;
    }
    Ok(())
}

/// The region itself is stopped while two clients send it the same file, and while it rolls up and
/// publishes usage. When it is back, the file is sent again.
#[journey(alone = "stops a region")]
async fn a_region_is_lost_while_it_meters(stack: &Stack) -> Result<()> {
    let home = stack.deployment().home.clone();
    let dead_before = dead_letters(stack, &[&home, REGION]).await?;
    let tenants = vec![
        customer(stack, REGION).await?.tenant,
        customer(stack, REGION).await?.tenant,
    ];
    let file = usage_file(tenants.clone(), EVENTS, 31)?;
    // The answers decide when the region is stopped, because a fixed time would be too early on one
    // machine and too late on another.
    let (sender, mut answers) = unbounded_channel();
    let first = send_observed(stack, REGION, &file.path, move |events| {
        // The receiver is gone as soon as the region is being stopped.
        sender.send(events).ok();
    });
    let lose = async {
        let mut answered = 0;
        while answered < LOST_AFTER
            && let Some(events) = answers.recv().await
        {
            answered += events;
        }
        stack.stop_region(REGION).await?;
        Ok::<_, anyhow::Error>(answered)
    };
    let (one, other, answered) = join3(first, send_all(stack, REGION, &file.path), lose).await;
    let answered = answered?;
    ensure!(
        answered >= LOST_AFTER,
        "the region was lost after {answered} events: {one:?}"
    );
    ensure!(
        one.is_err() && other.is_err(),
        "the region was lost after it had all"
    );

    bring_back(stack, REGION).await?;
    send_all(stack, REGION, &file.path).await?;
    quiet(stack).await?;
    file.ensure_counted(stack, &home, &tenants).await?;
    ensure!(
        dead_letters(stack, &[&home, REGION]).await? == dead_before,
        "there are new dead letters"
    );
    Ok(())
}

/// Waits until the link from one region to another, which is down, has failed to deliver.
pub(crate) async fn until_undelivered(stack: &Stack, from: &str, to: &str) -> Result<()> {
    let refused = async || -> Result<u64> {
        let links = stack.control().links().await?;
        let these = links
            .iter()
            .filter(|link| link.link.from == from && link.link.to == to);
        Ok(these.map(|link| link.failed).sum())
    };
    let (before, deadline) = (refused().await?, Instant::now() + ATTEMPTED_MAX);
    while refused().await? == before {
        ensure!(
            Instant::now() < deadline,
            "nothing went from {from} to {to}"
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    Ok(())
}
