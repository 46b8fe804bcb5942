//! Usage under load: several clients send without a pause, and the ledger has all of it afterwards.

use crate::books::{customer, ledger, months_shown};
use crate::runtime_interface::{install, start};
use anyhow::{Context, Result, ensure};
use deployment::clients::http;
use futures::future::try_join_all;
use journey::journey;
use kernel::Quantity;
use local_aws::Stack;
use meridian::client::login::machine_token;
use meridian::client::usage::SCOPE;
use reqwest::{RequestBuilder, StatusCode};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const REGION: &str = "eu-central-1";
const CLIENTS: usize = 4;
/// The most events that a region takes in one request.
const BATCH: usize = 1_000;
/// How long the load lasts unless `MERIDIAN_LOAD_S` sets another time.
const LASTS: Duration = Duration::from_secs(10);
/// How long the ceiling of the local AWS is measured, before the load and after it.
const CEILING: Duration = Duration::from_secs(3);
const QUIET: Duration = Duration::from_secs(300);
/// The number of measurements. The quickest counts, because other work on the machine slows the
/// others.
const MEASUREMENTS: usize = 3;
const SHOWN_MAX: Duration = Duration::from_secs(5);
/// The largest body that a region takes.
const BODY_BYTES_MAX: usize = 4 << 20;
const MEMORY_KIB_MAX: u64 = 64 << 10;

/// The requests that clients completed, and the time that they took.
struct Done {
    requests: usize,
    took: Duration,
}

impl Done {
    fn rate(&self) -> f64 {
        self.requests as f64 / self.took.as_secs_f64()
    }
}

/// Prints the events per second that the region took, beside the requests per second that the local
/// AWS serves with a function that only answers.
#[journey(alone = "measures what the machine can take")]
async fn usage_under_load(stack: &Stack) -> Result<()> {
    let region = stack.deployment().region(REGION)?;
    let token = machine_token(&region.token_url, &region.service_client, SCOPE).await?;
    let seconds = std::env::var_os("MERIDIAN_LOAD_S")
        .map(|text| text.to_str().and_then(|text| text.parse().ok()));
    let seconds = seconds
        .map(|seconds| seconds.context("MERIDIAN_LOAD_S is no number of seconds"))
        .transpose()?;
    let lasts = seconds.map_or(LASTS, Duration::from_secs);
    let mut tenants = Vec::new();
    for _ in 0..CLIENTS {
        tenants.push(customer(stack, REGION).await?.tenant);
    }
    let describe = |_: usize, _: usize| http().get(format!("{}/openapi.json", region.api_url));
    let before = clients(CEILING, StatusCode::OK, describe).await?;
    let url = format!("{}/usage/events", region.api_url);
    let send = |client: usize, n: usize| {
        http()
            .post(&url)
            .bearer_auth(&token)
            .json(&batch(&tenants[client], n))
    };
    let sent = clients(lasts, StatusCode::OK, send).await?;
    let began = Instant::now();
    stack.wait_until_quiet(QUIET).await?;
    let drained = began.elapsed();
    let after = clients(CEILING, StatusCode::OK, describe).await?;

    let (ours, ceiling) = (sent.rate(), f64::midpoint(before.rate(), after.rate()));
    println!(
        "{CLIENTS} clients for {} s: {:.0} events/s in {ours:.1} requests/s",
        lasts.as_secs(),
        ours * BATCH as f64
    );
    println!(
        "the local AWS serves {ceiling:.1} requests/s of a function that only answers; ours / this: {:.2}",
        ours / ceiling
    );
    println!(
        "all usage was rolled up, published and in the ledger {:.1} s after",
        drained.as_secs_f64()
    );

    let found = ledger(stack, &stack.deployment().home.clone(), &tenants).await?;
    let mut events = 0;
    for ((tenant, meter), (value, counted)) in &found {
        ensure!(
            *value == Quantity::from(*counted),
            "{tenant}, {meter}: {value} of {counted} events"
        );
        events += counted;
    }
    let wanted = (sent.requests * BATCH) as u64;
    ensure!(
        events == wanted,
        "{events} events are in the ledger, {wanted} were sent"
    );
    Ok(())
}

