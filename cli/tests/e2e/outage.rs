//! Home goes away; a region does not mind.

use crate::books::{customer, ledger, usage_file, wanted};
use crate::exactly_once::send_all;
use anyhow::{Result, ensure};
use meridian::local::Stack;
use std::time::Duration;

const REGION: &str = "eu-central-1";
/// Longer than the relay's and the links' first attempts.
const AWAY: Duration = Duration::from_secs(15);
const HANGS: Duration = Duration::from_secs(5);

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
    stack.wait_until_quiet(Duration::from_secs(180)).await?;
    for (tenant, file) in [(before.tenant, first), (meanwhile.tenant, second), (hung.tenant, third)] {
        let found = ledger(stack, &home, &[tenant]).await?;
        ensure!(found == wanted(&file.expected), "found {found:?}\nwanted {:?}", wanted(&file.expected));
    }
    Ok(())
}
