//! Reads the tables directly, and makes files of usage to compare them with.

use anyhow::{Context, Result, bail, ensure};
use aws_sdk_dynamodb::types::AttributeValue;
use deployment::DeployedRegion;
use deployment::clients::http;
use kernel::{BillingPeriod, Quantity};
use local_aws::Stack;
use meridian::demo::{Customer, Expected, Person, Recipe, become_customer, write_usage};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use tempfile::TempDir;

/// How far back the usage of a file goes, and how late it is sent, in seconds.
const SPAN_S_MAX: i64 = 6 * 3600;
/// The meter of sign-ins. The region counts these by itself, so no file has them.
pub(crate) const LOGINS: &str = "logins";

/// The sum (or maximum) of the windows and the number of their events, by tenant and meter.
pub(crate) type Totals = BTreeMap<(String, String), (Quantity, u64)>;

/// Reads the totals of a region's tenants from the ledger of the region that bills them.
pub(crate) async fn ledger(stack: &Stack, biller: &str, tenants: &[String]) -> Result<Totals> {
    let mut totals = Totals::new();
    for item in ledger_items(stack, biller, "LEDGER#").await? {
        let text = |name: &str| text_of(&item, name).unwrap_or_default();
        let (tenant, meter) = (
            text("pk").split('#').nth(1).unwrap_or_default().to_owned(),
            text("meter").to_owned(),
        );
        // The ledger also has totals of periods, and seals; those of days are compared.
        if !tenants.contains(&tenant) || meter == LOGINS || text("size") != "day" {
            continue;
        }
        let value: Quantity = text("value").parse().context("a window has a value")?;
        let events = item
            .get("events")
            .and_then(|value| value.as_n().ok())
            .context("a window has events")?;
        let total = totals.entry((tenant, meter.clone())).or_default();
        total.0 = if meter == "storage-gb" {
            total.0.clone().max(value)
        } else {
            total.0.clone() + &value
        };
        total.1 += events.parse::<u64>()?;
    }
    Ok(totals)
}

/// Reads the items of the ledger of a region that bills, by the beginning of their partition.
pub(crate) async fn ledger_items(
    stack: &Stack,
    biller: &str,
    prefix: &str,
) -> Result<Vec<HashMap<String, AttributeValue>>> {
    let tables = &stack.deployment().region(biller)?.tables;
    let table = tables.get("billing").context("this region has no ledger")?;
    scan(stack, biller, table, prefix).await
}

/// Reads the months of usage that a region shows, by the other parameters of `GET /usage`.
pub(crate) async fn months_shown(
    region: &DeployedRegion,
    token: &str,
    query: &str,
) -> Result<Vec<Value>> {
    let request = http()
        .get(format!("{}/usage?window=month&{query}", region.api_url))
        .bearer_auth(token);
    let mut report: Value = request.send().await?.json().await?;
    let Value::Array(windows) = report["windows"].take() else {
        bail!("no usage is shown: {report}");
    };
    Ok(windows)
}

/// The totals that follow from a usage file.
pub(crate) fn wanted(expected: &Expected) -> Totals {
    let with_events = expected.usage.iter().map(|(key, quantity)| {
        let events = expected.usage_events.get(key).copied().unwrap_or_default();
        (
            (key.0.clone(), key.1.to_owned()),
            (quantity.clone(), events),
        )
    });
    with_events.collect()
}

/// Reads every item of a table whose partition key begins with a prefix.
pub(crate) async fn scan(
    stack: &Stack,
    region: &str,
    table: &str,
    prefix: &str,
) -> Result<Vec<HashMap<String, AttributeValue>>> {
    let client = aws_sdk_dynamodb::Client::new(&stack.emulator_sdk(region)?);
    let pages = client
        .scan()
        .table_name(table)
        .filter_expression("begins_with(pk, :prefix)")
        .expression_attribute_values(":prefix", AttributeValue::S(prefix.to_owned()))
        .into_paginator()
        .items()
        .send();
    Ok(pages.collect::<Result<Vec<_>, _>>().await?)
}

/// Reads every item of a partition.
pub(crate) async fn partition(
    stack: &Stack,
    region: &str,
    table: &str,
    key: &str,
) -> Result<Vec<HashMap<String, AttributeValue>>> {
    let client = aws_sdk_dynamodb::Client::new(&stack.emulator_sdk(region)?);
    let pages = client
        .query()
        .table_name(table)
        .key_condition_expression("pk = :key")
        .expression_attribute_values(":key", AttributeValue::S(key.to_owned()))
        .into_paginator()
        .items()
        .send();
    Ok(pages.collect::<Result<Vec<_>, _>>().await?)
}

/// The value of an attribute, where it is a text.
pub(crate) fn text_of<'i>(
    item: &'i HashMap<String, AttributeValue>,
    name: &str,
) -> Option<&'i str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// Signs up a new tenant of a region, and signs its administrator in.
pub(crate) async fn customer(stack: &Stack, region: &str) -> Result<Customer> {
    let plan = if stack.deployment().region(region)?.mode.bills_itself() {
        "pro-in"
    } else {
        "pro"
    };
    become_customer(stack, Person::invent(region, plan)).await
}

/// A file of usage of some tenants, with the totals that follow from it.
pub(crate) struct UsageFile {
    pub(crate) path: PathBuf,
    pub(crate) expected: Expected,
    _folder: TempDir,
}

impl UsageFile {
    /// Checks that the ledger of the biller has exactly the totals that follow from the file.
    pub(crate) async fn ensure_counted(
        &self,
        stack: &Stack,
        biller: &str,
        tenants: &[String],
    ) -> Result<()> {
        let (found, wanted) = (
            ledger(stack, biller, tenants).await?,
            wanted(&self.expected),
        );
        ensure!(found == wanted, "found {found:?}\nwanted {wanted:?}");
        Ok(())
    }
}

/// Makes a file of usage of the last hours.
pub(crate) fn usage_file(tenants: Vec<String>, events: usize, seed: u64) -> Result<UsageFile> {
    file_of(&Recipe {
        seed,
        events,
        tenants,
        now: meridian::now(),
        span_s: SPAN_S_MAX,
        late_s_max: SPAN_S_MAX,
    })
}

/// Makes a file of usage of the last hours, all of it within a period that is not over.
pub(crate) fn usage_file_within(
    period: BillingPeriod,
    tenants: Vec<String>,
    events: usize,
    seed: u64,
) -> Result<UsageFile> {
    let now = meridian::now();
    ensure!(period == BillingPeriod::containing(now), "{period} is over");
    let span_s = SPAN_S_MAX.min(now.as_second() - period.start().as_second());
    file_of(&Recipe {
        seed,
        events,
        tenants,
        now,
        span_s,
        late_s_max: SPAN_S_MAX,
    })
}

fn file_of(recipe: &Recipe) -> Result<UsageFile> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("usage.jsonl");
    let expected = write_usage(&path, recipe)?;
    Ok(UsageFile {
        path,
        expected,
        _folder: folder,
    })
}
