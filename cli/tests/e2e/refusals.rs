//! Bad input gets a problem document that helps, and changes nothing.

use crate::books::customer;
use anyhow::{Context, Result, ensure};
use deployment::clients::http;
use journey::journey;
use local_aws::Stack;
use meridian::client::login::{machine_token, sign_in};
use meridian::client::usage::SCOPE;
use meridian::demo::Person;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

const REGION: &str = "eu-central-1";
const OTHER: &str = "us-east-1";

/// One bad request: its title, the request, and the expected status and problem.
struct Row<'a>(&'a str, RequestBuilder, u16, &'a str);

impl Row<'_> {
    async fn check(self) -> Result<Value> {
        let Row(name, request, status, slug) = self;
        let answer = request.send().await?;
        let (found, kind) = (
            answer.status().as_u16(),
            answer.headers().get("content-type").cloned(),
        );
        let body = answer.text().await?;
        let problem: Value =
            serde_json::from_str(&body).with_context(|| format!("{name}: {found} {body}"))?;
        ensure!(
            found == status && problem["type"] == format!("/problems/{slug}"),
            "{name}: {found} {problem}"
        );
        ensure!(
            problem["status"] == status && problem["title"].is_string(),
            "{name}: {problem}"
        );
        ensure!(
            kind.is_some_and(|kind| kind == "application/problem+json"),
            "{name}: another content type"
        );
        Ok(problem)
    }
}

fn sign_up_with(api_url: &str, body: &Value) -> RequestBuilder {
    let key = meridian::new_uuid().to_string();
    http()
        .post(format!("{api_url}/signups"))
        .header("idempotency-key", key)
        .json(body)
}

fn form() -> Result<Value> {
    Ok(serde_json::to_value(Person::invent(REGION, "pro").details)?)
}

fn form_with(field: &str, value: Value) -> Result<Value> {
    let mut form = form()?;
    form[field] = value;
    Ok(form)
}

/// Every kind of bad request gets a problem document with the right status and type.
#[journey]
async fn bad_requests_get_problem_documents(stack: &Stack) -> Result<()> {
    let region = stack.deployment().region(REGION)?;
    let api = &region.api_url;
    for (field, value) in [
        ("email", json!("no address")),
        ("organisation", json!("")),
        ("organisation", json!("x".repeat(5_000))),
        ("plan", json!("platinum")),
        ("password", json!("short")),
        ("password", json!("onlylowercaseletters")),
    ] {
        let answer = sign_up_with(api, &form_with(field, value.clone())?)
            .send()
            .await?;
        let (status, problem): (u16, Value) = (answer.status().as_u16(), answer.json().await?);
        ensure!(status == 422, "{field} = {value}: {status} {problem}");
        ensure!(
            problem.to_string().contains(field),
            "the problem names {field}: {problem}"
        );
    }
    let elsewhere = sign_up_with(api, &form_with("region", json!(OTHER))?)
        .send()
        .await?;
    ensure!(
        elsewhere.status().as_u16() == 422,
        "another region's sign-up: {}",
        elsewhere.status()
    );
    let unknown = sign_up_with(api, &form_with("nickname", json!("x"))?)
        .send()
        .await?;
    ensure!(
        unknown.status().as_u16() == 422,
        "an unknown member: {}",
        unknown.status()
    );

    requests_that_are_no_form(api).await?;
    a_key_with_another_body(api).await?;
    usage_rows(stack).await
}

/// Requests that are not a form at all, or not sent as a form has to be.
async fn requests_that_are_no_form(api: &str) -> Result<()> {
    let url = format!("{api}/signups");
    let keyed = || {
        http()
            .post(&url)
            .header("idempotency-key", "k-1")
            .header("content-type", "application/json")
    };
    Row("malformed", keyed().body("{"), 400, "malformed-json")
        .check()
        .await?;
    Row(
        "by position",
        keyed().body("[\"Array Org\",\"de\"]"),
        422,
        "invalid-body",
    )
    .check()
    .await?;
    // If this header ended the function, the next request would get no answer.
    Row(
        "no scheme",
        keyed().header("x-forwarded-proto", "a b").body("{}"),
        400,
        "malformed-request",
    )
    .check()
    .await?;
    ensure!(
        http()
            .get(format!("{api}/signup-form"))
            .send()
            .await?
            .status()
            .is_success(),
        "the function has ended"
    );
    Row(
        "too large",
        keyed().body(format!("\"{}\"", "x".repeat(100_000))),
        413,
        "body-too-large",
    )
    .check()
    .await?;
    ensure!(
        http()
            .post(&url)
            .json(&form()?)
            .send()
            .await?
            .status()
            .as_u16()
            == 400,
        "no key"
    );
    Row(
        "unknown path",
        http().get(format!("{api}/nothing")),
        404,
        "not-found",
    )
    .check()
    .await
    .ok();
    Row(
        "unknown method",
        http().request(Method::PUT, &url),
        405,
        "method-not-allowed",
    )
    .check()
    .await
    .ok();
    Ok(())
}

/// An idempotency key is valid for the one body that it came with.
async fn a_key_with_another_body(api: &str) -> Result<()> {
    let url = format!("{api}/signups");
    let body = form()?;
    let key = meridian::new_uuid().to_string();
    let first = http()
        .post(&url)
        .header("idempotency-key", &key)
        .json(&body)
        .send()
        .await?;
    ensure!(
        first.status().as_u16() == 202,
        "a good sign-up: {}",
        first.status()
    );
    let other = form_with("email", body["email"].clone())?;
    let again = http()
        .post(&url)
        .header("idempotency-key", &key)
        .json(&other);
    Row(
        "key with another body",
        again,
        422,
        "idempotency-key-reused",
    )
    .check()
    .await?;
    Ok(())
}

