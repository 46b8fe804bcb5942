//! Personal data stays in its own region.

use crate::books::{customer, usage_file};
use crate::exactly_once::send_all;
use crate::life::{administrator, guest};
use crate::onboarding::{SHARED, beat_everywhere};
use crate::quiet::{quiet, quiet_for};
use crate::streams::redeliver_everywhere;
use anyhow::{Context, Result, ensure};
use aws_sdk_cognitoidentityprovider::types::AuthFlowType;
use deployment::DeployedRegion;
use deployment::clients::http;
use futures::future::try_join_all;
use journey::journey;
use local_aws::canary::Canary;
use local_aws::{Stack, logs};
use meridian::client::login::machine_token;
use meridian::client::onboarding::onboard;
use meridian::client::operator::scheduled_event;
use meridian::client::signup::sign_up;
use meridian::client::tenant::accept_invitation;
use meridian::client::usage::SCOPE;
use meridian::demo::{Customer, Person, canaries};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};

/// Runs the whole system with canaries in every personal field, refused and failing requests
/// included. Then everything that the regions store is searched for them.
#[journey(alone = "searches everything that the regions store", first)]
async fn personal_data_stays_in_its_region(stack: &Stack) -> Result<()> {
    let regions: Vec<String> = stack.deployment().regions.keys().cloned().collect();
    let mut planted = Vec::new();
    let in_each = regions.iter().map(async |region| used(stack, region).await);
    planted.extend(try_join_all(in_each).await?.concat());
    planted.extend(handed_over(stack).await?);
    quiet(stack).await?;
    for region in &regions {
        let logged = logs::lines(stack, region).await?;
        ensure!(
            logged.iter().any(|line| line.function == "signup-api"),
            "{region}: the logs cannot be read"
        );
    }
    plant(planted);
    search(stack).await
}

/// Uses a region for everything, with canaries.
async fn used(stack: &Stack, region: &str) -> Result<Vec<Canary>> {
    let customer = customer(stack, region).await?;
    let file = usage_file(vec![customer.tenant.clone()], 300, 51)?;
    send_all(stack, region, &file.path).await?;
    let mut planted = canaries(std::slice::from_ref(&customer));
    planted.extend(refused(stack, region).await?);
    planted.extend(invited(stack, region).await?);
    planted.extend(mailed(stack, &customer).await?);
    planted.extend(metered(stack, &customer).await?);
    stack
        .invoke(region, "heartbeat", &scheduled_event(meridian::now()))
        .await?;
    Ok(planted)
}

/// The canaries of all journeys, for one search at the end, because each search stops and starts
/// all regions.
static PLANTED: Mutex<Vec<Canary>> = Mutex::new(Vec::new());

fn plant(canaries: impl IntoIterator<Item = Canary>) {
    let mut planted = PLANTED.lock().unwrap_or_else(PoisonError::into_inner);
    planted.extend(canaries);
}

