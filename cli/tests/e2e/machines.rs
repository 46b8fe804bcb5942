//! Machine clients of tenants: their creation, use, replacement and revocation, and the
//! entitlements that they read.

use crate::books::{customer, usage_file};
use crate::boundaries::after_each_call;
use crate::exactly_once::send_all;
use crate::life::{Signed, administrator, run_lifecycle};
use crate::quiet::{QUIET_MAX, quiet, quiet_for};
use crate::streams::bring_back;
use anyhow::{Context, Result, ensure};
use aws_sdk_cognitoidentityprovider::Client;
use deployment::MachineClient;
use deployment::clients::http;
use jiff::SignedDuration;
use journey::journey;
use local_aws::Stack;
use meridian::client::correction::{EventKey, Outcome, Sender, TakeBack, take_back};
use meridian::client::login::machine_token;
use meridian::client::tenant::refusal;
use meridian::client::usage;
use reqwest::{Method, Response};
use serde_json::{Value, json};

const REGION: &str = "eu-central-1";
const OTHER: &str = "us-west-2";
const DAY: SignedDuration = SignedDuration::from_hours(25);
/// The most attempts of a request whose function is killed once.
const ATTEMPTS_MAX: u32 = 4;

/// A machine client, with its id and its secret.
struct Machine {
    id: String,
    client: MachineClient,
}

/// Creates a client, or the successor of one.
async fn make(host: &Signed, path: &str, key: &str, body: &Value) -> Result<Machine> {
    let answer = post(host, path, key, body).await?;
    let (status, made): (u16, Value) = (answer.status().as_u16(), answer.json().await?);
    ensure!(status == 201, "{path}: {status} {made}");
    let text = |name: &str| {
        made[name]
            .as_str()
            .map(str::to_owned)
            .context("a client has an id and a secret")
    };
    Ok(Machine {
        id: text("id")?,
        client: MachineClient {
            id: text("client_id")?,
            secret: text("client_secret")?,
        },
    })
}

async fn post(host: &Signed, path: &str, key: &str, body: &Value) -> Result<Response> {
    let url = format!("{}/tenants/{}{path}", host.admin.api_url, host.admin.tenant);
    Ok(http()
        .post(url)
        .bearer_auth(&host.admin.token)
        .header("idempotency-key", key)
        .json(body)
        .send()
        .await?)
}

async fn token(stack: &Stack, region: &str, machine: &Machine, scope: &str) -> Result<String> {
    machine_token(
        &stack.deployment().region(region)?.token_url,
        &machine.client,
        scope,
    )
    .await
}

