//! Tables for people: the output of the demo and of operators' commands.

use super::Customer;
use super::onboarding::{Colleague, Onboarded};
use super::proof::Check;
use crate::client::operator::{Fleet, FleetRegion, LedgerUsage, UsageIncidents};
use anyhow::Result;
use billing::{Invoice, Item};
use comfy_table::{CellAlignment, Table, presets};
use deployment::Deployment;
use local_aws::Stack;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// How each tenant was onboarded, and how long its last steps took.
///
/// # Errors
/// When a tenant is in a region that the stack does not know.
pub(super) fn onboardings(
    onboardings: &[Onboarded],
    colleague: &Colleague,
    deployment: &Deployment,
) -> Result<String> {
    let mut table = table(&[
        "region",
        "mode",
        "onboarded",
        "plan",
        "resources",
        "confirmed to active",
    ]);
    right_align(&mut table, 5..6);
    for onboarded in onboardings {
        let region = deployment.region(&onboarded.region)?;
        let made = match (
            region.functions.contains_key("application-example"),
            onboarded.plan.as_str(),
        ) {
            (true, "enterprise") => "silo, by the application",
            (true, _) => "pool, by the application",
            (false, _) => "none needed",
        };
        let at = |name: &str| {
            onboarded
                .operation
                .steps
                .iter()
                .find(|step| step.name == name)
                .and_then(|step| step.at)
        };
        let took = match (at("confirmation"), at("activation")) {
            (Some(confirmed), Some(active)) => {
                format!("{} ms", active.duration_since(confirmed).as_millis())
            }
            _ => "-".to_owned(),
        };
        let way = if onboarded.through_home {
            "through home"
        } else {
            "in the region"
        };
        table.add_row([
            &onboarded.region,
            region.mode.as_str(),
            way,
            &onboarded.plan,
            made,
            &took,
        ]);
    }
    let (region, role) = (
        &colleague.person.region,
        colleague.claims["role"].as_str().unwrap_or_default(),
    );
    let way = format!("invited, as {role}");
    table.add_row([
        region,
        deployment.region(region)?.mode.as_str(),
        &way,
        "-",
        "those of the tenant",
        "-",
    ]);
    Ok(format!("\nOnboarding\n{table}\n"))
}

/// The claims of the first administrator's token in each region, and the address of the sign-in.
pub(super) fn tokens(customers: &[Customer], deployment: &Deployment) -> String {
    let mut table = table(&[
        "signed in at",
        "region",
        "tenant_id",
        "plan",
        "role",
        "entitlements",
        "policy",
    ]);
    let mut seen = BTreeSet::new();
    for customer in customers {
        if seen.insert(&customer.person.region) {
            let claim = |name: &str| match customer.claims.get(name) {
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
                None => "-".to_owned(),
            };
            let address = deployment
                .tenant_address(&claim("alias"))
                .unwrap_or_default();
            let claims = [
                "region",
                "tenant_id",
                "plan",
                "role",
                "entitlements",
                "policy_version",
            ]
            .map(claim);
            table.add_row(std::iter::once(address).chain(claims));
        }
    }
    format!("\nThe token of the first administrator in each region\n{table}\n")
}

/// The fleet table.
///
/// # Errors
/// When the fleet has a region that the stack does not know.
pub fn fleet(fleet: &Fleet, deployment: &Deployment) -> Result<String> {
    let mut table = table(&[
        "region",
        "mode",
        "tenants",
        "accepted",
        "duplicates",
        "rejected",
        "usage lag",
        "outbox lag",
        "policies",
        "health",
    ]);
    right_align(&mut table, 2..9);
    for region in &fleet.regions {
        let mode = deployment.region(&region.region)?.mode;
        table.add_row(fleet_row(region, mode.as_str()));
    }
    let mut text = format!("\nThe fleet at home\n{table}\n");
    for region in &fleet.regions {
        let Some(events) = &region.events else {
            continue;
        };
        for (sender, counts) in [
            ("tenants", &events.rejected.tenants),
            ("the provider", &events.rejected.provider),
        ] {
            let kinds = counts.iter().filter(|(_, count)| **count > 0);
            let kinds: Vec<String> = kinds
                .map(|(kind, count)| format!("{kind} {count}"))
                .collect();
            if !kinds.is_empty() {
                writeln!(
                    text,
                    "{}: rejected of {sender}: {}",
                    region.region,
                    kinds.join(", ")
                )?;
            }
        }
        if events.not_stored > 0 {
            writeln!(
                text,
                "{}: not stored because the region was too busy or failed: {}",
                region.region, events.not_stored
            )?;
        }
    }
    Ok(text)
}

fn fleet_row(region: &FleetRegion, mode: &str) -> Vec<String> {
    let count = |pick: fn(&crate::client::operator::FleetEvents) -> u64| {
        region
            .events
            .as_ref()
            .map_or_else(|| "withheld".to_owned(), |events| pick(events).to_string())
    };
    let lag = |backlog: Option<crate::client::operator::Backlog>| {
        backlog.map_or_else(
            || "-".to_owned(),
            |backlog| format!("{} ms", backlog.lag_ms),
        )
    };
    let unapplied = region.unapplied_policies.waiting;
    vec![
        region.region.clone(),
        mode.to_owned(),
        (region.tenants.pending + region.tenants.active + region.tenants.other).to_string(),
        count(|events| events.accepted),
        count(|events| events.duplicates + events.conflicts),
        count(|events| events.rejected.total()),
        lag(region.usage),
        lag(region.outbox),
        if unapplied == 0 {
            "applied".to_owned()
        } else {
            format!("{unapplied} not applied")
        },
        region.status.clone(),
    ]
}