/// Adds personal values of a region to the search after the journeys that run side by side. Each
/// value has to be found in that region, and nowhere else.
pub(crate) fn stays_in(region: &str, values: &[(&'static str, &str)]) {
    plant(values.iter().map(|(field, value)| Canary {
        region: region.to_owned(),
        field,
        value: (*value).to_owned(),
    }));
}

/// Searches everything that the regions store for the canaries that were added since the last
/// search.
pub(crate) async fn search(stack: &Stack) -> Result<()> {
    let planted = std::mem::take(&mut *PLANTED.lock().unwrap_or_else(PoisonError::into_inner));
    if planted.is_empty() {
        return Ok(());
    }
    // Work that the search interrupts would resume at its next schedule, for which no journey
    // waits.
    quiet(stack).await?;
    let found = stack.search(&planted, true).await?;
    redeliver_everywhere(stack).await?;
    ensure!(
        found.strays.is_empty(),
        "outside their region: {:#?}",
        found.strays
    );
    // A refused value may be stored nowhere.
    let missing: Vec<_> = found
        .missing
        .iter()
        .filter(|field| **field != "refused")
        .collect();
    ensure!(
        missing.is_empty(),
        "the search does not find {missing:?} where they must be"
    );
    Ok(())
}

/// Renames an organisation and invites two people, one of whom joins. All of their data stays.
async fn invited(stack: &Stack, region: &str) -> Result<Vec<Canary>> {
    let host = administrator(stack, region).await?;
    let (joined, ..) = guest(stack, &host, "member").await?;
    let [pending, renamed, guessed] = [0; 3].map(|_| Person::invent(region, "pro").details);
    host.admin.invite(&pending.email, "admin").await?;
    host.admin
        .ask(
            Method::PATCH,
            "",
            Some(&json!({ "organisation": renamed.organisation })),
        )
        .await?;
    let api_url = &stack.deployment().region(region)?.api_url;
    let code = format!("{}.{}", meridian::new_uuid(), meridian::new_uuid().simple());
    let refused = accept_invitation(api_url, &code, &guessed.name, &guessed.password).await;
    ensure!(refused.is_err(), "a guessed code is accepted");
    let here = [
        ("name", joined.details.name),
        ("email", joined.details.email),
        ("email", pending.email),
        ("organisation", renamed.organisation),
    ];
    let mut planted: Vec<Canary> = here
        .map(|(field, value)| Canary {
            region: region.to_owned(),
            field,
            value,
        })
        .to_vec();
    let nowhere = [guessed.name, guessed.password, pending.password];
    planted.extend(nowhere.map(|value| Canary {
        region: "nowhere".to_owned(),
        field: "refused",
        value,
    }));
    Ok(planted)
}

/// Requests workspaces and a new password, and tries to sign in as another person. The region's
/// mails are personal throughout, and the values of refused requests are in no log either.
async fn mailed(stack: &Stack, customer: &Customer) -> Result<Vec<Canary>> {
    let code = &customer.person.region;
    let region = stack.deployment().region(code)?;
    let (known, stranger) = (
        &customer.person.details.email,
        Person::invent(code, "pro").details,
    );
    for email in [known, &stranger.email] {
        let request = http()
            .post(format!("{}/workspaces", region.api_url))
            .json(&json!({ "email": email }));
        ensure!(
            request.send().await?.status() == StatusCode::ACCEPTED,
            "{code}: the request for workspaces is refused"
        );
    }
    let account = customer.claims["cognito:username"]
        .as_str()
        .context("a token names its user")?;
    let pool = aws_sdk_cognitoidentityprovider::Client::new(&stack.sdk(code)?);
    pool.forgot_password()
        .client_id(&region.client_id)
        .username(account)
        .send()
        .await?;
    let tried = pool
        .initiate_auth()
        .client_id(&region.client_id)
        .auth_flow(AuthFlowType::UserPasswordAuth)
        .auth_parameters("USERNAME", account)
        .auth_parameters("PASSWORD", &stranger.password)
        .client_metadata(
            "alias",
            customer.claims["alias"].as_str().unwrap_or_default(),
        )
        .client_metadata("email", &stranger.email);
    ensure!(
        tried.send().await.is_err(),
        "{code}: somebody else's password is right"
    );
    quiet(stack).await?;
    let mails = stack.mailbox(code).await?;
    let organisation = &customer.person.details.organisation;
    let listed = mails
        .iter()
        .any(|mail| mail.is_to(known) && mail.text().contains(organisation));
    ensure!(listed, "{code}: the list of workspaces is not mailed");
    ensure!(
        !mails.iter().any(|mail| mail.is_to(&stranger.email)),
        "{code}: a stranger is mailed to"
    );
    let refused = |value| Canary {
        region: code.clone(),
        field: "refused",
        value,
    };
    Ok(vec![refused(stranger.email), refused(stranger.password)])
}

/// Usage with a personal value in every field that a client controls is accepted, refused,
/// corrected and queried. A region stores only what usage adds to the totals, so none of these
/// values is anywhere.
async fn metered(stack: &Stack, customer: &Customer) -> Result<Vec<Canary>> {
    let code = &customer.person.region;
    let region = stack.deployment().region(code)?;
    let token = machine_token(&region.token_url, &region.service_client, SCOPE).await?;
    let mut values = Vec::new();
    let mut personal = || {
        let email = Person::invent(code, "pro").details.email;
        values.push(email.clone());
        email
    };
    let mut event = |event_type: &str| {
        json!({
            "specversion": "1.0", "type": event_type, "source": personal(), "id": personal(),
            "subject": customer.tenant, "time": meridian::now().to_string(),
            "dataschema": format!("https://example.org/{}", personal()), "userextension": personal(),
            "data": { "gigabytes": 1, "user": personal(), "direction": personal(), "note": personal() },
        })
    };
    let (counted, corrected, replacement) = (
        event("user.active"),
        event("transfer.completed"),
        event("transfer.completed"),
    );
    let (mut unknown, mut nobody, mut invalid) = (
        event("transfer.completed"),
        event("transfer.completed"),
        event("transfer.completed"),
    );
    for (refused, field) in [
        (&mut unknown, "type"),
        (&mut nobody, "subject"),
        (&mut invalid, "time"),
    ] {
        refused[field] = json!(personal());
    }
    invalid["data"]["gigabytes"] = json!(personal());
    let (header, query) = (personal(), personal());
    let post = |path: &str| {
        http()
            .post(format!("{}{path}", region.api_url))
            .bearer_auth(&token)
    };
    let batch = post("/usage/events")
        .json(&json!([counted, corrected, unknown, nobody, invalid]))
        .send()
        .await?;
    let answer: Value = batch.json().await?;
    ensure!(answer["accepted"] == 2, "{code}: {answer}");
    let binary = post("/usage/events")
        .header("ce-specversion", "1.0")
        .header("ce-type", "transfer.completed")
        .header("ce-id", &header)
        .header("ce-source", &header)
        .header("ce-subject", &customer.tenant)
        .header("ce-time", meridian::now().to_string())
        .header("ce-userextension", &header)
        .json(&json!({ "gigabytes": 1, "note": header }));
    ensure!(
        binary.send().await?.status() == StatusCode::OK,
        "{code}: an event in binary mode is refused"
    );
    quiet_for(stack, &[customer]).await?;
    let corrected = (&corrected, &replacement);
    corrected_and_queried(region, &token, customer, corrected, &query).await?;
    let nowhere = |value| Canary {
        region: "nowhere".to_owned(),
        field: "refused",
        value,
    };
    Ok(values.into_iter().map(nowhere).collect())
}

/// A correction by a replacement is accepted with a reason from the list. Neither a correction nor
/// a query takes a free text.
async fn corrected_and_queried(
    region: &DeployedRegion,
    token: &str,
    customer: &Customer,
    (corrected, replacement): (&Value, &Value),
    query: &str,
) -> Result<()> {
    let post = || {
        http()
            .post(format!("{}/usage/corrections", region.api_url))
            .bearer_auth(token)
    };
    let correction = |reason: &str| json!({ "corrections": [{ "event": corrected, "replacement": replacement, "reason": reason }] });
    let taken = post().json(&correction("test")).send().await?;
    ensure!(
        taken.status() == StatusCode::ACCEPTED,
        "{}: a correction is refused",
        region.api_url
    );
    let refused = post().json(&correction(query)).send().await?;
    ensure!(
        refused.status() == StatusCode::UNPROCESSABLE_ENTITY,
        "{}: a free text is a reason",
        region.api_url
    );
    let reading = machine_token(&region.token_url, &region.service_client, "usage/read").await?;
    let url = format!(
        "{}/usage?tenant={}&meter={query}&group_by={query}",
        region.api_url, customer.tenant
    );
    let answer = http().get(url).bearer_auth(&reading).send().await?;
    ensure!(
        answer.status().is_client_error(),
        "{}: an address is a meter",
        region.api_url
    );
    Ok(())
}

/// Sends accepted and refused sign-ups through home, which stores nothing of them.
async fn handed_over(stack: &Stack) -> Result<Vec<Canary>> {
    beat_everywhere(stack).await?;
    let home = stack.deployment().region(&stack.deployment().home)?;
    let placement = json!({ "region": SHARED });
    let (taken, mut wrong) = (
        Person::invent(SHARED, "starter"),
        Person::invent(SHARED, "no-such-plan"),
    );
    onboard(home, &taken.idempotency_key, &placement, &taken.details).await?;
    wrong.details.password = format!("Pw1{}", wrong.details.organisation);
    let refused = onboard(home, &wrong.idempotency_key, &placement, &wrong.details).await;
    ensure!(refused.is_err(), "an unknown plan is accepted");
    let details = taken.details;
    let there = [
        ("organisation", details.organisation),
        ("name", details.name),
        ("email", details.email),
    ];
    let mut planted: Vec<Canary> = there
        .map(|(field, value)| Canary {
            region: SHARED.to_owned(),
            field,
            value,
        })
        .to_vec();
    let nowhere = [
        wrong.details.organisation,
        wrong.details.name,
        wrong.details.email,
        wrong.details.password,
    ];
    planted.extend(nowhere.map(|value| Canary {
        region: "nowhere".to_owned(),
        field: "refused",
        value,
    }));
    Ok(planted)
}

/// Sends sign-ups that are refused. Their values must be nowhere, in no region's log either.
async fn refused(stack: &Stack, region: &str) -> Result<Vec<Canary>> {
    let api_url = &stack.deployment().region(region)?.api_url;
    let mut person = Person::invent(region, "no-such-plan");
    person.details.password = format!("weak{}", person.details.organisation);
    let answer = sign_up(api_url, &person.idempotency_key, &person.details).await;
    ensure!(answer.is_err(), "an unknown plan is accepted");
    let details = person.details;
    let nowhere = [
        details.organisation,
        details.name,
        details.email,
        details.password,
    ];
    // No region has this name, so a value that is found anywhere is a stray.
    Ok(nowhere
        .map(|value| Canary {
            region: "nowhere".to_owned(),
            field: "refused",
            value,
        })
        .to_vec())
}
