//! The lifecycle of a tenant: its people, its plan, its suspension, its closure and erasure.

use crate::billing::COMPLETE_MAX;
use crate::books::{LOGINS, UsageFile, customer, scan, usage_file_within, wanted};
use crate::exactly_once::send_all;
use crate::quiet::{quiet, quiet_for};
use anyhow::{Context, Result, bail, ensure};
use billing::Item;
use deployment::clients::http;
use jiff::{SignedDuration, ToSpan as _};
use journey::journey;
use kernel::{BillingPeriod, Timestamp};
use local_aws::{Progress, Stack};
use meridian::client::login::{Session, refresh, shown_claims, sign_in};
use meridian::client::operator::{Operator, scheduled_event};
use meridian::client::signup::{self, sign_up};
use meridian::client::tenant::{Administrator, accept_invitation, refusal, undo_closure};
use meridian::demo::{Customer, Person, billable_period, canaries};
use reqwest::Method;
use serde_json::{Value, json};

const REGION: &str = "eu-central-1";
const SOVEREIGN: &str = "ap-south-1";

/// A tenant with its administrator, who is signed in.
pub(crate) struct Signed {
    pub(crate) customer: Customer,
    pub(crate) session: Session,
    pub(crate) admin: Administrator,
}

/// Signs up a new tenant of a region, and signs its administrator in.
pub(crate) async fn administrator(stack: &Stack, region: &str) -> Result<Signed> {
    let customer = customer(stack, region).await?;
    let state = stack.deployment().region(region)?;
    let details = &customer.person.details;
    let operation = sign_up(&state.api_url, &customer.person.idempotency_key, details).await?;
    let config = stack.sdk(region)?;
    let session = sign_in(
        &config,
        &state.client_id,
        &operation.username,
        &details.password,
    )
    .await?;
    let (api_url, token) = (state.api_url.clone(), session.access_token.clone());
    let admin = Administrator {
        api_url,
        token,
        tenant: customer.tenant.clone(),
    };
    Ok(Signed {
        customer,
        session,
        admin,
    })
}

/// Invites a person, who joins and signs in. Returns the person, the user name, the session and the
/// used code.
pub(crate) async fn guest(
    stack: &Stack,
    host: &Signed,
    role: &str,
) -> Result<(Person, String, Session, String)> {
    let region = &host.customer.person.region;
    let state = stack.deployment().region(region)?;
    let person = Person::invent(region, "pro");
    host.admin.invite(&person.details.email, role).await?;
    let code = mailed_invitation(stack, region, &person.details.email).await?;
    let (name, password) = (&person.details.name, &person.details.password);
    let username = accept_invitation(&state.api_url, &code, name, password).await?;
    let session = sign_in(&stack.sdk(region)?, &state.client_id, &username, password).await?;
    Ok((person, username, session, code))
}

/// Reads the newest invitation code that was mailed to an address.
pub(crate) async fn mailed_invitation(
    stack: &Stack,
    region: &str,
    address: &str,
) -> Result<String> {
    let mails = stack.mailbox(region).await?;
    let mail = mails
        .iter()
        .rev()
        .find(|mail| mail.is_to(address))
        .context("no mail to this address")?;
    let lines = mail.text().lines().map(str::to_owned).collect::<Vec<_>>();
    let code = lines
        .iter()
        .find_map(|line| line.trim().strip_prefix("Code: "));
    code.map(str::to_owned).context("the mail holds no code")
}

/// Runs the lifecycle of a region's tenants as if it were `now`.
pub(crate) async fn run_lifecycle(stack: &Stack, region: &str, now: Timestamp) -> Result<()> {
    stack
        .invoke(region, "tenant-lifecycle", &scheduled_event(now))
        .await
        .map(|_| ())
}

async fn slug_of<T>(answer: Result<T>) -> Result<String> {
    let Err(error) = answer else {
        bail!("it is not refused")
    };
    Ok(refusal(error)?.slug().to_owned())
}

