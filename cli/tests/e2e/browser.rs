//! The home page and the sign-in page, as a person sees them in a real browser.

use crate::books::{customer, scan, text_of};
use crate::chromium::{Browser, browse};
use crate::onboarding::beat_everywhere;
use crate::quiet::{quiet, quiet_for};
use anyhow::{Context, Result, bail, ensure};
use journey::journey;
use local_aws::Stack;
use meridian::client::operator::Operator;
use meridian::client::signup::mailed_code;
use meridian::demo::{Customer, Person};
use serde_json::json;
use std::time::{Duration, Instant};

const REGION: &str = "eu-central-1";
/// Longer than a mail takes to arrive, refused attempts included.
const MAILED_MAX: Duration = Duration::from_secs(60);
const POLL_INTERVAL: Duration = Duration::from_millis(200);
/// Long enough for a mail to a stranger to arrive, if one were sent.
const NOT_MAILED: Duration = Duration::from_secs(5);
const WRONG_PASSWORD: &str = "The e-mail address or the password is wrong.";

/// A person goes from the choice of a region to the claims of the token, and signs out again.
#[journey]
async fn a_person_signs_up_and_in_through_a_browser(stack: &Stack) -> Result<()> {
    beat_everywhere(stack).await?;
    let person = Person::invent(REGION, "pro");
    browse(async |browser| {
        let alias = sign_up(stack, browser, &person)
            .await
            .context("the sign-up")?;
        let anchor = billing_anchor(stack, &alias).await?;
        ensure!(
            anchor == "23:00",
            "days begin at {anchor}, not at the midnight that was chosen"
        );
        forged_answers_are_not_shown(browser, &address(stack, &alias)?).await?;
        browser.goto(&address(stack, &alias)?).await?;
        let (email, password) = (&person.details.email, &person.details.password);
        sign_in(browser, email, "Another-Password-1").await?;
        browser.read("#notice", WRONG_PASSWORD).await?;
        // The case of the address does not matter.
        sign_in(browser, &email.to_uppercase(), password).await?;
        see_claims(
            browser,
            &[
                ("alias", &alias),
                ("region", REGION),
                ("role", "admin"),
                ("plan", "pro"),
            ],
        )
        .await?;
        browser.press("[data-language=de]").await?;
        browser.read("#session h1", "Sie sind angemeldet").await?;
        stores_nothing(browser).await?;
        browser.press("#sign-out-everywhere").await?;
        browser
            .read("#notice", "Sie sind überall abgemeldet.")
            .await?;
        // Where there is no such workspace, the region's own address says so.
        browser
            .goto(&format!(
                "{}/?alias=zzzzzzzzzzzz",
                stack.deployment().region(REGION)?.api_url
            ))
            .await?;
        browser
            .read(
                "#unknown-address h1",
                "There is no workspace at this address",
            )
            .await?;
        Ok(())
    })
    .await
}

/// A refusal shows the suspension to a person who has the page open already; the page itself shows
/// it to everybody else.
#[journey]
async fn a_browser_shows_a_suspended_tenant(stack: &Stack) -> Result<()> {
    let host = customer(stack, REGION).await?;
    quiet_for(stack, &[&host]).await?;
    let operator = Operator::connect(stack.deployment().region(&stack.deployment().home)?).await?;
    let details = &host.person.details;
    browse(async |browser| {
        let address = address(stack, alias(&host)?)?;
        browser.goto(&address).await?;
        browser.see("#sign-in-form").await?;
        operator.suspend(&host.tenant, "operator").await?;
        quiet_for(stack, &[&host]).await?;
        sign_in(browser, &details.email, &details.password).await?;
        browser
            .read("#notice", "This workspace is suspended.")
            .await?;
        browser.goto(&address).await?;
        browser
            .read("#tenant-suspended h1", "This workspace is suspended")
            .await?;
        let page = browser.text("body").await?;
        ensure!(
            !page.contains(&details.organisation),
            "the page says whose workspace it is: {page}"
        );
        operator.reactivate(&host.tenant, "operator").await?;
        quiet_for(stack, &[&host]).await?;
        browser.goto(&address).await?;
        sign_in(browser, &details.email, &details.password).await?;
        see_claims(browser, &[("region", REGION)]).await
    })
    .await
}

