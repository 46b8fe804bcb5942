//! Personal data stays where it belongs.

use crate::books::{customer, usage_file};
use crate::exactly_once::send_all;
use anyhow::{Result, ensure};
use meridian::canary::Canary;
use meridian::client::operator::scheduled_event;
use meridian::client::signup::sign_up;
use meridian::demo::{Person, canaries};
use meridian::local::{Stack, logs};
use std::time::Duration;

/// Runs the whole system with canaries in every personal field, refused and failing requests included, then
/// searches everything that the other regions hold.
pub(crate) async fn personal_data_stays_in_its_region(stack: &Stack) -> Result<()> {
    let regions: Vec<String> = stack.state().regions.keys().cloned().collect();
    let mut planted = Vec::new();
    for region in &regions {
        let customer = customer(stack, region).await?;
        let file = usage_file(vec![customer.tenant.clone()], 300, 51)?;
        send_all(stack, region, &file.path).await?;
        planted.extend(canaries(std::slice::from_ref(&customer)));
        planted.extend(refused(stack, region).await?);
        stack.invoke(region, "heartbeat", &scheduled_event(meridian::now())).await?;
    }
    stack.wait_until_quiet(Duration::from_secs(120)).await?;
    for region in &regions {
        let logged = logs::lines(stack.state(), region).await?;
        ensure!(logged.iter().any(|line| line.function == "signup-api"), "{region}: the logs cannot be read");
    }
    let found = stack.search(&planted, true).await?;
    ensure!(found.strays.is_empty(), "outside their region: {:#?}", found.strays);
    let stored = planted.iter().filter(|canary| canary.field != "refused").count();
    ensure!(found.at_home >= stored, "the search finds only {} of {stored} where they must be", found.at_home);
    Ok(())
}

/// Sign-ups that are refused: what they held must be nowhere, in no region's log either.
async fn refused(stack: &Stack, region: &str) -> Result<Vec<Canary>> {
    let api_url = &stack.state().region(region)?.api_url;
    let mut person = Person::invent(region, "no-such-plan");
    person.details.password = format!("weak{}", person.details.organisation);
    let answer = sign_up(api_url, &person.idempotency_key, &person.details).await;
    ensure!(answer.is_err(), "an unknown plan is accepted");
    let details = person.details;
    let nowhere = [details.organisation, details.name, details.email, details.password];
    // No region has this name, so a find anywhere is a stray.
    Ok(nowhere.map(|value| Canary { region: "nowhere".to_owned(), field: "refused", value }).to_vec())
}