/// `GET /usage` shows usage soon after it was accepted.
#[journey]
async fn usage_is_shown_soon(stack: &Stack) -> Result<()> {
    let region = stack.deployment().region(REGION)?;
    let token = machine_token(&region.token_url, &region.service_client, SCOPE).await?;
    let reading = machine_token(&region.token_url, &region.service_client, "usage/read").await?;
    let tenant = customer(stack, REGION).await?.tenant;
    let shown = async || -> Result<u64> {
        let query = format!("meter=api-calls&tenant={tenant}");
        let months = months_shown(region, &reading, &query).await?;
        let value = months.first().and_then(|month| month["value"].as_str());
        Ok(value.map_or(Ok(0), str::parse)?)
    };
    let mut quickest = Duration::MAX;
    for request in 0..MEASUREMENTS {
        let send = http()
            .post(format!("{}/usage/events", region.api_url))
            .bearer_auth(&token);
        let sent = send.json(&batch(&tenant, request)).send().await?;
        ensure!(
            sent.status() == StatusCode::OK,
            "usage is refused: {}",
            sent.status()
        );
        let (accepted, wanted) = (Instant::now(), (BATCH * (request + 1)) as u64);
        while shown().await? != wanted {
            ensure!(accepted.elapsed() < QUIET, "usage is not shown");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        quickest = quickest.min(accepted.elapsed());
    }
    println!(
        "usage is shown {:.1} s after it was accepted",
        quickest.as_secs_f64()
    );
    ensure!(
        quickest < SHOWN_MAX,
        "usage is shown {quickest:?} after it was accepted"
    );
    Ok(())
}

/// The largest valid request, in events and in bytes, takes less memory than [`MEMORY_KIB_MAX`].
#[journey]
async fn the_largest_batch_takes_little_memory(stack: &Stack) -> Result<()> {
    let home = &stack.deployment().home;
    let region = stack.deployment().region(home)?;
    let token = machine_token(&region.token_url, &region.service_client, SCOPE).await?;
    let tenant = customer(stack, home).await?.tenant;
    let mut events = batch(&tenant, 0);
    let padding = (BODY_BYTES_MAX - serde_json::to_vec(&events)?.len()) / BATCH;
    for event in &mut events {
        event["data"] = json!("x".repeat(padding - r#","data":"""#.len()));
    }
    let body = serde_json::to_string(&events)?;
    ensure!(
        body.len() > BODY_BYTES_MAX - BATCH,
        "the largest batch has {} bytes",
        body.len()
    );
    let file = stack
        .checkout()
        .join("events/usage-ingest/valid-empty-batch.json");
    let mut event: Value = serde_json::from_slice(&std::fs::read(file)?)?;
    event["headers"]["authorization"] = json!(format!("Bearer {token}"));
    event["requestContext"]["timeEpoch"] = json!(meridian::now().as_millisecond());
    event["body"] = json!(body);

    let emulator = install(stack)?;
    let mut running = start(
        stack,
        &emulator,
        region,
        "usage-ingest",
        &stack.local().region(home)?.emulator_url,
    )
    .await?;
    let answer = running.invoke(serde_json::to_vec(&event)?).await?;
    let accepted = json!({ "accepted": BATCH, "rejected": [] });
    let answered: Value =
        serde_json::from_str(answer["body"].as_str().unwrap_or_default()).unwrap_or_default();
    ensure!(answered == accepted, "answered {answer}");
    let peak_kib = running.peak_kib()?;
    println!(
        "{BATCH} events in {} bytes: the function's process has at most {} MiB",
        body.len(),
        peak_kib / 1_024
    );
    ensure!(
        peak_kib < MEMORY_KIB_MAX,
        "the function's process has {peak_kib} KiB"
    );
    Ok(())
}

/// Runs clients at once for a time. Each sends one request after the other.
async fn clients(
    lasts: Duration,
    expected: StatusCode,
    request: impl Fn(usize, usize) -> RequestBuilder,
) -> Result<Done> {
    let began = Instant::now();
    let client = async |client: usize| -> Result<usize> {
        let mut requests = 0;
        while began.elapsed() < lasts {
            let status = request(client, requests).send().await?.status();
            ensure!(
                status == expected,
                "request {requests} of client {client} gets {status}"
            );
            requests += 1;
        }
        Ok(requests)
    };
    let requests = try_join_all((0..CLIENTS).map(client))
        .await?
        .into_iter()
        .sum();
    Ok(Done {
        requests,
        took: began.elapsed(),
    })
}

/// The events of a request. Each counts as one.
fn batch(tenant: &str, request: usize) -> Vec<Value> {
    let now = meridian::now().to_string();
    let event = |n: usize| {
        json!({ "specversion": "1.0", "type": "api.request", "source": "/load", "id": format!("{request}-{n}"),
            "subject": tenant, "time": now })
    };
    (0..BATCH).map(event).collect()
}
