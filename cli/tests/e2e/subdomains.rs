//! Readable labels: one in the whole fleet, and home does not know which.

use crate::books::{customer, scan};
use crate::life::{Signed, administrator};
use crate::outage::until_undelivered;
use crate::quiet::{quiet, quiet_for};
use crate::routing::alias_of;
use crate::streams::{bring_again_everywhere, bring_back};
use anyhow::{Context, Result, bail, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use deployment::clients::http;
use journey::journey;
use local_aws::Stack;
use local_aws::canary::Canary;
use meridian::client::tenant::refusal;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, Instant};

const REGION: &str = "eu-central-1";
const OTHER: &str = "us-west-2";
/// Longer than two answers of home and a name take, a refused attempt at each of them included.
const ROLLED_UP_MAX: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// What of the emulator holds the names of the whole world: a label in use is one of them.
const NAMES: &str = "route53";

/// A label that nobody has.
fn invent() -> String {
    let random = meridian::new_uuid().simple().to_string();
    format!("acme-{}", &random[..20])
}

async fn ask(host: &Signed, label: &str) -> Result<Value> {
    host.admin
        .ask(Method::PUT, "/address", Some(&json!({ "label": label })))
        .await
}

/// Waits until the tenant's labels are as wanted, and returns them.
async fn until(host: &Signed, title: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let deadline = Instant::now() + ROLLED_UP_MAX;
    loop {
        let address = host.admin.profile().await?["address"].clone();
        if wanted(&address) {
            return Ok(address);
        }
        if Instant::now() > deadline {
            bail!("{title}: {address}");
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

async fn until_held(host: &Signed, label: &str) -> Result<()> {
    until(host, "the label does not come", |address| {
        address["label"] == label && address["reservation"].is_null()
    })
    .await?;
    Ok(())
}

async fn until_refused(host: &Signed) -> Result<()> {
    let address = until(host, "nobody refuses", |address| {
        address["reservation"]["state"] == "refused"
    })
    .await?;
    ensure!(
        address["reservation"]["reason"] == "taken" && address["label"].is_null(),
        "{address}"
    );
    Ok(())
}

/// What a label answers, once it does so with this status.
async fn answered(stack: &Stack, label: &str, wanted: StatusCode) -> Result<Value> {
    let url = format!(
        "{}/.well-known/meridian",
        stack
            .deployment()
            .tenant_address(label)
            .context("addresses")?
    );
    let deadline = Instant::now() + ROLLED_UP_MAX;
    loop {
        let answer = http().get(&url).send().await?;
        let status = answer.status();
        if status == wanted {
            return Ok(serde_json::from_slice(&answer.bytes().await?).unwrap_or_default());
        }
        ensure!(
            Instant::now() < deadline,
            "the label still answers {status}"
        );
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The reservations that home has a record of.
async fn claims_at_home(stack: &Stack) -> Result<Vec<HashMap<String, AttributeValue>>> {
    let home = stack.deployment().home.clone();
    let table = stack
        .deployment()
        .region(&home)?
        .tables
        .get("central")
        .context("home has its table")?
        .clone();
    scan(stack, &home, &table, "RESERVATION#").await
}

/// Two tenants of two regions ask for one label at once: one has it, and the address leads there.
/// Given up, it leads nowhere, and nobody else gets it.
#[journey]
async fn one_tenant_of_the_fleet_has_a_label(stack: &Stack) -> Result<()> {
    let (one, other) = (
        administrator(stack, REGION).await?,
        administrator(stack, OTHER).await?,
    );
    quiet_for(stack, &[&one.customer, &other.customer]).await?;
    let label = invent();
    let asked = ask(&one, &label).await?;
    ensure!(asked["reservation"]["label"] == json!(label), "{asked}");
    ask(&other, &label).await?;
    let first = until(&one, "home does not decide", |address| {
        !address["label"].is_null() || address["reservation"]["state"] == "refused"
    })
    .await?;
    let (holder, loser) = if first["label"].is_null() {
        (&other, &one)
    } else {
        (&one, &other)
    };
    until_held(holder, &label).await?;
    until_refused(loser).await?;

    let answer = answered(stack, &label, StatusCode::OK).await?;
    ensure!(
        answer["alias"] == json!(alias_of(&holder.customer)?),
        "sign-in is by the random alias: {answer}"
    );
    ensure!(
        answer["region"] == json!(holder.customer.person.region),
        "{answer}"
    );

    let better = invent();
    ask(holder, &better).await?;
    until_held(holder, &better).await?;
    answered(stack, &better, StatusCode::OK).await?;
    answered(stack, &label, StatusCode::BAD_GATEWAY).await?;
    ask(loser, &label).await?;
    until_refused(loser)
        .await
        .context("bookmarks of the other tenant's users still have it")?;
    holder.admin.ask_nothing(Method::DELETE, "/address").await?;
    ensure!(
        holder.admin.profile().await?["address"].is_null(),
        "the label is given up"
    );
    answered(stack, &better, StatusCode::BAD_GATEWAY).await?;
    quiet_for(stack, &[&one.customer, &other.customer]).await
}

/// A label that cannot be is refused before anybody is asked.
#[journey]
async fn a_label_is_refused_where_it_is_asked_for(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let alias = alias_of(&customer(stack, REGION).await?)?;
    for label in ["www", "Acme", "ac--me", "us-east-1", alias.as_str()] {
        let refused = ask(&host, label)
            .await
            .err()
            .with_context(|| format!("{label} is taken"))?;
        let problem = refusal(refused)?;
        ensure!(problem.slug() == "invalid-fields", "{label}: {problem}");
    }
    ensure!(
        host.admin.profile().await?["address"].is_null(),
        "nothing is asked for"
    );
    Ok(())
}

/// While home is off, a reservation waits; when it is back, it is decided. Nothing that home holds names
/// the label.
#[journey(alone = "stops home, and searches all that the regions hold")]
async fn a_claim_waits_for_home(stack: &Stack) -> Result<()> {
    let home = stack.deployment().home.clone();
    let host = administrator(stack, REGION).await?;
    quiet(stack).await?;
    let known = claims_at_home(stack).await?.len();
    let label = invent();
    stack.stop_region(&home).await?;
    ask(&host, &label).await?;
    until_undelivered(stack, REGION, &home).await?;
    let waiting = host.admin.profile().await?["address"].clone();
    ensure!(
        waiting["reservation"]["state"] == "requesting" && waiting["label"].is_null(),
        "{waiting}"
    );
    bring_back(stack, &home).await?;
    until_held(&host, &label).await?;
    answered(stack, &label, StatusCode::OK).await?;
    quiet(stack).await?;
    ensure!(
        claims_at_home(stack).await?.len() == known + 2,
        "home has the reservation and the region's last word"
    );

    let canary = Canary {
        region: REGION.to_owned(),
        field: "label",
        value: label,
    };
    let found = stack.search(&[canary], true).await?;
    bring_again_everywhere(stack).await?;
    ensure!(
        found.at_home == 1,
        "the search does not find the label where it must be"
    );
    let strays = found
        .strays
        .iter()
        .filter(|stray| !stray.file.to_string_lossy().contains(NAMES));
    let strays: Vec<_> = strays.collect();
    ensure!(strays.is_empty(), "outside its region: {strays:#?}");
    Ok(())
}
