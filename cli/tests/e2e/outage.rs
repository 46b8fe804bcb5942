//! A region goes away and comes back: nothing is lost, and nothing counts twice.

use crate::books::{customer, usage_file};
use crate::dead_letters::dead_letters;
use crate::exactly_once::send_all;
use crate::quiet::QUIET_MAX;
use anyhow::{Result, ensure};
use futures::future::join;
use meridian::local::Stack;
use std::time::Duration;

const REGION: &str = "eu-central-1";
/// Longer than the relay's and the links' first attempts.
const AWAY: Duration = Duration::from_secs(15);
const HANGS: Duration = Duration::from_secs(5);
/// When a region is lost, after clients began to send.
const LOST_AFTER: Duration = Duration::from_millis(1_500);

/// While home is away, the region signs up, signs in and meters. When home is back, it learns everything,
/// once.
pub(crate) async fn a_region_works_without_home(stack: &Stack) -> Result<()> {
    let home = stack.state().home.clone();
    let before = customer(stack, REGION).await?;
    let first = usage_file(vec![before.tenant.clone()], 600, 21)?;
    send_all(stack, REGION, &first.path).await?;

    stack.stop_region(&home).await?;
    let meanwhile = customer(stack, REGION).await?;
    ensure!(meanwhile.claims["region"] == REGION, "the token names the region: {}", meanwhile.claims);
    let second = usage_file(vec![meanwhile.tenant.clone()], 600, 22)?;
    send_all(stack, REGION, &second.path).await?;
    tokio::time::sleep(AWAY).await;

    stack.start_region(&home).await?;
    // Home hangs instead of refusing.
    stack.pause_region(&home)?;
    let hung = customer(stack, REGION).await?;
    let third = usage_file(vec![hung.tenant.clone()], 300, 23)?;
    send_all(stack, REGION, &third.path).await?;
    tokio::time::sleep(HANGS).await;
    stack.resume_region(&home)?;
    stack.wait_until_quiet(QUIET_MAX).await?;
    for (tenant, file) in [(before.tenant, first), (meanwhile.tenant, second), (hung.tenant, third)] {
        file.ensure_counted(stack, &home, &[tenant]).await?;
    }
    Ok(())
}

/// The region itself is lost while two clients send it the same file, what it has taken is being settled, and what is settled
/// is on its way. They send all of it again once it is back.
pub(crate) async fn a_region_is_lost_while_it_meters(stack: &Stack) -> Result<()> {
    let home = stack.state().home.clone();
    let dead_before = dead_letters(stack, &[&home, REGION]).await?;
    let tenants = vec![customer(stack, REGION).await?.tenant, customer(stack, REGION).await?.tenant];
    let file = usage_file(tenants.clone(), 12_000, 31)?;
    let lose = async {
        tokio::time::sleep(LOST_AFTER).await;
        stack.stop_region(REGION).await
    };
    let both = join(send_all(stack, REGION, &file.path), send_all(stack, REGION, &file.path));
    let ((one, other), lost) = join(both, lose).await;
    lost?;
    ensure!(one.is_err() && other.is_err(), "the region was lost before it had all, or after");

    stack.start_region(REGION).await?;
    send_all(stack, REGION, &file.path).await?;
    stack.wait_until_quiet(QUIET_MAX).await?;
    file.ensure_counted(stack, &home, &tenants).await?;
    ensure!(dead_letters(stack, &[&home, REGION]).await? == dead_before, "there are new dead letters");
    Ok(())
}