/// An administrator invites, promotes and removes a user, and changes the plan. Every action is in
/// the audit trail.
#[journey]
async fn an_administrator_manages_users_and_the_plan(stack: &Stack) -> Result<()> {
    let host = administrator(stack, REGION).await?;
    let state = stack.deployment().region(REGION)?;
    let (person, username, session, code) = guest(stack, &host, "member").await?;
    let claims = shown_claims(&session.access_token)?;
    ensure!(
        (&claims["tenant_id"], &claims["role"]) == (&json!(host.customer.tenant), &json!("member")),
        "{claims}"
    );
    let again = accept_invitation(
        &state.api_url,
        &code,
        "Somebody Else",
        &person.details.password,
    )
    .await;
    ensure!(
        slug_of(again).await? == "no-invitation",
        "an invitation is used twice"
    );
    let member = Administrator {
        token: session.access_token.clone(),
        ..host.admin.clone()
    };
    ensure!(
        slug_of(member.invite("x@customer.example", "admin").await).await? == "admins-only",
        "a member invites"
    );
    let user = format!("/users/{username}");
    host.admin
        .ask(Method::PATCH, &user, Some(&json!({ "role": "admin" })))
        .await?;
    member
        .ask(Method::GET, "/users", None)
        .await
        .context("an administrator from now on")?;
    host.admin
        .ask(
            Method::PATCH,
            "",
            Some(&json!({ "organisation": "Works Renamed" })),
        )
        .await?;

    a_requested_plan_is_granted(stack, &host, &session).await?;
    let config = stack.sdk(REGION)?;
    host.admin.ask_nothing(Method::DELETE, &user).await?;
    ensure!(
        refresh(&config, &state.client_id, &session).await.is_err(),
        "a removed user gets tokens"
    );
    let own = sign_up(
        &state.api_url,
        &host.customer.person.idempotency_key,
        &host.customer.person.details,
    )
    .await?;
    let leave = host
        .admin
        .ask(Method::DELETE, &format!("/users/{}", own.username), None)
        .await;
    ensure!(
        slug_of(leave).await? == "last-admin",
        "the last administrator leaves"
    );

    the_trail_is_complete(&host, &person).await
}

/// Requests a plan. Home decides, and the next tokens have the new plan.
async fn a_requested_plan_is_granted(
    stack: &Stack,
    host: &Signed,
    session: &Session,
) -> Result<()> {
    let (state, config) = (stack.deployment().region(REGION)?, stack.sdk(REGION)?);
    host.admin.request_plan("enterprise").await?;
    quiet_for(stack, &[&host.customer]).await?;
    let fresh = shown_claims(
        &refresh(&config, &state.client_id, session)
            .await?
            .access_token,
    )?;
    ensure!(
        (&fresh["plan"], &fresh["role"]) == (&json!("enterprise"), &json!("admin")),
        "{fresh}"
    );
    let home = stack.deployment().region(&stack.deployment().home)?;
    let known = Operator::connect(home)
        .await?
        .tenant(&host.customer.tenant)
        .await?;
    ensure!(
        (&known["plan"], &known["reason"]) == (&json!("enterprise"), &json!("plan_changed")),
        "{known}"
    );
    Ok(())
}

/// Checks that each action and each refusal is in the tenant's trail, and that the trail has no
/// name or address.
async fn the_trail_is_complete(host: &Signed, person: &Person) -> Result<()> {
    let trail = host.admin.audit().await?;
    let done = |action: &str| {
        trail
            .iter()
            .filter(|e| e["action"] == action && e["refused"].is_null())
            .count()
    };
    for action in [
        "invite",
        "accept-invitation",
        "change-role",
        "list-users",
        "change-profile",
        "request-plan",
        "change-plan",
    ] {
        ensure!(done(action) >= 1, "{action} is not in the trail");
    }
    ensure!(done("remove-user") == 1, "one user was removed");
    let refused = |slug: &str| trail.iter().any(|entry| entry["refused"] == slug);
    ensure!(
        refused("admins-only") && refused("last-admin"),
        "refusals are not in the trail"
    );
    let text = json!(trail).to_string();
    ensure!(
        !text.contains(&person.details.email) && !text.contains(&person.details.name),
        "the trail names people"
    );
    Ok(())
}

