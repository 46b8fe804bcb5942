//! Invitations, administration, suspensions and erasures: each function is killed between any two
//! of its calls, and its work is done again.

use crate::books::partition;
use crate::faults::{fault_in, under};
use crate::life::{Signed, administrator, guest, mailed_invitation, run_lifecycle};
use crate::quiet::quiet_for;
use crate::redelivery::with_short_timeout;
use anyhow::{Context, Result, bail, ensure};
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::SignedDuration;
use journey::journey;
use local_aws::{Action, Stack};
use meridian::client::login::{refresh, sign_in};
use meridian::client::operator::Operator;
use meridian::client::signup::sign_up;
use meridian::client::tenant::{accept_invitation, refusal, undo_closure};
use meridian::demo::Person;
use reqwest::Method;
use serde_json::json;

const REGION: &str = "eu-central-1";
const SOVEREIGN: &str = "ap-south-1";
/// More calls than any of these functions makes.
const CALLS_MAX: u64 = 100;
/// More calls than two or three removals make.
const REMOVALS_MAX: usize = 40;
const GUESTS_AT_ONCE: usize = 4;

/// Repeats an action, and kills a function after its first, second, ... call, until the function
/// ends before the call is reached. Returns the number of calls.
pub(crate) async fn after_each_call(
    stack: &Stack,
    region: &str,
    function: &str,
    mut what: impl AsyncFnMut() -> Result<()>,
) -> Result<u64> {
    for after in 0..CALLS_MAX {
        let fault = fault_in(stack, region, function, after, Action::KillAfter, 1)?;
        let (done, met) = under(stack, &fault, what()).await?;
        done.with_context(|| format!("{function}, killed after call {after}"))?;
        if !met {
            return Ok(after);
        }
    }
    bail!("{function} makes more calls than expected")
}

/// An invitation and its acceptance are killed after each call, and a retry completes them.
#[journey(
    alone = "kills functions that all journeys use",
    region = "eu-central-1"
)]
async fn a_killed_invitation_is_completed_by_a_retry(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let state = stack.deployment().region(REGION)?;
    let config = stack.sdk(REGION)?;
    let invited = after_each_call(stack, REGION, "tenant-api", async || {
        let person = Person::invent(REGION, "pro");
        invite_again_and_again(&host, &person).await?;
        let code = mailed_invitation(stack, REGION, &person.details.email).await?;
        let (name, password) = (&person.details.name, &person.details.password);
        let username = accept_invitation(&state.api_url, &code, name, password).await?;
        sign_in(&config, &state.client_id, &username, password)
            .await
            .map(|_| ())
    });
    let invited = invited.await?;
    let accepted = after_each_call(stack, REGION, "signup-api", async || {
        let person = Person::invent(REGION, "pro");
        host.admin.invite(&person.details.email, "member").await?;
        let code = mailed_invitation(stack, REGION, &person.details.email).await?;
        let (name, password) = (&person.details.name, &person.details.password);
        let first = accept_invitation(&state.api_url, &code, name, password).await;
        let username = match first {
            Ok(username) => username,
            Err(_) => match accept_invitation(&state.api_url, &code, name, password).await {
                Ok(username) => username,
                // The function had done everything, and only the answer was lost.
                Err(error) => {
                    let users = host
                        .admin
                        .ask(reqwest::Method::GET, "/users?limit=100", None)
                        .await?;
                    let of_person =
                        |user: &&serde_json::Value| user["email"] == person.details.email.as_str();
                    let user = users["users"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .find(of_person)
                        .cloned();
                    let name = user.and_then(|user| user["id"].as_str().map(str::to_owned));
                    name.ok_or(error)?
                }
            },
        };
        sign_in(&config, &state.client_id, &username, password)
            .await
            .map(|_| ())
    });
    let accepted = accepted.await?;
    ensure!(
        invited >= 4 && accepted >= 4,
        "{invited} and {accepted} boundaries"
    );
    Ok(())
}

/// Removals of users, and a closure that is requested and undone, are killed after each call, and a
/// retry completes them.
#[journey(
    alone = "kills functions that other journeys use",
    region = "ap-south-1"
)]
async fn a_killed_administration_is_completed_by_a_retry(stack: &Stack) -> Result<()> {
    let host = administrator(stack, SOVEREIGN).await?;
    let state = stack.deployment().region(SOVEREIGN)?;
    let config = stack.sdk(SOVEREIGN)?;
    let guests = (0..REMOVALS_MAX).map(|_| guest(stack, &host, "admin"));
    let guests: Vec<_> = stream::iter(guests)
        .buffer_unordered(GUESTS_AT_ONCE)
        .try_collect()
        .await?;
    let mut there = guests.into_iter();
    let removed = after_each_call(stack, SOVEREIGN, "tenant-api", async || {
        let (_, username, session, _) = there.next().context("more calls than guests")?;
        let path = format!("/users/{username}");
        let mut is_gone = false;
        for _ in 0..4 {
            let removed = host.admin.ask_nothing(Method::DELETE, &path).await;
            is_gone |= removed.is_err_and(|error| {
                refusal(error).is_ok_and(|problem| problem.slug() == "unknown-user")
            });
        }
        ensure!(is_gone, "not removed");
        ensure!(
            refresh(&config, &state.client_id, &session).await.is_err(),
            "a removed user gets tokens"
        );
        Ok(())
    });
    let removed = removed.await?;
    let left = host.admin.profile().await?;
    let there = 1 + there.count();
    ensure!(
        (&left["users"], &left["admins"]) == (&json!(there), &json!(there)),
        "{left}"
    );
    let closed = after_each_call(stack, SOVEREIGN, "tenant-api", async || {
        let _lost = host.admin.close().await;
        let code = match host.admin.close().await {
            Ok(code) => code,
            Err(_) => host.admin.close().await?,
        };
        let tenant = &host.customer.tenant;
        if undo_closure(&state.api_url, tenant, &code).await.is_err() {
            // Either the undoing was complete and its answer was lost, or it was not.
            let _again = undo_closure(&state.api_url, tenant, &code).await;
        }
        let profile = match host.admin.profile().await {
            Ok(profile) => profile,
            Err(_) => host.admin.profile().await?,
        };
        ensure!(profile["status"] == "active", "{profile}");
        Ok(())
    });
    let closed = closed.await?;
    ensure!(
        removed >= 8 && closed >= 8,
        "{removed} and {closed} boundaries"
    );
    Ok(())
}

