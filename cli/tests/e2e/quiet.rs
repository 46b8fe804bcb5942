//! Waits of journeys until nothing is under way.

use anyhow::Result;
use local_aws::Stack;
use meridian::demo::Customer;
use std::time::Duration;

/// Longer than a queue needs to deliver a message as often as it may.
pub(crate) const QUIET_MAX: Duration = Duration::from_secs(180);

/// Waits until nothing at all is under way. For journeys that run alone.
pub(crate) async fn quiet(stack: &Stack) -> Result<()> {
    stack.wait_until_quiet(QUIET_MAX).await
}

/// Waits until nothing about one of these customers is under way.
pub(crate) async fn quiet_for(stack: &Stack, customers: &[&Customer]) -> Result<()> {
    let words = customers.iter().flat_map(|customer| words_of(customer));
    quiet_about(stack, &words.collect::<Vec<_>>()).await
}

/// Waits until nothing that contains one of these texts is under way.
pub(crate) async fn quiet_about(stack: &Stack, texts: &[&str]) -> Result<()> {
    stack.wait_until_quiet_about(texts, QUIET_MAX).await
}

/// The texts by which events, rows and messages name a tenant: its own ids and its administrator's.
fn words_of(customer: &Customer) -> impl Iterator<Item = &str> {
    let claims = ["alias", "cognito:username"].map(|name| customer.claims[name].as_str());
    let own = [&customer.tenant, &customer.person.details.email].map(|own| Some(own.as_str()));
    claims.into_iter().chain(own).flatten()
}