/// An operator at home suspends a tenant of a sovereign region. No session is refreshed any more,
/// and the region's API refuses tokens that are still valid.
#[journey]
async fn a_suspension_blocks_every_user(stack: &Stack) -> Result<()> {
    let host = administrator(stack, SOVEREIGN).await?;
    quiet_for(stack, &[&host.customer]).await?;
    let (state, config) = (stack.deployment().region(SOVEREIGN)?, stack.sdk(SOVEREIGN)?);
    let operator = Operator::connect(stack.deployment().region(&stack.deployment().home)?).await?;
    operator.suspend(&host.customer.tenant, "dunning").await?;
    quiet_for(stack, &[&host.customer]).await?;
    let known = operator.tenant(&host.customer.tenant).await?;
    ensure!(
        (&known["status"], &known["reason"]) == (&json!("suspended"), &json!("dunning")),
        "{known}"
    );
    ensure!(
        refresh(&config, &state.client_id, &host.session)
            .await
            .is_err(),
        "a suspended tenant gets tokens"
    );
    let users = host.admin.ask(Method::GET, "/users", None).await;
    ensure!(
        slug_of(users).await? == "tenant-suspended",
        "a suspended tenant is administered"
    );
    host.admin
        .profile()
        .await
        .context("a suspended tenant can read its status")?;
    operator
        .reactivate(&host.customer.tenant, "dunning")
        .await?;
    quiet_for(stack, &[&host.customer]).await?;
    refresh(&config, &state.client_id, &host.session)
        .await
        .context("reactivated")?;
    host.admin
        .ask(Method::GET, "/users", None)
        .await
        .context("reactivated")?;
    Ok(())
}

/// A tenant closes: the grace period, an undone closure, the last usage, the last invoice, the
/// retention, the erasure and the record of it.
#[journey(alone = "moves the clock of a region's tenants, and bills all")]
async fn a_tenant_closes_is_billed_and_is_erased(stack: &Stack) -> Result<()> {
    // The last invoice is of one period, so all usage has to be within it.
    let period = billable_period(&Progress::silent()).await;
    let host = administrator(stack, REGION).await?;
    let (guest_person, guest_name, guest_session, _) = guest(stack, &host, "member").await?;
    let invited = Person::invent(REGION, "pro");
    host.admin.invite(&invited.details.email, "member").await?;
    let (state, config) = (stack.deployment().region(REGION)?, stack.sdk(REGION)?);
    let tenant = host.customer.tenant.clone();
    let file = usage_file_within(period, vec![tenant.clone()], 400, 71)?;
    send_all(stack, REGION, &file.path).await?;

    let undo = host.admin.close().await?;
    ensure!(
        refresh(&config, &state.client_id, &host.session)
            .await
            .is_err(),
        "a closing tenant gets tokens"
    );
    undo_closure(&state.api_url, &tenant, &undo).await?;
    refresh(&config, &state.client_id, &host.session)
        .await
        .context("the closure is undone")?;
    let undo = host.admin.close().await?;

    let ended = meridian::now() + SignedDuration::from_hours(30 * 24 + 1);
    run_lifecycle(stack, REGION, ended).await?;
    ensure!(
        undo_closure(&state.api_url, &tenant, &undo).await.is_err(),
        "it is too late to undo"
    );
    run_lifecycle(stack, REGION, ended + SignedDuration::from_mins(10)).await?;
    quiet(stack).await?;
    the_last_invoice_has_all_usage(stack, period, &tenant, &file).await?;

    run_lifecycle(stack, REGION, ended + SignedDuration::from_hours(31 * 24)).await?;
    quiet(stack).await?;
    an_erasure_leaves_its_record(stack, &tenant).await?;
    let guest = Customer {
        person: guest_person,
        tenant: tenant.clone(),
        claims: Value::Null,
        access_token: String::new(),
    };
    let invited = Customer {
        person: invited,
        tenant: tenant.clone(),
        claims: Value::Null,
        access_token: String::new(),
    };
    let left = tables_of(stack, "").await?.join("\n");
    for canary in canaries(&[host.customer, guest, invited]) {
        ensure!(!left.contains(&canary.value), "a {} is left", canary.field);
    }
    ensure!(!left.contains(&guest_name), "a user is left");
    ensure!(
        refresh(&config, &state.client_id, &guest_session)
            .await
            .is_err(),
        "an account is left"
    );
    Ok(())
}