/// Every invoice with its lines, by the issuing region.
///
/// # Errors
/// Never in practice: writing to a string does not fail.
pub fn invoices(invoices: &BTreeMap<String, Vec<Invoice>>) -> Result<String> {
    let mut text = String::new();
    for (region, invoices) in invoices {
        writeln!(text, "\nInvoices issued in {region}")?;
        let mut table = table(&["number", "tenant", "line", "quantity", "events", "amount"]);
        right_align(&mut table, 3..6);
        for invoice in invoices {
            for (index, line) in invoice.draft.lines.iter().enumerate() {
                let (number, tenant) = if index == 0 {
                    (
                        format!("{}-{}", invoice.number.legal_entity, invoice.number.number),
                        invoice.draft.tenant.to_string(),
                    )
                } else {
                    (String::new(), String::new())
                };
                let (item, quantity, events) = described(&line.item);
                table.add_row([
                    number,
                    tenant,
                    item,
                    quantity,
                    events,
                    line.amount.to_string(),
                ]);
            }
            let total = [
                "",
                "",
                "total",
                "",
                &invoice.draft.events.to_string(),
                &invoice.draft.total.to_string(),
            ];
            table.add_row(total.map(str::to_owned));
        }
        writeln!(text, "{table}")?;
    }
    Ok(text)
}

fn described(item: &Item) -> (String, String, String) {
    match item {
        Item::FixedFee { name } => (format!("{name}, fixed fee"), String::new(), String::new()),
        Item::Usage { metered, reading } => (
            metered.meter.to_string(),
            format!("{} {}", reading.quantity, metered.unit),
            reading.events.to_string(),
        ),
        Item::Adjustment(adjustment) => (
            format!(
                "{}, late usage of {}",
                adjustment.metered.meter, adjustment.adjusted_period
            ),
            format!(
                "{} -> {}",
                adjustment.billed.quantity, adjustment.now.quantity
            ),
            String::new(),
        ),
    }
}

/// The checks, one per line.
pub(super) fn checks(checks: &[Check]) -> String {
    let mut text = "\nProof\n".to_owned();
    for check in checks {
        let mark = if check.holds { "ok  " } else { "FAIL" };
        text += &format!("  {mark} {}\n", check.text);
    }
    text
}

/// The addresses of the running stack, or how to leave it running.
///
/// # Errors
/// When a region has no addresses.
pub(super) fn addresses(stack: &Stack, keep: bool) -> Result<String> {
    if !keep {
        return Ok(
            "\nThe stack was stopped. `meridian demo --keep` leaves it running.\n".to_owned(),
        );
    }
    let mut table = table(&[
        "region",
        "HTTP API",
        "operator API",
        "AWS endpoint",
        "mails",
    ]);
    for (code, region) in &stack.deployment().regions {
        let local = stack.local().region(code)?;
        let operator = region.operator_api_url.as_deref().unwrap_or("-");
        table.add_row([
            code,
            &region.api_url,
            operator,
            &local.aws_endpoint_url,
            &local.mail_url,
        ]);
    }
    Ok(format!(
        "\nThe stack is running; `meridian local down` stops it. All of this is in .meridian/local.json.\n{table}\n"
    ))
}

/// A tenant's usage of a period: its windows, and their totals.
#[must_use]
pub fn ledger_usage(usage: &LedgerUsage) -> String {
    let mut table = table(&[
        "window", "from", "meter", "group", "value", "events", "state",
    ]);
    right_align(&mut table, 4..6);
    for total in &usage.windows {
        let (start, events) = (total.start.to_string(), total.events.to_string());
        table.add_row([
            &total.window,
            &start,
            &total.meter,
            &total.group,
            &total.value,
            &events,
            &total.state,
        ]);
    }
    for total in &usage.totals {
        let events = total.events.to_string();
        table.add_row([
            "all",
            "",
            &total.meter,
            &total.group,
            &total.value,
            &events,
            &total.state,
        ]);
    }
    table.to_string()
}

/// The incidents of the usage in a ledger.
#[must_use]
pub fn usage_incidents(found: &UsageIncidents) -> String {
    let mut table = table(&["tenant", "region", "incident", "day", "since", "requests"]);
    right_align(&mut table, 5..6);
    for incident in &found.incidents {
        let what = match incident.missing_reports {
            Some(missing) => format!("{missing} reports missing"),
            None => incident.kind.as_str().replace('_', " "),
        };
        let day = incident
            .day
            .map_or_else(|| "-".to_owned(), |day| day.to_string());
        let (tenant, region) = (incident.tenant.to_string(), incident.region.to_string());
        table.add_row([
            tenant,
            region,
            what,
            day,
            incident.since.to_string(),
            incident.requests.to_string(),
        ]);
    }
    let shown = found.incidents.len();
    let rest = if shown < found.total {
        format!("\nthe oldest {shown} of {}", found.total)
    } else {
        String::new()
    };
    format!("{table}{rest}")
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_header(header.to_vec());
    table
}

fn right_align(table: &mut Table, columns: std::ops::Range<usize>) {
    for index in columns {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