/// The page shows the same notice to everybody. Only a person with workspaces gets a mail, from the
/// region of those.
#[journey]
async fn a_browser_finds_workspaces(stack: &Stack) -> Result<()> {
    let host = customer(stack, REGION).await?;
    beat_everywhere(stack).await?;
    let stranger = Person::invent(REGION, "pro");
    let emails = [&host.person.details.email, &stranger.details.email];
    let notices = browse(async |browser| {
        let mut notices = Vec::new();
        for email in emails {
            browser.goto(&home(stack)?).await?;
            browser.see(".card").await?;
            browser.fill("#find-email", email).await?;
            browser.press("#find-form button").await?;
            browser.see("#find-notice:not(:empty)").await?;
            notices.push(browser.text("#find-notice").await?);
        }
        Ok(notices)
    })
    .await?;
    ensure!(
        notices[0] == notices[1] && notices[0].contains("on their way"),
        "the page shows {notices:?}"
    );
    let address = address(stack, alias(&host)?)?;
    let deadline = Instant::now() + MAILED_MAX;
    while !mailed(stack, REGION, emails[0])
        .await?
        .iter()
        .any(|text| text.contains(address.trim_end_matches('/')))
    {
        if Instant::now() > deadline {
            bail!(
                "no mail names {address}: {:?}",
                mailed(stack, REGION, emails[0]).await?
            );
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
    tokio::time::sleep(NOT_MAILED).await;
    for region in stack.deployment().regions.keys() {
        ensure!(
            mailed(stack, region, emails[1]).await?.is_empty(),
            "{region} mails a person without a workspace"
        );
        ensure!(
            region == REGION || mailed(stack, region, emails[0]).await?.is_empty(),
            "{region} knows the person"
        );
    }
    Ok(())
}

/// A person signs in while home is off: the address, the page and the sign-in are the region's own.
#[journey(alone = "stops home")]
async fn a_browser_signs_in_without_home(stack: &Stack) -> Result<()> {
    let host = customer(stack, REGION).await?;
    quiet(stack).await?;
    // The name is resolved once while home runs, as every address in use has been.
    let address = address(stack, alias(&host)?)?;
    browse(async |browser| {
        browser.goto(&address).await?;
        browser.see("#sign-in-form").await?;
        stack.stop_region(&stack.deployment().home).await?;
        browser.goto(&address).await?;
        sign_in(
            browser,
            &host.person.details.email,
            &host.person.details.password,
        )
        .await?;
        see_claims(
            browser,
            &[
                ("alias", alias(&host)?),
                ("region", REGION),
                ("role", "admin"),
            ],
        )
        .await
    })
    .await
}

/// Fills in the home page as a person does, and returns the alias of the new tenant.
async fn sign_up(stack: &Stack, browser: &Browser, person: &Person) -> Result<String> {
    let details = &person.details;
    browser.goto(&home(stack)?).await?;
    browser
        .press(&format!("[name=region][value={REGION}]"))
        .await?;
    for (field, value) in [
        ("#organisation", &details.organisation),
        ("#name", &details.name),
        ("#email", &details.email),
        ("#password", &details.password),
    ] {
        browser.fill(field, value).await?;
    }
    browser
        .press(&format!("#plan option[value={}]", details.plan))
        .await?;
    browser
        .press("#billing-anchor option[value='23:00']")
        .await?;
    browser.press("#terms").await?;
    browser.press("#data-processing").await?;
    browser.press("#sign-up-form button").await?;
    browser.see("#code-form").await?;
    let code = mailed_code(&stack.local().region(REGION)?.mail_url, &details.email).await?;
    browser.fill("#code", &code).await?;
    browser.press("#code-form button.main").await?;
    browser.see("#done").await?;
    let alias = browser.text("#alias").await?;
    let link = browser.attribute("#sign-in", "href").await?;
    ensure!(
        link.ends_with(&format!("/?alias={alias}")),
        "the page leads to {link}, not to {alias}"
    );
    let home = stack
        .deployment()
        .region(&stack.deployment().home)?
        .home_api_url
        .clone()
        .context("home has an API")?;
    let script = "return performance.getEntriesByType('resource').map(({ name }) => name)";
    let requested: Vec<String> = serde_json::from_value(browser.run(script).await?)?;
    let of_home = ["/regions", "/home.js", "/home.css"].map(|path| format!("{home}{path}"));
    let to_home: Vec<&String> = requested
        .iter()
        .filter(|url| url.starts_with(&home) && !of_home.contains(url))
        .collect();
    ensure!(
        to_home.is_empty(),
        "the page requests {to_home:?} from home"
    );
    browser.press("[data-language=de]").await?;
    browser
        .read("h1", "Wählen Sie, wo Ihre Daten leben")
        .await?;
    let page = browser.text("body").await?;
    ensure!(
        !page.contains("undefined"),
        "a text is missing in German: {page}"
    );
    browser.press("#sign-in").await?;
    browser
        .see("#sign-in-form")
        .await
        .context("the region's own address signs in, too")?;
    Ok(alias)
}

async fn sign_in(browser: &Browser, email: &str, password: &str) -> Result<()> {
    browser.fill("#email", email).await?;
    browser.fill("#password", password).await?;
    browser.press("#sign-in-form button").await
}

async fn see_claims(browser: &Browser, wanted: &[(&str, &str)]) -> Result<()> {
    browser.see("#claims").await?;
    for (claim, value) in wanted {
        let shown = browser.text(&format!("[data-claim={claim}]")).await?;
        ensure!(
            shown == *value,
            "the page shows {claim} {shown:?}, not {value:?}"
        );
    }
    Ok(())
}

/// The page shows nothing from a forged link. Anybody can make one that looks like the return from
/// an organisation's sign-in.
async fn forged_answers_are_not_shown(browser: &Browser, address: &str) -> Result<()> {
    let answer = "error=x&error_description=PreSignUp%20failed%20with%20error%20tenant-closed.";
    for link in [
        format!("{address}?state=1&{answer}"),
        format!("{address}?{answer}"),
        format!("{address}?state=1&code=1"),
    ] {
        browser.goto(&link).await?;
        browser.see("#sign-in-form").await?;
        let notice = browser
            .run("return document.querySelector('#notice').textContent")
            .await?;
        ensure!(notice == "", "{link} makes the page show {notice}");
    }
    Ok(())
}

/// The page stores nothing: the session is in memory alone, so closing the page signs the person
/// out.
async fn stores_nothing(browser: &Browser) -> Result<()> {
    let kept = browser
        .run("return [localStorage.length, sessionStorage.length, document.cookie.length]")
        .await?;
    ensure!(kept == json!([0, 0, 0]), "the page stores {kept}");
    Ok(())
}

fn alias(customer: &Customer) -> Result<&str> {
    customer.claims["alias"]
        .as_str()
        .context("a token names the alias")
}

fn address(stack: &Stack, alias: &str) -> Result<String> {
    let address = stack.deployment().tenant_address(alias);
    let address = address.context("the stack has no addresses of tenants")?;
    ensure!(
        address.contains(alias),
        "the address of every tenant is {address}"
    );
    Ok(format!("{address}/"))
}

fn home(stack: &Stack) -> Result<String> {
    let home = stack.deployment().region(&stack.deployment().home)?;
    Ok(format!(
        "{}/",
        home.home_api_url.as_deref().context("home has an API")?
    ))
}

/// Reads the time of day at which the days of a tenant begin.
async fn billing_anchor(stack: &Stack, alias: &str) -> Result<String> {
    let table = stack
        .deployment()
        .region(REGION)?
        .tables
        .get("regional")
        .context("a region has tenants")?;
    let tenants = scan(stack, REGION, table, "TENANT#").await?;
    let tenant = tenants
        .iter()
        .find(|item| text_of(item, "alias") == Some(alias));
    let anchor = tenant
        .and_then(|item| text_of(item, "billing_anchor"))
        .map(str::to_owned);
    anchor.with_context(|| format!("no tenant {alias} has days"))
}

/// Reads the lists of workspaces that a region has mailed to an address.
async fn mailed(stack: &Stack, region: &str, address: &str) -> Result<Vec<String>> {
    let mails = stack.mailbox(region).await?;
    let lists = mails
        .iter()
        .filter(|mail| mail.is_to(address) && mail.subject == "Your workspaces");
    Ok(lists.map(|mail| mail.text().to_owned()).collect())
}