/// Sends one event for a tenant. Returns the status, and the reason of a refusal.
async fn report(stack: &Stack, region: &str, token: &str, tenant: &str) -> Result<(u16, String)> {
    let url = format!(
        "{}/usage/events",
        stack.deployment().region(region)?.api_url
    );
    let event = json!({ "specversion": "1.0", "type": "api.request", "source": "/machines",
        "id": meridian::new_uuid().to_string(), "subject": tenant, "time": meridian::now().to_string() });
    let answer = http()
        .post(url)
        .bearer_auth(token)
        .json(&json!([event]))
        .send()
        .await?;
    let (status, body): (u16, Value) = (answer.status().as_u16(), answer.json().await?);
    let reason = body["rejected"][0]["reason"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    Ok((status, reason))
}

/// Reads a tenant's entitlements with a token. Returns the status and the answer.
async fn entitlements(
    stack: &Stack,
    region: &str,
    token: &str,
    query: &str,
) -> Result<(u16, Value)> {
    let url = format!(
        "{}/entitlements{query}",
        stack.deployment().region(region)?.api_url
    );
    let answer = http().get(url).bearer_auth(token).send().await?;
    Ok((answer.status().as_u16(), answer.json().await?))
}

/// A client is created, used, replaced and revoked. Its tokens are valid for its own tenant alone,
/// and not longer than the client itself.
#[journey(
    alone = "moves the clock of a region's tenants",
    region = "eu-central-1"
)]
async fn a_machine_client_is_created_used_replaced_and_revoked(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let neighbour = customer(stack, REGION).await?;
    let own = &host.customer.tenant;
    let scopes = json!({ "scopes": ["usage/write", "tenant/read"] });
    let key = meridian::new_uuid().to_string();
    let made = make(&host, "/clients", &key, &scopes).await?;
    let again = make(&host, "/clients", &key, &scopes).await?;
    ensure!(
        (&made.id, &made.client.secret) == (&again.id, &again.client.secret),
        "one key made two clients"
    );

    let first = own_tenant_alone(stack, &made, own, &neighbour.tenant).await?;
    let path = format!("/clients/{}/rotation", made.id);
    let next = make(
        &host,
        &path,
        &meridian::new_uuid().to_string(),
        &Value::Null,
    )
    .await?;
    let second = token(stack, REGION, &next, usage::SCOPE).await?;
    for token in [&first, &second] {
        ensure!(
            report(stack, REGION, token, own).await?.0 == 200,
            "a client that is being replaced is refused"
        );
    }
    run_lifecycle(stack, REGION, meridian::now().checked_add(DAY)?).await?;
    ensure!(
        report(stack, REGION, &first, own).await?.0 == 401,
        "a client that was replaced reports"
    );
    ensure!(
        token_of(stack, &made).await.is_err(),
        "a client that was replaced gets tokens"
    );

    host.admin
        .ask_nothing(Method::DELETE, &format!("/clients/{}", next.id))
        .await?;
    ensure!(
        report(stack, REGION, &second, own).await?.0 == 401,
        "a revoked client reports"
    );
    ensure!(
        token_of(stack, &next).await.is_err(),
        "a revoked client gets tokens"
    );
    let listed = host.admin.ask(Method::GET, "/clients", None).await?;
    ensure!(listed["clients"] == json!([]), "{listed}");
    let trail = host.admin.audit().await?;
    for action in [
        "create-client",
        "rotate-client",
        "revoke-client",
        "list-clients",
    ] {
        ensure!(
            trail.iter().any(|entry| entry["action"] == action),
            "the trail lacks {action}"
        );
    }
    quiet_for(stack, &[&host.customer]).await
}

/// Checks that a client reports and reads for its own tenant within its scopes, and for no other.
/// Returns the token that reports.
async fn own_tenant_alone(
    stack: &Stack,
    made: &Machine,
    own: &str,
    neighbour: &str,
) -> Result<String> {
    let first = token(stack, REGION, made, usage::SCOPE).await?;
    ensure!(
        report(stack, REGION, &first, own).await? == (200, String::new()),
        "its own tenant's usage is refused"
    );
    let foreign = report(stack, REGION, &first, neighbour).await?;
    ensure!(
        foreign == (422, "unknown-tenant".to_owned()),
        "another tenant's usage: {foreign:?}"
    );
    ensure!(
        entitlements(stack, REGION, &first, "").await?.0 == 403,
        "a token without the scope reads"
    );
    let reader = token(stack, REGION, made, "tenant/read").await?;
    let (status, read) = entitlements(stack, REGION, &reader, "").await?;
    ensure!(
        status == 200 && read["tenant"] == *own && read["region"] == REGION,
        "{status} {read}"
    );
    let (status, _) =
        entitlements(stack, REGION, &reader, &format!("?tenant={}", neighbour)).await?;
    ensure!(status == 404, "another tenant's entitlements: {status}");
    Ok(first)
}

async fn token_of(stack: &Stack, machine: &Machine) -> Result<String> {
    token(stack, REGION, machine, usage::SCOPE).await
}

