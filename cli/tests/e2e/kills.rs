//! A function is killed between any two of its calls, and a retry completes its work.

use crate::books::{customer, scan, usage_file};
use crate::exactly_once::send_all;
use crate::faults::{fault_in, under};
use crate::quiet::QUIET_MAX;
use anyhow::{Context, Result, bail, ensure};
use futures::future::try_join_all;
use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use journey::journey;
use local_aws::{Action, Calls, Fault, Stack};
use meridian::client::login::{shown_claims, sign_in};
use meridian::client::signup::{Details, Operation, confirm, mailed_code, resend, sign_up};
use meridian::demo::Person;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

const REGION: &str = "eu-central-1";
/// A third of the mails that an address gets in an hour, as the local stack is configured.
const MAILS_FOR_ONE_NETWORK: usize = 20;
const KILLED: [&str; 3] = ["usage-rollup", "outbox-relay", "billing-ledger"];
/// More calls than any of these functions makes.
const CALLS_MAX: u64 = 12;
/// Longer than it takes until each function has work during which it can be killed. The ledger gets
/// its work last.
const KILLED_MAX: Duration = Duration::from_secs(120);
/// A killed function's messages are delivered again after each kill, on top of the usual wait.
const QUIET_AFTER_KILLS_MAX: Duration = QUIET_MAX.saturating_mul(2);

/// Twenty clients send the same sign-up with the same key at once, and make one tenant.
#[journey(alone = "counts all tenants of its region", region = "eu-central-1")]
async fn an_idempotency_key_makes_one_tenant(stack: &Stack) -> Result<()> {
    let api_url = &stack.deployment().region(REGION)?.api_url;
    let person = Person::invent(REGION, "pro");
    let tenants_before = tenants(stack).await?;
    let answers = (0..20).map(async |_| repeat_sign_up(api_url, &person).await);
    let operations: Vec<Operation> = try_join_all(answers).await?;
    ensure!(
        operations
            .iter()
            .all(|operation| operation.id == operations[0].id),
        "one key made several sign-ups"
    );
    ensure!(
        tenants(stack).await? == tenants_before + 1,
        "one key made several tenants"
    );
    Ok(())
}

/// Kills `signup-api` before and after its first, second, ... call, until a sign-up meets no kill.
/// A retry completes each.
#[journey(
    alone = "kills a function that all journeys use",
    region = "eu-central-1"
)]
async fn a_killed_sign_up_is_completed_by_a_retry(stack: &Stack) -> Result<()> {
    let api_url = stack.deployment().region(REGION)?.api_url.clone();
    let mut boundaries = 0;
    for after in 0..CALLS_MAX {
        for action in [Action::Kill, Action::KillAfter] {
            let person = Person::invent(REGION, "pro");
            let tenants_before = tenants(stack).await?;
            let met = with_fault(stack, "signup-api", after, action.clone(), async {
                // The answer is lost with the process, so the result of the retry is checked.
                let _lost = sign_up(&api_url, &person.idempotency_key, &person.details).await;
                Ok(())
            })
            .await?;
            let operation = repeat_sign_up(&api_url, &person).await?;
            ensure!(
                operation.next == "confirm",
                "after {after}, {action:?}: {operation:?}"
            );
            ensure!(
                tenants(stack).await? == tenants_before + 1,
                "after {after}, {action:?}: not one tenant"
            );
            activate(stack, &person, &operation)
                .await
                .with_context(|| format!("after {after}, {action:?}"))?;
            boundaries += u32::from(met);
            if !met {
                ensure!(boundaries >= 4, "only {boundaries} boundaries were met");
                return Ok(());
            }
        }
    }
    bail!("signup-api makes more calls than expected")
}

