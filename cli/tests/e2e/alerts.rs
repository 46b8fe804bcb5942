//! Usage thresholds: the application is notified when a tenant reaches one.

use crate::life::administrator;
use crate::listener::Listener;
use crate::quiet::quiet_for;
use anyhow::{Context, Result, ensure};
use deployment::clients::http;
use jiff::Timestamp;
use journey::journey;
use local_aws::Stack;
use meridian::client::login::machine_token;
use meridian::client::usage::SCOPE;
use reqwest::{Method, StatusCode};
use serde_json::{Deserializer, Value, json};

const REGION: &str = "eu-central-1";

/// The tenant's plan allows 2,000 GB in a month. The tenant's own threshold and the plan's first
/// one are notified once each, though some usage events are sent twice.
#[journey]
async fn a_usage_threshold_is_notified_once(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let tenant = host.customer.tenant.as_str();
    let request = json!({ "thresholds": [{ "meter": "transfer-gb", "percents": [25] }] });
    let thresholds = host
        .admin
        .ask(Method::PUT, "/alert-thresholds", Some(&request))
        .await?;
    let of_meter = thresholds["thresholds"]
        .as_array()
        .context("the plan has allowances")?
        .iter();
    let of_meter = of_meter
        .filter(|threshold| threshold["meter"] == "transfer-gb")
        .map(|threshold| (&threshold["plan_percents"], &threshold["percents"]));
    ensure!(
        of_meter.eq([(&json!([50, 80, 100]), &json!([25]))]),
        "the thresholds are {thresholds}"
    );

    let pattern = json!({ "detail-type": ["UsageThresholdReached.v1"], "detail": { "data": { "tenant": [tenant] } } });
    let listener = Listener::new(stack, REGION, "thresholds", &pattern.to_string()).await?;
    let notified = async {
        let now = meridian::now();
        for (id, gigabytes) in [("a", 400), ("b", 200), ("b", 200), ("c", 500), ("a", 400)] {
            report(stack, &event(tenant, id, gigabytes, now)).await?;
            quiet_for(stack, &[&host.customer]).await?;
        }
        listener
            .receive_until(|received| received.replace(' ', "").contains(r#""percent":50"#))
            .await
    };
    let received = notified.await;
    listener.end().await?;
    let received = received?;
    let alerts = Deserializer::from_str(&received)
        .into_iter::<Value>()
        .collect::<Result<Vec<_>, _>>()?;
    let alerts: Vec<_> = alerts
        .iter()
        .map(|event| (&event["detail"]["data"]["percent"], &event["source"]))
        .collect();
    let source = json!("meridian.metering");
    ensure!(
        alerts == [(&json!(25), &source), (&json!(50), &source)],
        "the application is notified of {alerts:?}"
    );
    Ok(())
}

/// Reports a usage event, as the provider's services do.
async fn report(stack: &Stack, event: &Value) -> Result<()> {
    let region = stack.deployment().region(REGION)?;
    let token = machine_token(&region.token_url, &region.service_client, SCOPE).await?;
    let url = format!("{}/usage/events", region.api_url);
    let status = http()
        .post(url)
        .bearer_auth(&token)
        .json(&[event])
        .send()
        .await?
        .status();
    ensure!(status == StatusCode::OK, "usage is refused: {status}");
    Ok(())
}

fn event(tenant: &str, id: &str, gigabytes: u64, at: Timestamp) -> Value {
    json!({ "specversion": "1.0", "type": "transfer.completed", "source": "/thresholds", "id": id, "subject": tenant,
        "time": at.to_string(), "data": { "gigabytes": gigabytes, "direction": "out" } })
}