/// The function is killed after each of its calls. A retry leaves one client, and a revocation
/// none, in the region and at the pool.
#[journey(
    alone = "kills a function that all journeys use",
    region = "eu-central-1"
)]
async fn a_killed_client_creation_is_completed_by_a_retry(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let scopes = json!({ "scopes": ["usage/write"] });
    let calls = after_each_call(stack, REGION, "tenant-api", async || {
        let key = meridian::new_uuid().to_string();
        let mut made = make(&host, "/clients", &key, &scopes).await;
        for _ in 1..ATTEMPTS_MAX {
            if made.is_err() {
                made = make(&host, "/clients", &key, &scopes).await;
            }
        }
        let made = made?;
        ensure!(
            named(stack, &made.id).await? == 1,
            "the user pool has not one client of this name"
        );
        let path = format!("/clients/{}", made.id);
        let mut is_gone = false;
        for _ in 0..ATTEMPTS_MAX {
            let revoked = host.admin.ask_nothing(Method::DELETE, &path).await;
            is_gone |= revoked
                .is_err_and(|error| refusal(error).is_ok_and(|no| no.slug() == "unknown-client"));
        }
        ensure!(
            is_gone && named(stack, &made.id).await? == 0,
            "a client is left"
        );
        Ok(())
    });
    let calls = calls.await?;
    ensure!(calls >= 8, "{calls} boundaries");
    Ok(())
}

/// Counts the clients of the user pool that have a name.
async fn named(stack: &Stack, name: &str) -> Result<usize> {
    let pool = &stack.deployment().region(REGION)?.user_pool_id;
    let client = Client::new(&stack.sdk(REGION)?);
    let pages = client
        .list_user_pool_clients()
        .user_pool_id(pool)
        .into_paginator()
        .items()
        .send();
    let listed = pages.collect::<Result<Vec<_>, _>>().await?;
    Ok(listed
        .iter()
        .filter(|client| client.client_name() == Some(name))
        .count())
}

/// The region knows a tenant's entitlements by itself, so they can be read without home.
#[journey(alone = "stops home")]
async fn entitlements_hold_without_home(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    quiet(stack).await?;
    let made = make(
        &host,
        "/clients",
        &meridian::new_uuid().to_string(),
        &json!({ "scopes": ["tenant/read"] }),
    )
    .await?;
    stack.stop_region(&stack.deployment().home.clone()).await?;
    let state = stack.deployment().region(REGION)?;
    let machine = token(stack, REGION, &made, "tenant/read").await?;
    let service = machine_token(&state.token_url, &state.service_client, "tenant/read").await?;
    let named = format!("?tenant={}", host.customer.tenant);
    let mut answers = Vec::new();
    for (token, query) in [
        (&host.session.access_token, ""),
        (&machine, ""),
        (&service, named.as_str()),
    ] {
        let (status, answer) = entitlements(stack, REGION, token, query).await?;
        ensure!(
            status == 200 && answer["tenant"] == *host.customer.tenant,
            "{query}: {status} {answer}"
        );
        answers.push(answer);
    }
    ensure!(
        answers.windows(2).all(|pair| pair[0] == pair[1]),
        "not the same for all: {answers:?}"
    );
    ensure!(
        answers[0]["entitlements"]
            .as_array()
            .is_some_and(|list| !list.is_empty()),
        "{}",
        answers[0]
    );
    ensure!(
        answers[0]["alias"] == host.customer.claims["alias"],
        "{}",
        answers[0]
    );
    bring_back(stack, &stack.deployment().home).await
}

/// A token is valid in the region that issued it alone, whoever holds it.
#[journey]
async fn a_machine_token_is_valid_in_its_own_region_only(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let elsewhere = administrator(stack, OTHER).await?;
    let scopes = json!({ "scopes": ["usage/write", "tenant/read"] });
    let made = make(
        &host,
        "/clients",
        &meridian::new_uuid().to_string(),
        &scopes,
    )
    .await?;
    let (writer, reader) = (
        token_of(stack, &made).await?,
        token(stack, REGION, &made, "tenant/read").await?,
    );
    for tenant in [&host.customer.tenant, &elsewhere.customer.tenant] {
        ensure!(
            report(stack, OTHER, &writer, tenant).await?.0 == 401,
            "another region accepts the token"
        );
        let (status, _) = entitlements(stack, OTHER, &reader, &format!("?tenant={tenant}")).await?;
        ensure!(
            status == 401,
            "another region answers to the token: {status}"
        );
    }
    let state = stack.deployment().region(REGION)?;
    let service = machine_token(&state.token_url, &state.service_client, usage::SCOPE).await?;
    ensure!(
        report(stack, OTHER, &service, &elsewhere.customer.tenant)
            .await?
            .0
            == 401,
        "another region accepts a service's token"
    );
    // The provider's own service can still report for every tenant of its region.
    let file = usage_file(vec![host.customer.tenant.clone()], 50, 91)?;
    send_all(stack, REGION, &file.path).await?;
    quiet_for(stack, &[&host.customer]).await
}