async fn usage_rows(stack: &Stack) -> Result<()> {
    let region = stack.deployment().region(REGION)?;
    let tenant = customer(stack, REGION).await?.tenant;
    let token = machine_token(&region.token_url, &region.service_client, SCOPE).await?;
    let url = format!("{}/usage/events", region.api_url);
    let post = |body: String| {
        http()
            .post(&url)
            .bearer_auth(&token)
            .header("content-type", "application/json")
            .body(body)
    };
    Row("malformed", post("[{".to_owned()), 400, "malformed-json")
        .check()
        .await?;
    let many = format!("[{}]", vec!["{}"; 1_001].join(","));
    Row("a batch too large", post(many), 413, "too-many-events")
        .check()
        .await?;

    let event = |id: &str, change: Value| {
        let mut event = json!({
            "specversion": "1.0", "id": id, "source": "/e2e", "type": "transfer.completed", "subject": tenant,
            "time": meridian::now().to_string(), "data": { "gigabytes": "1.5" },
        });
        if let (Some(event), Some(change)) = (event.as_object_mut(), change.as_object()) {
            event.extend(change.clone());
        }
        event
    };
    let batch = json!([
        event("good", json!({})),
        event("meter", json!({ "type": "coffee.brewed" })),
        event("number", json!({ "data": { "gigabytes": "plenty" } })),
        event("future", json!({ "time": "2099-01-01T00:00:00Z" })),
        event("tenant", json!({ "subject": "00000000-0000-7000-8000-000000000000" })),
        { "specversion": "1.0", "id": "fields" },
        event("long", json!({ "source": "x".repeat(5_000) })),
    ]);
    let answer = post(batch.to_string()).send().await?;
    let (status, answer): (u16, Value) = (answer.status().as_u16(), answer.json().await?);
    ensure!(
        status == 200 && answer["accepted"] == 1,
        "{status} {answer}"
    );
    let rejected = answer["rejected"]
        .as_array()
        .context("the refused are listed")?;
    let indices: Vec<_> = rejected
        .iter()
        .filter_map(|event| event["index"].as_u64())
        .collect();
    ensure!(indices == [1, 2, 3, 4, 5, 6], "{answer}");
    ensure!(
        rejected
            .iter()
            .all(|event| event["reason"].is_string() && event["detail"].is_string()),
        "{answer}"
    );
    Ok(())
}

/// A missing, malformed, altered or foreign token is refused, and a person's token is refused for
/// usage.
#[journey]
async fn tokens_of_others_are_refused(stack: &Stack) -> Result<()> {
    let region = stack.deployment().region(REGION)?;
    let other = stack.deployment().region(OTHER)?;
    let url = format!("{}/usage/events", region.api_url);
    let post = || {
        http()
            .post(&url)
            .header("content-type", "application/json")
            .body("[]")
    };
    Row("no token", post(), 401, "unauthorized").check().await?;
    Row(
        "no real token",
        post().bearer_auth("a.b.c"),
        401,
        "unauthorized",
    )
    .check()
    .await?;
    let foreign = machine_token(&other.token_url, &other.service_client, SCOPE).await?;
    Row(
        "another region's token",
        post().bearer_auth(&foreign),
        401,
        "unauthorized",
    )
    .check()
    .await?;
    let (head, signature) = foreign
        .rsplit_once('.')
        .context("a token has a signature")?;
    let altered = format!("{head}.{}", signature.chars().rev().collect::<String>());
    Row(
        "an altered token",
        post().bearer_auth(altered),
        401,
        "unauthorized",
    )
    .check()
    .await?;

    let person = customer(stack, REGION).await?.person;
    let username = kernel_username(stack, &person).await?;
    let session = sign_in(
        &stack.sdk(REGION)?,
        &region.client_id,
        &username,
        &person.details.password,
    )
    .await?;
    Row(
        "a person's token",
        post().bearer_auth(session.access_token),
        401,
        "unauthorized",
    )
    .check()
    .await?;
    operators_alone_see_the_fleet(stack).await
}

/// The operator API takes operators' tokens alone.
async fn operators_alone_see_the_fleet(stack: &Stack) -> Result<()> {
    let home = stack.deployment().region(&stack.deployment().home)?;
    let fleet = format!(
        "{}/fleet",
        home.operator_api_url
            .as_deref()
            .context("home has an operator API")?
    );
    Row(
        "no operator's token",
        http().get(&fleet),
        401,
        "unauthorized",
    )
    .check()
    .await?;
    let service = machine_token(&home.token_url, &home.service_client, SCOPE).await?;
    Row(
        "a service's token",
        http().get(&fleet).bearer_auth(service),
        401,
        "unauthorized",
    )
    .check()
    .await?;
    Ok(())
}

/// Reads a person's user name: a sign-up with the same key returns the same operation, which has
/// it.
async fn kernel_username(stack: &Stack, person: &Person) -> Result<String> {
    let api_url = &stack.deployment().region(REGION)?.api_url;
    let operation =
        meridian::client::signup::sign_up(api_url, &person.idempotency_key, &person.details)
            .await?;
    Ok(operation.username)
}
