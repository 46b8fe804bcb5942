//! Levels of usage: the application is told when a tenant reaches one.

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

/// The tenant's plan is for 2,000 GB in a month. The tenant's own level and the plan's first one
/// are told, once each, though all is sent twice.
#[journey]
async fn a_level_of_usage_is_told_once(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let tenant = host.customer.tenant.as_str();
    let wish = json!({ "thresholds": [{ "meter": "transfer-gb", "percents": [25] }] });
    let levels = host
        .admin
        .ask(Method::PUT, "/alert-thresholds", Some(&wish))
        .await?;
    let of = levels["thresholds"]
        .as_array()
        .context("the plan has allowances")?
        .iter();
    let of = of
        .filter(|of| of["meter"] == "transfer-gb")
        .map(|of| (&of["plan_percents"], &of["percents"]));
    ensure!(
        of.eq([(&json!([50, 80, 100]), &json!([25]))]),
        "the levels are {levels}"
    );

    let pattern = json!({ "detail-type": ["UsageThresholdReached.v1"], "detail": { "data": { "tenant": [tenant] } } });
    let listener = Listener::new(stack, REGION, "levels", &pattern.to_string()).await?;
    let hear = async {
        let now = meridian::now();
        for (id, gigabytes) in [("a", 400), ("b", 200), ("b", 200), ("c", 500), ("a", 400)] {
            report(stack, &event(tenant, id, gigabytes, now)).await?;
            quiet_for(stack, &[&host.customer]).await?;
        }
        listener
            .hear_until(|heard| heard.replace(' ', "").contains(r#""percent":50"#))
            .await
    };
    let result = hear.await;
    listener.end().await?;
    let heard = result?;
    let told = Deserializer::from_str(&heard)
        .into_iter::<Value>()
        .collect::<Result<Vec<_>, _>>()?;
    let told: Vec<_> = told
        .iter()
        .map(|event| (&event["detail"]["data"]["percent"], &event["source"]))
        .collect();
    let source = json!("meridian.metering");
    ensure!(
        told == [(&json!(25), &source), (&json!(50), &source)],
        "what is told: {told:?}"
    );
    Ok(())
}

/// Reports an event of usage, as the provider's services do.
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
    json!({ "specversion": "1.0", "type": "transfer.completed", "source": "/levels", "id": id, "subject": tenant,
        "time": at.to_string(), "data": { "gigabytes": gigabytes, "direction": "out" } })
}