/// Kills the post-confirmation trigger at each of its calls. Cognito has confirmed the user and
/// never calls the trigger again, but the tenant still becomes active.
#[journey(
    alone = "kills a function that all journeys use",
    region = "eu-central-1"
)]
async fn a_killed_activation_is_completed(stack: &Stack) -> Result<()> {
    let region = stack.deployment().region(REGION)?;
    for after in 0..CALLS_MAX {
        for action in [Action::Kill, Action::KillAfter] {
            let person = Person::invent(REGION, "pro");
            let operation = repeat_sign_up(&region.api_url, &person).await?;
            let code = mailed_code(
                &stack.local().region(REGION)?.mail_url,
                &person.details.email,
            )
            .await?;
            let met = with_fault(
                stack,
                "auth-post-confirmation",
                after,
                action.clone(),
                async {
                    let _lost = confirm(&region.api_url, &operation.id, &code).await;
                    Ok(())
                },
            )
            .await?;
            activate(stack, &person, &operation)
                .await
                .with_context(|| format!("after {after}, {action:?}"))?;
            if !met {
                ensure!(after > 0, "the trigger makes no call");
                return Ok(());
            }
        }
    }
    bail!("auth-post-confirmation makes more calls than expected")
}

/// While Cognito fails, sign-ups are stored and can be followed. When it is back, the same requests
/// complete.
#[journey(alone = "makes Cognito fail for everybody", region = "eu-central-1")]
async fn sign_ups_outlive_a_failing_user_pool(stack: &Stack) -> Result<()> {
    let api_url = &stack.deployment().region(REGION)?.api_url;
    let calls = Calls {
        region: Some(REGION.to_owned()),
        service: Some("cognito-idp".to_owned()),
        ..Calls::default()
    };
    let down = Fault {
        calls,
        after: 0,
        times: None,
        action: Action::Refuse,
    };
    let people: Vec<Person> = (0..5).map(|_| Person::invent(REGION, "pro")).collect();
    let (refused, _) = under(stack, &down, are_stored(api_url, &people)).await?;
    refused?;
    for person in &people {
        let operation = repeat_sign_up(api_url, person).await?;
        activate(stack, person, &operation).await?;
    }
    Ok(())
}

/// Checks that sign-ups without a user pool are refused and stored, and name the next step.
async fn are_stored(api_url: &str, people: &[Person]) -> Result<()> {
    for person in people {
        let failed = sign_up(api_url, &person.idempotency_key, &person.details).await;
        let problem =
            meridian::client::tenant::refusal(failed.err().context("there is no user pool")?)?;
        ensure!(problem.slug() == "identity-unavailable", "{problem}");
        let path = problem.problem["operation"]
            .as_str()
            .context("the operation is named")?;
        let operation: Operation = deployment::clients::http()
            .get(format!("{api_url}{path}"))
            .send()
            .await?
            .json()
            .await?;
        ensure!(
            (operation.state.as_str(), operation.next.as_str()) == ("failed", "repeat-sign-up"),
            "{operation:?}"
        );
        ensure!(
            operation.steps[1].reason.as_deref() == Some("unavailable"),
            "{operation:?}"
        );
    }
    Ok(())
}

/// An expired code is refused as expired. Another one is mailed, and is accepted.
#[journey(
    alone = "lets the next confirmation fail, whosever it is",
    region = "eu-central-1"
)]
async fn an_expired_code_is_replaced(stack: &Stack) -> Result<()> {
    let region = stack.deployment().region(REGION)?;
    let person = Person::invent(REGION, "pro");
    let operation = repeat_sign_up(&region.api_url, &person).await?;
    let code = mailed_code(
        &stack.local().region(REGION)?.mail_url,
        &person.details.email,
    )
    .await?;
    let calls = Calls {
        region: Some(REGION.to_owned()),
        operation: Some("ConfirmSignUp".to_owned()),
        ..Calls::default()
    };
    let expired = Action::RefuseAs("ExpiredCodeException".to_owned());
    let fault = Fault {
        calls,
        after: 0,
        times: Some(1),
        action: expired,
    };
    let (refused, _) = under(
        stack,
        &fault,
        confirm(&region.api_url, &operation.id, &code),
    )
    .await?;
    let refused = refused.err().context("the code has expired")?;
    ensure!(
        meridian::client::tenant::refusal(refused)?.slug() == "expired-code",
        "another problem"
    );
    let mails = stack.mailbox(REGION).await?.len();
    resend(&region.api_url, &operation.id).await?;
    ensure!(
        stack.mailbox(REGION).await?.len() == mails + 1,
        "no code is mailed"
    );
    activate(stack, &person, &operation).await
}

