//! Checks the demo's results against what the generator of its usage knows.

use super::generate::Expected;
use crate::client::operator::Fleet;
use crate::client::usage::Sent;
use anyhow::{Context, Result};
use billing::{Invoice, Item};
use deployment::Deployment;
use local_aws::canary::Search;
use std::collections::BTreeMap;
use std::fmt::Display;

/// The meter of sign-ins, which regions count themselves.
const LOGINS: &str = "logins";

/// One checked property.
#[derive(Debug, Clone)]
pub(super) struct Check {
    /// Whether the property holds.
    pub(super) holds: bool,
    /// The description, with the figures found.
    pub(super) text: String,
}

impl Check {
    /// Checks that two figures are equal.
    pub(super) fn equal<T: PartialEq + Display>(what: &str, found: T, expected_value: T) -> Self {
        let holds = found == expected_value;
        let text = if holds {
            format!("{what}: {found}")
        } else {
            format!("{what}: {found}, must be {expected_value}")
        };
        Self { holds, text }
    }
}

/// Checks exactly, in each region, that events in = events billed + duplicates + rejected, and that
/// every invoice bills the usage.
pub(super) fn usage(
    expected: &BTreeMap<String, Expected>,
    sent: &BTreeMap<String, Sent>,
    fleet: &Fleet,
    invoices: &BTreeMap<String, Vec<Invoice>>,
    deployment: &Deployment,
) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for (code, made) in expected {
        let sent = sent
            .get(code)
            .with_context(|| format!("nothing was sent to {code}"))?;
        let seen = fleet.regions.iter().find(|region| region.region == *code);
        let counts = seen
            .and_then(|region| region.events.as_ref())
            .with_context(|| format!("{code} reported no events"))?;
        let biller = if deployment.region(code)?.mode.bills_itself() {
            code
        } else {
            &deployment.home
        };
        let billed = billed_usage(invoices.get(biller).map_or(&[], Vec::as_slice));
        let ours = |key: &(String, String)| made.usage.keys().any(|(tenant, _)| *tenant == key.0);
        let events: u64 = billed
            .iter()
            .filter(|(key, _)| ours(key))
            .map(|(_, (_, events))| events)
            .sum();
        checks.push(Check {
            holds: sent.events
                == events + counts.duplicates + counts.conflicts + sent.rejected_total(),
            text: format!(
                "{code}: {} events in = {events} billed + {} duplicates + {} rejected",
                sent.events,
                counts.duplicates + counts.conflicts,
                sent.rejected_total(),
            ),
        });
        checks.push(Check::equal(
            &format!("{code}: events billed, as generated"),
            events,
            made.unique,
        ));
        checks.push(Check::equal(
            &format!("{code}: duplicates, as generated"),
            counts.duplicates,
            made.duplicates,
        ));
        let rejected = (sent.rejected_total(), counts.rejected.total());
        let expected_value = (made.malformed, made.malformed);
        let text = format!(
            "{code}: rejected, as generated: {} in responses, {} counted",
            rejected.0, rejected.1
        );
        checks.push(Check {
            holds: rejected == expected_value,
            text,
        });
        let correct = made.usage.iter().filter(|((tenant, meter), quantity)| {
            let billed = billed.get(&(tenant.clone(), (*meter).to_owned()));
            billed.is_some_and(|(billed, _)| *billed == quantity.to_string())
        });
        checks.push(Check::equal(
            &format!("{code}: quantities billed exactly as used"),
            correct.count(),
            made.usage.len(),
        ));
    }
    Ok(checks)
}

/// The billed usage by tenant and meter: the quantity as text, and the number of events. Sign-ins
/// are excluded: the region counts them itself, so they are not among the events sent.
fn billed_usage(invoices: &[Invoice]) -> BTreeMap<(String, String), (String, u64)> {
    let mut billed = BTreeMap::new();
    for invoice in invoices {
        for line in &invoice.draft.lines {
            if let Item::Usage { metered, reading } = &line.item
                && metered.meter.as_str() != LOGINS
            {
                let key = (invoice.draft.tenant.to_string(), metered.meter.to_string());
                billed.insert(key, (reading.quantity.to_string(), reading.events));
            }
        }
    }
    billed
}

/// Checks that personal data is in its region and nowhere else.
pub(super) fn residency(search: &Search) -> Check {
    let Search {
        canaries,
        at_home,
        strays,
        ..
    } = search;
    let mut text = format!(
        "personal data found outside its region: {} of {canaries} canaries",
        strays.len()
    );
    text += &format!(" ({at_home} found inside it)");
    for stray in strays.iter().take(10) {
        text += &format!(
            "\n    {} of {} as {} in {}",
            stray.field,
            stray.from,
            stray.encoding,
            stray.file.display()
        );
    }
    Check {
        holds: strays.is_empty() && at_home == canaries,
        text,
    }
}
