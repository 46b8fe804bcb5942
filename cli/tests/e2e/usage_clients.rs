//! Usage that third-party clients report.

use crate::books::{customer, ledger};
use crate::clients::run;
use crate::quiet::quiet_for;
use anyhow::{Result, ensure};
use jiff::Timestamp;
use journey::journey;
use local_aws::Stack;
use meridian::client::login::machine_token;
use meridian::client::usage::SCOPE;
use serde_json::{Value, json};

const REGION: &str = "eu-central-1";

/// An event at a whole second, because Python clients do not preserve nanoseconds.
fn event(tenant: &str, id: &str, gigabytes: f64) -> Result<Value> {
    let time = Timestamp::from_second(meridian::now().as_second())?.to_string();
    Ok(
        json!({ "specversion": "1.0", "type": "transfer.completed", "source": "/clients/Z\u{fc}rich 1", "id": id,
        "subject": tenant, "time": time, "datacontenttype": "application/json",
        "data": { "gigabytes": gigabytes } }),
    )
}

/// The SDK of `CloudEvents` in all its modes, and the client of `OpenMeter`, each unmodified,
/// report usage. Repeated events count once.
#[journey]
async fn third_party_clients_report_usage(stack: &Stack) -> Result<()> {
    let region = stack.deployment().region(REGION)?;
    let token = machine_token(&region.token_url, &region.service_client, SCOPE).await?;
    let (one, other) = (
        customer(stack, REGION).await?,
        customer(stack, REGION).await?,
    );
    let tenants = [one.tenant.clone(), other.tenant.clone()];

    let url = format!("{}/usage/events", region.api_url);
    let mut sent = event(&tenants[0], "100% \u{1f600}", 1.25)?;
    // The gateway passes a body of `application/json` as text, even when it is compressed, so the
    // event has another content type.
    sent["datacontenttype"] = json!("application/vnd.example.transfer+json");
    let job = json!({ "url": url, "token": token, "event": sent });
    let answers = run(
        stack,
        "cloud-events-sdk",
        include_str!("clients/cloud_events_sdk.txt"),
        &job,
    )
    .await?;
    for (form, accepted) in [("binary", 1), ("structured", 1), ("batch", 2)] {
        for name in [form.to_owned(), format!("{form}, compressed")] {
            let expected =
                json!({ "status": 200, "body": { "accepted": accepted, "rejected": [] } });
            ensure!(answers[&name] == expected, "{name}: {answers}");
        }
    }

    let events = [event(&tenants[1], "a", 2.5)?, event(&tenants[1], "b", 4.0)?];
    let mut refused = event(&tenants[1], "c", 8.0)?;
    refused["type"] = json!("coffee.brewed");
    let job =
        json!({ "endpoint": region.api_url, "token": token, "events": events, "refused": refused });
    let answers = run(
        stack,
        "openmeter-sdk",
        include_str!("clients/openmeter_sdk.txt"),
        &job,
    )
    .await?;
    for name in ["one", "batch", "json"] {
        ensure!(answers[name] == json!({}), "{name}: {answers}");
    }
    for (name, index, accepted) in [("one refused", 0, 0), ("some refused", 1, 1)] {
        let (status, problem) = (&answers[name]["status"], &answers[name]["problem"]);
        ensure!(
            *status == 422 && problem["type"] == "/problems/events-refused",
            "{name}: {answers}"
        );
        ensure!(
            problem["accepted"] == accepted && problem["rejected"][0]["index"] == index,
            "{name}: {answers}"
        );
    }

    quiet_for(stack, &[&one, &other]).await?;
    let found = ledger(stack, &stack.deployment().home.clone(), &tenants).await?;
    let total = |tenant: &str, gigabytes: &str, events| -> Result<_> {
        Ok((
            (tenant.to_owned(), "transfer-gb".to_owned()),
            (gigabytes.parse()?, events),
        ))
    };
    let wanted = [
        total(&tenants[0], "1.25", 1)?,
        total(&tenants[1], "6.5", 2)?,
    ]
    .into_iter()
    .collect();
    ensure!(found == wanted, "found {found:?}\nwanted {wanted:?}");
    Ok(())
}
