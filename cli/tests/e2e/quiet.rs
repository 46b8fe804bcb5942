//! How the journeys wait until nothing is under way.

use anyhow::{Context, Result};
use futures::future::try_join_all;
use jiff::SignedDuration;
use meridian::client::operator::scheduled_event;
use meridian::demo::Customer;
use meridian::local::Stack;
use std::time::Duration;

/// Longer than a message takes that comes again as often as its queue lets it.
pub(crate) const QUIET_MAX: Duration = Duration::from_secs(180);
/// How long rows wait until a sweep takes them, and a second.
const SWEPT_AFTER: SignedDuration = SignedDuration::from_secs(61);

/// Waits until nothing at all is under way: for journeys that run alone.
pub(crate) async fn quiet(stack: &Stack) -> Result<()> {
    stack.wait_until_quiet(QUIET_MAX).await
}

/// Waits until nothing is under way that concerns one of some customers.
pub(crate) async fn quiet_for(stack: &Stack, customers: &[&Customer]) -> Result<()> {
    let words = customers.iter().flat_map(|customer| words_of(customer));
    quiet_about(stack, &words.collect::<Vec<_>>()).await
}

/// Waits until nothing is under way that mentions one of some texts.
pub(crate) async fn quiet_about(stack: &Stack, texts: &[&str]) -> Result<()> {
    stack.wait_until_quiet_about(texts, QUIET_MAX).await
}

/// What events, rows and messages about a tenant name: the tenant, or its administrator.
fn words_of(customer: &Customer) -> impl Iterator<Item = &str> {
    let claims = ["alias", "cognito:username"].map(|name| customer.claims[name].as_str());
    let own = [&customer.tenant, &customer.person.details.email].map(|own| Some(own.as_str()));
    claims.into_iter().chain(own).flatten()
}

/// Brings a region back, and does at once what its next sweeps would do in a minute or two: the
/// local AWS keeps no records of streams when a region stops, so that rows of the outbox and pending
/// usage whose records are lost wait for a sweep, which takes what is 60 s old.
pub(crate) async fn bring_back(stack: &Stack, region: &str) -> Result<()> {
    stack.start_region(region).await?;
    sweep(stack, region).await
}

/// Has a region publish and roll up what waits there, as its sweeps do a minute later.
pub(crate) async fn sweep(stack: &Stack, region: &str) -> Result<()> {
    let event = scheduled_event(meridian::now() + SWEPT_AFTER);
    // Rolling up leaves facts in the outbox, whose records the stream has again.
    for function in ["outbox-relay", "usage-rollup"] {
        let swept = stack.invoke(region, function, &event).await;
        swept.with_context(|| format!("{function} of {region}"))?;
    }
    Ok(())
}

/// Has every region publish and roll up what waits there.
pub(crate) async fn sweep_everywhere(stack: &Stack) -> Result<()> {
    let regions = stack.state().regions.keys();
    try_join_all(regions.map(async |region| sweep(stack, region).await))
        .await
        .map(|_| ())
}