/// Checks that the last invoice has all usage of the tenant, its sign-ins included.
async fn the_last_invoice_has_all_usage(
    stack: &Stack,
    period: BillingPeriod,
    tenant: &str,
    file: &UsageFile,
) -> Result<()> {
    let home = stack.deployment().home.clone();
    let operator = Operator::connect(stack.deployment().region(&home)?).await?;
    let known = operator.tenant(tenant).await?;
    ensure!(
        (&known["status"], &known["reason"]) == (&json!("closed"), &json!("grace_ended")),
        "{known}"
    );
    file.ensure_counted(stack, &home, &[tenant.to_owned()])
        .await?;

    stack
        .invoke(
            &home,
            "billing-run",
            &scheduled_event(period.end() + 3.hours()),
        )
        .await?;
    operator.wait_for_run(period, COMPLETE_MAX).await?;
    let invoices = operator.invoices(period).await?;
    let last = invoices
        .iter()
        .find(|invoice| invoice.draft.tenant.to_string() == tenant);
    let events: u64 = wanted(&file.expected)
        .values()
        .map(|(_, events)| events)
        .sum();
    let last = last.context("the last invoice")?;
    let sign_ins = last.draft.lines.iter().find_map(|line| match &line.item {
        Item::Usage { metered, reading } if metered.meter.as_str() == LOGINS => {
            Some(reading.events)
        }
        _ => None,
    });
    let sign_ins = sign_ins.context("the sign-in of the administrator is not metered")?;
    ensure!(
        last.draft.events == events + sign_ins,
        "not all usage is billed"
    );
    Ok(())
}

/// Checks that home knows of an erasure, and that the region's record has the numbers of erased
/// items.
async fn an_erasure_leaves_its_record(stack: &Stack, tenant: &str) -> Result<()> {
    let operator = Operator::connect(stack.deployment().region(&stack.deployment().home)?).await?;
    ensure!(
        !operator.tenant(tenant).await?["erased_at"].is_null(),
        "home does not know of the erasure"
    );
    let record = &tables_of(stack, "ERASURE#")
        .await?
        .into_iter()
        .find(|item| item.contains(tenant));
    let record = record.as_ref().context("an erasure leaves a record")?;
    ensure!(
        record.contains("accounts") && record.contains("usage_items"),
        "{record}"
    );
    Ok(())
}

/// A sign-up that nobody confirms expires. Its address, its account and everything else become
/// free.
#[journey(
    alone = "moves the clock of a region's tenants",
    region = "eu-central-1"
)]
async fn an_unconfirmed_sign_up_expires(stack: &Stack) -> Result<()> {
    let state = stack.deployment().region(REGION)?;
    let person = Person::invent(REGION, "pro");
    let operation = sign_up(&state.api_url, &person.idempotency_key, &person.details).await?;
    run_lifecycle(
        stack,
        REGION,
        meridian::now() + SignedDuration::from_hours(25),
    )
    .await?;
    let expired = signup::read(&state.api_url, &operation.id).await?;
    ensure!(
        (expired.state.as_str(), expired.next.as_str()) == ("ended", "sign-up-anew"),
        "{expired:?}"
    );
    let left = tables_of(stack, "").await?.join("\n");
    ensure!(
        !left.contains(&person.details.email) && !left.contains(&person.details.organisation),
        "something is left"
    );
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&stack.emulator_sdk(REGION)?);
    let account = cognito
        .admin_get_user()
        .user_pool_id(&state.user_pool_id)
        .username(&operation.username)
        .send()
        .await;
    ensure!(account.is_err(), "the account is left");
    let anew = Person {
        idempotency_key: format!("{}-anew", person.idempotency_key),
        ..person
    };
    meridian::demo::become_customer(stack, anew)
        .await
        .context("the same person, anew")?;
    Ok(())
}

