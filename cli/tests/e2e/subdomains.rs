//! Custom subdomains: each is unique in the whole fleet, though home does not know their names.

use crate::books::{customer, scan};
use crate::life::{Signed, administrator};
use crate::outage::until_undelivered;
use crate::quiet::{quiet, quiet_for};
use crate::routing::alias_of;
use crate::streams::{bring_back, redeliver_everywhere};
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
/// Longer than two answers of home and a DNS change take, a refused attempt at each of them
/// included.
const DECIDED_MAX: Duration = Duration::from_secs(120);
const POLL_INTERVAL: Duration = Duration::from_millis(300);
/// The emulator's folder of DNS. Names in DNS are public, so a subdomain in use may be there.
const DNS_FOLDER: &str = "route53";

/// Makes up a subdomain that no tenant has.
fn invent() -> String {
    let random = meridian::new_uuid().simple().to_string();
    format!("acme-{}", &random[..20])
}

async fn request(host: &Signed, subdomain: &str) -> Result<Value> {
    host.admin
        .ask(
            Method::PUT,
            "/address",
            Some(&json!({ "subdomain": subdomain })),
        )
        .await
}

/// Waits until the tenant's address is as wanted, and returns it.
async fn until(host: &Signed, title: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let deadline = Instant::now() + DECIDED_MAX;
    loop {
        let address = host.admin.profile().await?["address"].clone();
        if wanted(&address) {
            return Ok(address);
        }
        if Instant::now() > deadline {
            bail!("{title}: {address}");
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

async fn until_held(host: &Signed, subdomain: &str) -> Result<()> {
    until(host, "the subdomain is not granted", |address| {
        address["subdomain"] == subdomain && address["reservation"].is_null()
    })
    .await?;
    Ok(())
}

async fn until_refused(host: &Signed) -> Result<()> {
    let address = until(host, "the reservation is not refused", |address| {
        address["reservation"]["state"] == "refused"
    })
    .await?;
    ensure!(
        address["reservation"]["reason"] == "taken" && address["subdomain"].is_null(),
        "{address}"
    );
    Ok(())
}

/// Waits until a subdomain answers with a status, and returns the answer.
async fn answered(stack: &Stack, subdomain: &str, wanted: StatusCode) -> Result<Value> {
    let url = format!(
        "{}/.well-known/meridian",
        stack
            .deployment()
            .tenant_address(subdomain)
            .context("addresses")?
    );
    let deadline = Instant::now() + DECIDED_MAX;
    loop {
        let answer = http().get(&url).send().await?;
        let status = answer.status();
        if status == wanted {
            return Ok(serde_json::from_slice(&answer.bytes().await?).unwrap_or_default());
        }
        ensure!(
            Instant::now() < deadline,
            "the subdomain still answers {status}"
        );
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Reads home's records of reservations.
async fn reservations_at_home(stack: &Stack) -> Result<Vec<HashMap<String, AttributeValue>>> {
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

/// Two tenants of two regions request one subdomain at once. One gets it, and the address leads to
/// that tenant. After the tenant gives it up, it leads nowhere, and no other tenant gets it.
#[journey]
async fn a_subdomain_belongs_to_one_tenant_of_the_fleet(stack: &Stack) -> Result<()> {
    let (one, other) = (
        administrator(stack, REGION).await?,
        administrator(stack, OTHER).await?,
    );
    quiet_for(stack, &[&one.customer, &other.customer]).await?;
    let subdomain = invent();
    let requested = request(&one, &subdomain).await?;
    ensure!(
        requested["reservation"]["subdomain"] == json!(subdomain),
        "{requested}"
    );
    request(&other, &subdomain).await?;
    let first = until(&one, "home does not decide", |address| {
        !address["subdomain"].is_null() || address["reservation"]["state"] == "refused"
    })
    .await?;
    let (holder, loser) = if first["subdomain"].is_null() {
        (&other, &one)
    } else {
        (&one, &other)
    };
    until_held(holder, &subdomain).await?;
    until_refused(loser).await?;

    let answer = answered(stack, &subdomain, StatusCode::OK).await?;
    ensure!(
        answer["alias"] == json!(alias_of(&holder.customer)?),
        "sign-in is by the random alias: {answer}"
    );
    ensure!(
        answer["region"] == json!(holder.customer.person.region),
        "{answer}"
    );

    let better = invent();
    request(holder, &better).await?;
    until_held(holder, &better).await?;
    answered(stack, &better, StatusCode::OK).await?;
    answered(stack, &subdomain, StatusCode::BAD_GATEWAY).await?;
    request(loser, &subdomain).await?;
    until_refused(loser)
        .await
        .context("bookmarks of the other tenant's users still have it")?;
    holder.admin.ask_nothing(Method::DELETE, "/address").await?;
    ensure!(
        holder.admin.profile().await?["address"].is_null(),
        "the subdomain is not given up"
    );
    answered(stack, &better, StatusCode::BAD_GATEWAY).await?;
    quiet_for(stack, &[&one.customer, &other.customer]).await
}

/// The region refuses an invalid subdomain without a request to home.
#[journey]
async fn an_invalid_subdomain_is_refused_in_its_region(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let alias = alias_of(&customer(stack, REGION).await?)?;
    for subdomain in ["www", "Acme", "ac--me", "us-east-1", alias.as_str()] {
        let refused = request(&host, subdomain)
            .await
            .err()
            .with_context(|| format!("{subdomain} is accepted"))?;
        let problem = refusal(refused)?;
        ensure!(problem.slug() == "invalid-fields", "{subdomain}: {problem}");
    }
    ensure!(
        host.admin.profile().await?["address"].is_null(),
        "a reservation was requested"
    );
    Ok(())
}

/// While home is off, a reservation waits, and when home is back, it is decided. Nothing that home
/// stores contains the subdomain.
#[journey(alone = "stops home, and searches everything that the regions store")]
async fn a_subdomain_reservation_waits_for_home(stack: &Stack) -> Result<()> {
    let home = stack.deployment().home.clone();
    let host = administrator(stack, REGION).await?;
    quiet(stack).await?;
    let known = reservations_at_home(stack).await?.len();
    let subdomain = invent();
    stack.stop_region(&home).await?;
    request(&host, &subdomain).await?;
    until_undelivered(stack, REGION, &home).await?;
    let pending = host.admin.profile().await?["address"].clone();
    ensure!(
        pending["reservation"]["state"] == "requesting" && pending["subdomain"].is_null(),
        "{pending}"
    );
    bring_back(stack, &home).await?;
    until_held(&host, &subdomain).await?;
    answered(stack, &subdomain, StatusCode::OK).await?;
    quiet(stack).await?;
    ensure!(
        reservations_at_home(stack).await?.len() == known + 2,
        "home lacks the reservation or the region's confirmation"
    );

    let canary = Canary {
        region: REGION.to_owned(),
        field: "subdomain",
        value: subdomain,
    };
    let found = stack.search(&[canary], true).await?;
    redeliver_everywhere(stack).await?;
    ensure!(
        found.at_home == 1,
        "the search does not find the subdomain where it must be"
    );
    let strays = found
        .strays
        .iter()
        .filter(|stray| !stray.file.to_string_lossy().contains(DNS_FOLDER));
    let strays: Vec<_> = strays.collect();
    ensure!(strays.is_empty(), "outside its region: {strays:#?}");
    Ok(())
}
