//! Days and months that begin at the tenant's billing anchor.

use crate::books::{ledger_items, months_shown, text_of};
use crate::quiet::quiet_for;
use anyhow::{Context, Result, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use deployment::clients::http;
use jiff::{Timestamp, ToSpan};
use journey::journey;
use kernel::{BillingPeriod, WindowSize};
use local_aws::Stack;
use meridian::client::login::machine_token;
use meridian::client::usage::SCOPE;
use meridian::demo::{Person, become_customer};
use serde_json::{Value, json};

const REGION: &str = "eu-central-1";
/// Midnight in a time zone that is an hour ahead of UTC.
const ANCHOR: &str = "23:00";

/// A tenant's month ends an hour before the calendar month. Usage of that hour belongs to the next
/// month, for the tenant and in the ledger. Usage from before the tenant's first month is refused,
/// because no invoice could have it.
#[journey]
async fn months_begin_at_the_billing_anchor(stack: &Stack) -> Result<()> {
    let mut person = Person::invent(REGION, "pro");
    person.details.billing_anchor = Some(ANCHOR.to_owned());
    let customer = become_customer(stack, person).await?;
    let tenant = &customer.tenant;
    let midnight = WindowSize::Month.start(meridian::now(), ANCHOR.parse()?);
    let period = BillingPeriod::containing(midnight + 1.hour());
    let [before, after] = [midnight - 1.minute(), midnight + 1.minute()];
    let region = stack.deployment().region(REGION)?;
    let token = machine_token(&region.token_url, &region.service_client, SCOPE).await?;
    let sent = [
        event(tenant, "a", before),
        event(tenant, "b", midnight),
        event(tenant, "c", after),
    ];
    let url = format!("{}/usage/events", region.api_url);
    let answer: Value = http()
        .post(url)
        .bearer_auth(&token)
        .json(&sent)
        .send()
        .await?
        .json()
        .await?;
    let refused = answer["rejected"]
        .as_array()
        .context("the answer lacks the refused events")?;
    let refused: Vec<_> = refused
        .iter()
        .map(|event| (&event["id"], &event["reason"]))
        .collect();
    let (id, reason) = (json!("a"), json!("before-first-period"));
    ensure!(
        answer["accepted"] == 2 && refused == [(&id, &reason)],
        "the answer is {answer}"
    );
    quiet_for(stack, &[&customer]).await?;

    the_tenant_sees(stack, tenant, before, midnight).await?;
    for (period, expected) in [(period.previous(), None), (period, Some((midnight, 2)))] {
        the_ledger_has(stack, tenant, period, expected).await?;
    }
    Ok(())
}

/// Checks that the tenant is shown one month, which begins at its own midnight.
async fn the_tenant_sees(
    stack: &Stack,
    tenant: &str,
    before: Timestamp,
    midnight: Timestamp,
) -> Result<()> {
    let region = stack.deployment().region(REGION)?;
    let reading = machine_token(&region.token_url, &region.service_client, "usage/read").await?;
    let from = WindowSize::Month.start(before, ANCHOR.parse()?);
    let query = format!("meter=api-calls&tenant={tenant}&from={from}");
    let shown = months_shown(region, &reading, &query).await?;
    let months: Vec<_> = shown
        .iter()
        .map(|month| (&month["start"], &month["value"]))
        .collect();
    ensure!(
        months == [(&json!(midnight), &json!("2"))],
        "the tenant sees {months:?}"
    );
    Ok(())
}

/// Checks that the ledger has one window of API calls in a period, or none.
async fn the_ledger_has(
    stack: &Stack,
    tenant: &str,
    period: BillingPeriod,
    expected: Option<(Timestamp, u64)>,
) -> Result<()> {
    let home = &stack.deployment().home;
    let items = ledger_items(stack, home, &format!("LEDGER#{tenant}#{period}")).await?;
    // The sign-in is metered too, by another meter.
    let windows = items
        .iter()
        .filter(|item| text_of(item, "meter") == Some("api-calls"));
    let windows: Vec<_> = windows
        .map(|item| {
            (
                text_of(item, "start").map(str::to_owned),
                item["events"].clone(),
            )
        })
        .collect();
    let expected = expected.map(|(start, events)| {
        (
            Some(start.to_string()),
            AttributeValue::N(events.to_string()),
        )
    });
    ensure!(
        windows == expected.into_iter().collect::<Vec<_>>(),
        "the ledger has {windows:?} of {period}"
    );
    Ok(())
}

fn event(tenant: &str, id: &str, at: Timestamp) -> Value {
    json!({ "specversion": "1.0", "type": "api.request", "source": "/days", "id": id, "subject": tenant,
        "time": at.to_string() })
}