/// An administrator of one tenant sends another tenant's ids to every route, and each request is
/// refused.
#[journey]
async fn an_administrator_cannot_reach_another_tenant(stack: &Stack) -> Result<()> {
    let (ours, theirs) = (
        administrator(stack, REGION).await?,
        administrator(stack, REGION).await?,
    );
    let (_, their_user, ..) = guest(stack, &theirs, "member").await?;
    let invited = theirs
        .admin
        .invite("someone@customer.example", "member")
        .await?;
    let their_invitation = invited["id"].as_str().context("an invitation has an id")?;
    let document = std::fs::read_to_string(stack.checkout().join("docs/openapi/regional.json"))?;
    let document: Value = serde_json::from_str(&document)?;
    let mut tried = 0;
    for (path, methods) in document["paths"]
        .as_object()
        .context("a document has paths")?
    {
        let Some(rest) = path.strip_prefix("/tenants/{tenant}") else {
            continue;
        };
        // This route takes no person's token for any tenant; `accounts` tests it.
        if rest == "/administrators" {
            continue;
        }
        for method in methods
            .as_object()
            .into_iter()
            .flat_map(|methods| methods.keys())
        {
            let rest = rest
                .replace("{user}", &their_user)
                .replace("{invitation}", their_invitation);
            let mut tenants = vec![&theirs.customer.tenant];
            if path.contains("{user}") || path.contains("{invitation}") {
                tenants.push(&ours.customer.tenant);
            }
            for tenant in tenants {
                let url = format!("{}/tenants/{tenant}{rest}", ours.admin.api_url);
                let method = Method::from_bytes(method.to_uppercase().as_bytes())?;
                let body = body_of(&method, &rest);
                let request = http()
                    .request(method.clone(), &url)
                    .bearer_auth(&ours.admin.token)
                    .json(&body);
                let answer = request.send().await?;
                ensure!(
                    answer.status().as_u16() == 404,
                    "{method} {url}: {}",
                    answer.text().await?
                );
                tried += 1;
            }
        }
    }
    ensure!(tried >= 15, "only {tried} routes were tried");
    let refused = ours
        .admin
        .audit()
        .await?
        .iter()
        .filter(|entry| !entry["refused"].is_null())
        .count();
    ensure!(
        refused == tried,
        "{tried} were refused, and {refused} are in the trail"
    );
    ensure!(
        theirs
            .admin
            .audit()
            .await?
            .iter()
            .all(|entry| entry["refused"].is_null()),
        "it is in their trail"
    );
    Ok(())
}

/// A valid body for a route.
fn body_of(method: &Method, rest: &str) -> Value {
    match (method.as_str(), rest) {
        ("PATCH", "") => json!({ "organisation": "X" }),
        ("PATCH", _) => json!({ "role": "admin" }),
        ("POST", "/invitations") => json!({ "email": "a@b.example", "role": "admin" }),
        ("POST", "/plan-changes") => json!({ "plan": "enterprise" }),
        ("POST", "/closure/undo") => json!({}),
        _ => {
            json!({ "role": "member", "email": "a@b.example", "organisation": "X", "plan": "pro" })
        }
    }
}

/// Reads every item of the region's tables whose partition key begins with a prefix, as text.
async fn tables_of(stack: &Stack, prefix: &str) -> Result<Vec<String>> {
    let mut items = Vec::new();
    for name in ["regional", "usage", "outbox"] {
        let table = stack
            .deployment()
            .region(REGION)?
            .tables
            .get(name)
            .context("a region has its tables")?;
        items.extend(
            scan(stack, REGION, table, prefix)
                .await?
                .iter()
                .map(|item| format!("{item:?}")),
        );
    }
    Ok(items)
}
