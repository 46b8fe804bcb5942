//! Rules between buses: which events may pass, and that the contract publishes their schemas.

use crate::template::{Template, many, target};
use crate::{none, repository};
use anyhow::Result;
use serde_json::Value;
use std::collections::BTreeSet;

/// The prefix of the sources whose events have a schema of ours.
const OURS: &str = "meridian.";
/// The events that an application plane receives by rules of its own.
const FOR_APPLICATIONS: [&str; 1] = ["UsageThresholdReached.v1"];
/// The events about single tenants' usage.
const OF_USAGE: [&str; 3] = [
    "UsageWindowUpdated.v1",
    "UsageSealed.v1",
    "UsageStreamEndReported.v1",
];
/// The condition under which usage of single tenants may leave a region.
const MAY_LEAVE: &str = "IsNotSovereign";

fn texts(value: &Value) -> Vec<&str> {
    many(value).into_iter().filter_map(Value::as_str).collect()
}

/// Whether a rule of the regional bus sends to the home bus.
fn goes_home(rule: &Value) -> bool {
    let to_home = |bus: &&Value| {
        bus["Arn"]["Fn::Sub"]
            .as_str()
            .is_some_and(|arn| arn.ends_with("/${Name}-home"))
    };
    target(&rule["EventBusName"]) == Some("RegionalBus")
        && many(&rule["Targets"]).iter().any(to_home)
}

#[test]
fn every_rule_lists_what_may_pass() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (id, rule) in template.of_type("AWS::Events::Rule") {
        for key in ["source", "detail-type"] {
            if texts(&rule["EventPattern"][key]).is_empty() {
                findings.push(format!("{id}: no list of {key}"));
            }
        }
        let targets = many(&rule["Targets"]);
        if targets.is_empty()
            || targets
                .iter()
                .any(|end| target(&end["DeadLetterConfig"]["Arn"]).is_none())
        {
            findings.push(format!("{id}: a target without DeadLetterConfig"));
        }
    }
    none(
        &findings,
        "Name the sources and event types that may pass, and where an undeliverable event goes.",
    )
}

#[test]
fn rules_and_contract_agree() -> Result<()> {
    let template = Template::load()?;
    let published: BTreeSet<String> = repository::entries("docs/schemas")
        .iter()
        .filter_map(|file| file.strip_suffix(".json").map(str::to_owned))
        .collect();
    let ours = |rule: &&Value| {
        texts(&rule["EventPattern"]["source"])
            .iter()
            .any(|source| source.starts_with(OURS))
    };
    let routed: BTreeSet<String> = template
        .of_type("AWS::Events::Rule")
        .map(|(_, rule)| rule)
        .filter(ours)
        .flat_map(|rule| texts(&rule["EventPattern"]["detail-type"]))
        .map(str::to_owned)
        .collect();
    let unknown = routed
        .difference(&published)
        .map(|name| format!("{name}: routed, but not in docs/schemas"));
    let unrouted = published
        .difference(&routed)
        .filter(|name| !FOR_APPLICATIONS.contains(&name.as_str()));
    let lost = unrouted.map(|name| format!("{name}: in docs/schemas, but no rule routes it"));
    let findings: Vec<String> = unknown.chain(lost).collect();
    none(
        &findings,
        "An event needs a published schema and a rule that lists it.",
    )
}

/// The event types that a bus accepts from another: those in the conditions of its policies.
fn accepted<'t>(template: &'t Template, bus: &str) -> BTreeSet<&'t str> {
    let policies = template
        .of_type("AWS::Events::EventBusPolicy")
        .map(|(_, policy)| policy);
    let of_bus = policies.filter(|policy| target(&policy["EventBusName"]) == Some(bus));
    of_bus
        .flat_map(|policy| {
            texts(&policy["Statement"]["Condition"]["StringEquals"]["events:detail-type"])
        })
        .collect()
}

#[test]
fn a_bus_accepts_what_another_sends() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (id, rule) in template.of_type("AWS::Events::Rule") {
        let to_bus = many(&rule["Targets"])
            .into_iter()
            .find_map(|end| end["Arn"]["Fn::Sub"].as_str());
        let bus = match to_bus.and_then(|arn| arn.split_once(":event-bus/")) {
            Some((_, "${Name}-home")) => "HomeBus",
            Some((_, "${Name}-regional")) => "RegionalBus",
            _ => continue,
        };
        let admitted = accepted(&template, bus);
        let sent = texts(&rule["EventPattern"]["detail-type"]);
        let refused = sent.into_iter().filter(|name| !admitted.contains(name));
        findings.extend(
            refused.map(|name| format!("{id}: sends {name}, which the policy of {bus} refuses")),
        );
    }
    none(
        &findings,
        "List an event type in the policy of the bus that it is sent to.",
    )
}

#[test]
fn usage_does_not_leave_a_sovereign_region() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (id, rule) in template.of_type("AWS::Events::Rule") {
        let of_tenants = texts(&rule["EventPattern"]["detail-type"])
            .iter()
            .any(|name| OF_USAGE.contains(name));
        if of_tenants && goes_home(rule) && template.condition(id) != Some(MAY_LEAVE) {
            findings.push(format!(
                "{id}: forwards usage of single tenants in every mode"
            ));
        }
    }
    none(
        &findings,
        "A rule that sends usage of single tenants home has the condition IsNotSovereign.",
    )
}

#[test]
fn home_does_not_bill_a_sovereign_region() -> Result<()> {
    let template = Template::load()?;
    let mut findings = Vec::new();
    for (id, rule) in template.of_type("AWS::Events::Rule") {
        let to_ledger = many(&rule["Targets"])
            .iter()
            .any(|end| target(&end["Arn"]) == Some("LedgerQueue"));
        let from_home = target(&rule["EventBusName"]) == Some("HomeBus");
        let except = target(&rule["EventPattern"]["detail"]["region"][0]["anything-but"]);
        if to_ledger && from_home && except != Some("SovereignRegionCodes") {
            findings.push(format!("{id}: takes events of sovereign regions"));
        }
    }
    none(
        &findings,
        "A sovereign region bills its own tenants: leave out its region with anything-but.",
    )
}