/// Beyond the limit of mails to an address from one network, the answers stay the same and the
/// accounts are created. The codes are mailed when the address may get them.
#[journey]
async fn mails_to_an_address_are_limited_by_the_hour(stack: &Stack) -> Result<()> {
    let region = stack.deployment().region(REGION)?;
    let api_url = &region.api_url;
    wait_out_the_hour().await;
    let person = Person::invent(REGION, "pro");
    let first = repeat_sign_up(api_url, &person).await?;
    for _ in 1..MAILS_FOR_ONE_NETWORK {
        resend(api_url, &first.id).await?;
    }
    let mailed = async || -> Result<usize> {
        Ok(stack
            .mailbox(REGION)
            .await?
            .iter()
            .filter(|mail| mail.is_to(&person.details.email))
            .count())
    };
    ensure!(
        mailed().await? == MAILS_FOR_ONE_NETWORK,
        "{} codes are mailed",
        mailed().await?
    );
    let other = Person::invent(REGION, "pro");
    let details = Details {
        email: person.details.email.clone(),
        ..other.details.clone()
    };
    let owed = sign_up(api_url, &other.idempotency_key, &details).await?;
    let shown = |operation: &Operation| {
        let steps = operation
            .steps
            .iter()
            .map(|step| (step.name.clone(), step.state.clone()));
        (
            operation.state.clone(),
            operation.next.clone(),
            steps.collect::<Vec<_>>(),
        )
    };
    ensure!(
        shown(&owed) == shown(&first),
        "the answer discloses the limit: {owed:?}"
    );
    let again = resend(api_url, &owed.id).await?;
    ensure!(
        shown(&again) == shown(&first),
        "the answer discloses the limit: {again:?}"
    );
    ensure!(
        mailed().await? == MAILS_FOR_ONE_NETWORK,
        "the address gets {} codes",
        mailed().await?
    );
    // The account waits for its code. All codes are the same here, so an earlier one is used.
    let person = Person { details, ..other };
    activate(stack, &person, &owed).await
}

/// Waits while the hour is about to end, because the mails to an address are counted by the hour.
async fn wait_out_the_hour() {
    const LONGER_THAN_THE_TEST_S: i64 = 60;
    let left_s = 3_600 - meridian::now().as_second().rem_euclid(3_600);
    if left_s < LONGER_THAN_THE_TEST_S {
        tokio::time::sleep(Duration::from_secs(left_s.unsigned_abs() + 1)).await;
    }
}

/// Two hundred organisations sign up in the same moment, confirm, and all become active.
#[journey(
    alone = "counts all tenants of its region, and takes the whole machine",
    region = "eu-central-1"
)]
async fn two_hundred_sign_ups_at_once_complete(stack: &Stack) -> Result<()> {
    let api_url = &stack.deployment().region(REGION)?.api_url;
    let tenants_before = tenants(stack).await?;
    let people: Vec<Person> = (0..200).map(|_| Person::invent(REGION, "pro")).collect();
    let operations =
        try_join_all(people.iter().map(|person| repeat_sign_up(api_url, person))).await?;
    ensure!(
        tenants(stack).await? == tenants_before + 200,
        "not two hundred tenants"
    );
    // A sign-in waits for a trigger, and one machine runs only a few of these at a time.
    let activations = people
        .iter()
        .zip(&operations)
        .map(|(person, operation)| activate(stack, person, operation));
    stream::iter(activations)
        .buffer_unordered(8)
        .try_collect::<()>()
        .await
}

