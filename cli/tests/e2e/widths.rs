//! Numbers of any width: an accepted number counts, is shown and is in the ledger.

use crate::books::{ledger_items, months_shown, text_of};
use crate::quiet::quiet_for;
use anyhow::{Result, ensure};
use deployment::clients::http;
use journey::journey;
use kernel::BillingPeriod;
use local_aws::Stack;
use meridian::client::login::machine_token;
use meridian::client::usage::SCOPE;
use meridian::demo::{Person, become_customer};
use reqwest::StatusCode;
use serde_json::json;
use serde_json::value::RawValue;

const REGION: &str = "eu-central-1";

/// The smallest and the largest accepted values are on one day with ordinary ones. The month that
/// the tenant sees, and the ledger's day, have the sum to the last digit.
#[journey]
async fn usage_of_any_width_counts(stack: &Stack) -> Result<()> {
    let customer = become_customer(stack, Person::invent(REGION, "pro")).await?;
    let tenant = &customer.tenant;
    let region = stack.deployment().region(REGION)?;
    let token = machine_token(&region.token_url, &region.service_client, SCOPE).await?;
    let url = format!("{}/usage/events", region.api_url);
    let now = meridian::now();
    let nines = "9".repeat(38);
    for (id, seconds) in ["5e-324", "1e-38", "86400", "86400", &nines]
        .iter()
        .enumerate()
    {
        let sent = [event(tenant, id, seconds, &now.to_string())?];
        let status = http()
            .post(&url)
            .bearer_auth(&token)
            .json(&sent)
            .send()
            .await?
            .status();
        ensure!(status == StatusCode::OK, "{seconds} is refused: {status}");
    }
    quiet_for(stack, &[&customer]).await?;

    let sum = format!(
        "1{}172799.{}1{}5",
        "0".repeat(32),
        "0".repeat(37),
        "0".repeat(285)
    );
    let reading = machine_token(&region.token_url, &region.service_client, "usage/read").await?;
    let query = format!("meter=compute-seconds&tenant={tenant}");
    let shown = months_shown(region, &reading, &query).await?;
    let shown: Vec<_> = shown
        .iter()
        .map(|month| (&month["value"], &month["events"]))
        .collect();
    ensure!(
        shown == [(&json!(sum), &json!(5))],
        "the tenant sees {shown:?}"
    );

    let home = &stack.deployment().home;
    let period = BillingPeriod::containing(now);
    let items = ledger_items(stack, home, &format!("LEDGER#{tenant}#{period}")).await?;
    let used = items
        .iter()
        .filter(|item| text_of(item, "meter") == Some("compute-seconds"));
    let used: Vec<_> = used.map(|item| text_of(item, "value")).collect();
    ensure!(used == [Some(sum.as_str())], "the ledger has {used:?}");
    Ok(())
}

/// An event whose number is written as given, because a float could not hold it.
fn event(tenant: &str, id: usize, seconds: &str, at: &str) -> Result<Box<RawValue>> {
    let event = json!({ "specversion": "1.0", "type": "compute.finished", "source": "/widths", "id": id.to_string(),
        "subject": tenant, "time": at, "data": { "seconds": "SECONDS" } });
    Ok(RawValue::from_string(
        event.to_string().replace("\"SECONDS\"", seconds),
    )?)
}