/// A suspension and its end are killed in the region that applies them, and are completed.
#[journey(
    alone = "kills a function that other journeys use",
    region = "ap-south-1"
)]
async fn a_killed_suspension_is_completed(stack: &Stack) -> Result<()> {
    let host = administrator(stack, SOVEREIGN).await?;
    quiet_for(stack, &[&host.customer]).await?;
    let (state, config) = (stack.deployment().region(SOVEREIGN)?, stack.sdk(SOVEREIGN)?);
    let operator = Operator::connect(stack.deployment().region(&stack.deployment().home)?).await?;
    let tenant = &host.customer.tenant;
    let boundaries = after_each_call(stack, SOVEREIGN, "policy-apply", async || {
        operator.suspend(tenant, "operator").await?;
        quiet_for(stack, &[&host.customer]).await?;
        ensure!(
            refresh(&config, &state.client_id, &host.session)
                .await
                .is_err(),
            "a suspended tenant gets tokens"
        );
        operator.reactivate(tenant, "operator").await?;
        quiet_for(stack, &[&host.customer]).await?;
        refresh(&config, &state.client_id, &host.session)
            .await
            .map(|_| ())
    });
    let boundaries = with_short_timeout(stack, SOVEREIGN, "policy", boundaries).await?;
    ensure!(boundaries >= 3, "only {boundaries} boundaries");
    Ok(())
}

/// Invites at least twice, because the answer to the first request may be lost, and until there is
/// an answer.
async fn invite_again_and_again(host: &Signed, person: &Person) -> Result<()> {
    let mut invited = host.admin.invite(&person.details.email, "member").await;
    for _ in 0..2 {
        invited = host.admin.invite(&person.details.email, "member").await;
        if invited.is_ok() {
            break;
        }
    }
    invited.map(|_| ())
}

/// The expiry and the erasure of a sign-up: the next run completes each run that is cut off, and
/// the record counts nothing twice.
#[journey(
    alone = "kills a function, and moves the clock of a region's tenants",
    region = "ap-south-1"
)]
async fn a_killed_erasure_is_completed_by_the_next_run(stack: &Stack) -> Result<()> {
    let api_url = &stack.deployment().region(SOVEREIGN)?.api_url;
    let later = meridian::now() + SignedDuration::from_hours(26);
    let boundaries = after_each_call(stack, SOVEREIGN, "tenant-lifecycle", async || {
        let person = Person::invent(SOVEREIGN, "pro-in");
        let operation = sign_up(api_url, &person.idempotency_key, &person.details).await?;
        // One run may make fewer calls than the one that is killed; then a later run is cut off
        // instead.
        for minutes in 0..3 {
            let ran =
                run_lifecycle(stack, SOVEREIGN, later + SignedDuration::from_mins(minutes)).await;
            if ran.is_ok() && minutes > 0 {
                break;
            }
        }
        let table = stack
            .deployment()
            .region(SOVEREIGN)?
            .tables
            .get("regional")
            .context("a region has its table")?;
        let erased = format!("ERASURE#{}", operation.tenant);
        let records = partition(stack, SOVEREIGN, table, &erased).await?;
        let record = records.first().context("an erasure leaves a record")?;
        let count = |name: &str| {
            record
                .get(name)
                .and_then(|value| value.as_n().ok())
                .map(String::as_str)
        };
        ensure!(
            (count("accounts"), count("profiles")) == (Some("1"), Some("1")),
            "{record:?}"
        );
        ensure!(record.contains_key("erased_at"), "{record:?}");
        Ok(())
    });
    let boundaries = boundaries.await?;
    ensure!(boundaries >= 10, "only {boundaries} boundaries");
    Ok(())
}