/// Kills the rollup and the relay at each of their first calls, repeatedly, while usage arrives.
#[journey(alone = "kills functions that all journeys use")]
async fn a_killed_rollup_loses_nothing(stack: &Stack) -> Result<()> {
    let tenant = customer(stack, REGION).await?.tenant;
    let file = usage_file(vec![tenant.clone()], 1_500, 31)?;
    for function in KILLED {
        for (after, action) in [
            (0, Action::Kill),
            (2, Action::KillAfter),
            (5, Action::KillAfter),
        ] {
            // Fewer kills than the queue's attempts: a message that fails too often ends in the
            // dead-letter queue.
            let times = if function == "billing-ledger" { 1 } else { 2 };
            stack
                .control()
                .add_fault(&fault(stack, function, after, action, times)?)
                .await?;
        }
    }
    send_all(stack, REGION, &file.path).await?;
    wait_until_each_was_killed(stack).await?;
    stack.control().clear_faults().await?;
    // The messages of a killed function are delivered again when they become visible.
    stack.wait_until_quiet(QUIET_AFTER_KILLS_MAX).await?;
    file.ensure_counted(stack, &stack.deployment().home, &[tenant])
        .await
}

/// Waits until each function has met at least one of its kills.
async fn wait_until_each_was_killed(stack: &Stack) -> Result<()> {
    let deadline = Instant::now() + KILLED_MAX;
    loop {
        let met = stack
            .control()
            .faults()
            .await?
            .into_iter()
            .filter(|fault| fault.met > 0);
        let killed: BTreeSet<_> = met.filter_map(|fault| fault.fault.calls.function).collect();
        if killed.len() == KILLED.len() {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "of {KILLED:?}, only {killed:?} were killed"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Repeats a sign-up until it is answered, as a client with a key does.
async fn repeat_sign_up(api_url: &str, person: &Person) -> Result<Operation> {
    let mut last = None;
    for _ in 0..8 {
        match sign_up(api_url, &person.idempotency_key, &person.details).await {
            Ok(operation) if operation.next != "repeat-sign-up" => return Ok(operation),
            Ok(operation) => last = Some(anyhow::anyhow!("{operation:?}")),
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    Err(last
        .context("never sent")?
        .context("the sign-up is never answered"))
}

/// Confirms until the operation is done, and signs in.
async fn activate(stack: &Stack, person: &Person, operation: &Operation) -> Result<()> {
    let region = stack.deployment().region(REGION)?;
    let code = mailed_code(
        &stack.local().region(REGION)?.mail_url,
        &person.details.email,
    )
    .await?;
    let mut confirmed = confirm(&region.api_url, &operation.id, &code).await;
    for _ in 0..5 {
        if confirmed
            .as_ref()
            .is_ok_and(|operation| operation.state == "done")
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
        confirmed = confirm(&region.api_url, &operation.id, &code).await;
    }
    let confirmed = confirmed?;
    ensure!(confirmed.state == "done", "confirmed and {confirmed:?}");
    let config = stack.sdk(REGION)?;
    let session = sign_in(
        &config,
        &region.client_id,
        &operation.username,
        &person.details.password,
    )
    .await?;
    let claims = shown_claims(&session.id_token)?;
    ensure!(
        claims["alias"] == operation.alias.as_str(),
        "the token names another tenant"
    );
    Ok(())
}

async fn tenants(stack: &Stack) -> Result<usize> {
    let table = stack
        .deployment()
        .region(REGION)?
        .tables
        .get("regional")
        .context("a region has its table")?;
    Ok(scan(stack, REGION, table, "ALIAS#").await?.len())
}

/// Runs something while a fault is set. Returns its result, and whether a call met the fault.
async fn with_fault(
    stack: &Stack,
    function: &str,
    after: u64,
    action: Action,
    what: impl Future<Output = Result<()>>,
) -> Result<bool> {
    let fault = fault(stack, function, after, action, 1)?;
    let (done, met) = under(stack, &fault, what).await?;
    done.map(|()| met)
}

pub(crate) fn fault(
    stack: &Stack,
    function: &str,
    after: u64,
    action: Action,
    times: u64,
) -> Result<Fault> {
    let home = stack.deployment().home.as_str();
    let region = if function.starts_with("billing-") {
        home
    } else {
        REGION
    };
    fault_in(stack, region, function, after, action, times)
}