/// Reports a transfer under the id and source that several senders use. Returns the region's
/// answer.
async fn transfer(
    url: &str,
    token: &str,
    tenant: &str,
    time: &str,
    gigabytes: u64,
) -> Result<Value> {
    let event = json!({ "specversion": "1.0", "type": "transfer.completed", "source": "/gateway/1", "id": "hour-1",
        "subject": tenant, "time": time, "data": { "gigabytes": gigabytes } });
    let sent = http().post(url).bearer_auth(token).json(&json!([event]));
    Ok(sent.send().await?.json().await?)
}

/// Takes back the event of a sender. Returns the result.
async fn taken_back(
    api_url: &str,
    token: &str,
    tenant: &str,
    sent_by: Sender,
) -> Result<Option<&'static str>> {
    let key = EventKey {
        tenant: tenant.parse()?,
        source: "/gateway/1".to_owned(),
        id: "hour-1".to_owned(),
        sent_from: None,
        sent_to: None,
    };
    let correction = TakeBack {
        key,
        sent_by,
        replacement: None,
        reason: "sent-in-error".parse()?,
    };
    let record = take_back(api_url, token, &correction, QUIET_MAX).await?;
    Ok(record.outcome.map(Outcome::as_str))
}

/// A tenant's own client and the provider's services use the same source and id. Both events count,
/// and each is taken back by its own key.
#[journey]
async fn senders_do_not_share_ids(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let region = stack.deployment().region(REGION)?;
    let tenant = &host.customer.tenant;
    let key = meridian::new_uuid().to_string();
    let machine = make(
        &host,
        "/clients",
        &key,
        &json!({ "scopes": ["usage/write"] }),
    )
    .await?;
    let own = token(stack, REGION, &machine, usage::SCOPE).await?;
    let service = machine_token(&region.token_url, &region.service_client, usage::SCOPE).await?;
    let reading = machine_token(&region.token_url, &region.service_client, "usage/read").await?;
    let now = meridian::now().to_string();
    let used = async |window: &str| -> Result<Value> {
        quiet_for(stack, &[&host.customer]).await?;
        let url = format!(
            "{}/usage?meter=transfer-gb&group_by=&tenant={tenant}&window={window}",
            region.api_url
        );
        Ok(http()
            .get(url)
            .bearer_auth(&reading)
            .send()
            .await?
            .json()
            .await?)
    };
    // The administrator's sign-ins are events of the tenant, too, and may have duplicates.
    let before = used("day").await?["events"]["duplicates"]
        .as_u64()
        .context("duplicates are counted")?;
    let url = format!("{}/usage/events", region.api_url);
    for (token, gigabytes) in [(&own, 0), (&service, 700), (&own, 0)] {
        let sent = transfer(&url, token, tenant, &now, gigabytes).await?;
        ensure!(sent["accepted"] == 1, "the answer is {sent}");
    }
    for window in ["hour", "day"] {
        let report = used(window).await?;
        let (total, events) = (&report["windows"][0], &report["events"]);
        ensure!(
            total["value"] == "700" && total["events"] == 2,
            "{window}: {report}"
        );
        ensure!(
            events["duplicates"] == before + 1 && events["conflicts"] == 0,
            "{window}: {report}"
        );
    }
    for (sent_by, outcome, value, events) in [
        (Sender::Provider, "taken back", "0", 1),
        (
            Sender::Provider,
            "nothing is changed: it was taken back before",
            "0",
            1,
        ),
        (Sender::Tenant, "taken back", "0", 0),
    ] {
        let result = taken_back(&region.api_url, &service, tenant, sent_by).await?;
        ensure!(result == Some(outcome), "{sent_by:?}: {result:?}");
        let report = used("day").await?;
        let total = &report["windows"][0];
        ensure!(
            total["value"] == value && total["events"] == events,
            "{sent_by:?}: {report}"
        );
    }
    Ok(())
}
