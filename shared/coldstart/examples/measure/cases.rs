//! The measured cases: functions, their events, and the answers of AWS.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

const TOKEN: &str = include_str!("../../answers/token.txt");
const KEYS: &str = include_str!("../../answers/jwks.json");
const MEMBERSHIP: &str = include_str!("../../answers/membership.json");
const MEMBER: &str = include_str!("../../answers/member.json");

/// The answers of AWS by operation, which is the last part of a request's target or path.
pub(crate) type Answers = BTreeMap<&'static str, String>;

/// One line of the table.
pub(crate) struct Case {
    /// The name in the table.
    pub(crate) name: String,
    /// The function, whose binary has the same name.
    pub(crate) function: &'static str,
    /// The environment that the template sets.
    pub(crate) environment: Vec<(&'static str, &'static str)>,
    /// The answers of AWS.
    pub(crate) answers: Answers,
    /// A text that every successful answer contains.
    pub(crate) expects: &'static str,
    event: String,
}

/// The part of an event that differs in each invocation, where a function would recognize a
/// repetition.
const VARIED: &str = "ffff0000";

impl Case {
    /// The event of an invocation.
    pub(crate) fn event(&self, number: u32) -> String {
        self.event.replace(VARIED, &format!("{number:08x}"))
    }
}

/// Every case, the floor first.
pub(crate) fn all(checkout: &Path) -> Result<Vec<Case>> {
    let mut cases = vec![floor(), sign_in(checkout)?, administration(checkout)?];
    for events in [1, 100, 1_000] {
        cases.push(ingest(checkout, events)?);
    }
    for rows in [1, 13] {
        cases.push(relay(checkout, rows)?);
    }
    Ok(cases)
}

fn floor() -> Case {
    Case {
        name: "floor".to_owned(),
        function: "floor",
        environment: Vec::new(),
        answers: Answers::from([("GetItem", MEMBERSHIP.to_owned())]),
        expects: "done",
        event: "{}".to_owned(),
    }
}

fn sign_in(checkout: &Path) -> Result<Case> {
    let mut answers = Answers::new();
    answers.insert("GetItem", MEMBERSHIP.to_owned());
    answers.insert("BatchGetItem", MEMBER.to_owned());
    Ok(Case {
        name: "auth-pre-token, sign-in".to_owned(),
        function: "auth-pre-token",
        environment: vec![("REGIONAL_TABLE", "regional")],
        answers,
        expects: "claimsToAddOrOverride",
        event: event(checkout, "auth-pre-token", "valid-sign-in")?.to_string(),
    })
}

/// A function that refuses its request at once, which shows the cost of a start.
fn administration(checkout: &Path) -> Result<Case> {
    Ok(Case {
        name: "tenant-api, without a token".to_owned(),
        function: "tenant-api",
        environment: vec![
            ("REGIONAL_TABLE", "regional"),
            ("OUTBOX_TABLE", "outbox"),
            ("USAGE_TABLE", "usage"),
            ("USER_POOL_ID", "eu-central-1_EXAMPLE12"),
            ("CLIENT_ID", "1example23456789example01"),
            ("SERVICE_CLIENT_ID", "2example23456789example02"),
            ("TENANT_OPERATOR_CLIENT_ID", "3example23456789example03"),
            ("TENANT_ROLE_ARN", "arn:aws:iam::111122223333:role/access"),
            (
                "TENANT_SETTINGS",
                "provisioning=auto builder_toolkit=false answer_minutes=60 confirm_hours=24 \
                 grace_days=30 retention_days=90 hosted_zone=",
            ),
            ("MAIL_FROM", ""),
            ("MAILS_PER_ADDRESS", "5"),
            ("TENANT_ADDRESS", "https://{alias}.example.com"),
            ("SUBDOMAIN_SECRET", "0123456789abcdef0123456789abcdef"),
            (
                "WORKSPACES_QUEUE_URL",
                "https://sqs.eu-central-1.amazonaws.com/111122223333/queue",
            ),
            (
                "AUTH_URL",
                "https://example.auth.eu-central-1.amazoncognito.com",
            ),
        ],
        answers: Answers::from([("jwks.json", KEYS.to_owned())]),
        expects: "\"statusCode\":401",
        event: event(checkout, "tenant-api", "invalid-token-missing")?.to_string(),
    })
}

fn ingest(checkout: &Path, events: usize) -> Result<Case> {
    let tenant = |number: usize| format!("0199a1f0-0000-7000-8000-{:012}", number % 10);
    let sent = |number: usize| {
        json!({
            "specversion": "1.0", "type": "transfer.completed", "source": "/gateways/eu-central-1/7",
            "id": format!("0199a1f0-1111-7000-8000-{number:012}"), "subject": tenant(number),
            "time": "2026-11-03T09:58:58.123Z", "datacontenttype": "application/json",
            "data": { "gigabytes": number as f64 / 8.0, "route": "/v1/files" },
        })
    };
    let body: Vec<Value> = (0..events).map(sent).collect();
    let mut event = event(checkout, "usage-ingest", "valid-batch-with-repetition")?;
    event["body"] = Value::String(Value::Array(body).to_string());
    event["headers"]["authorization"] = json!(format!("Bearer {}", TOKEN.trim()));
    let terms = |number: usize| {
        let tenant = tenant(number);
        json!({
            "pk": { "S": format!("TENANT#{tenant}") }, "sk": { "S": "TENANT" }, "tenant": { "S": tenant },
            "status": { "S": "active" }, "activated_at": { "S": "2026-10-01T00:00:00Z" },
        })
    };
    let found: Vec<Value> = (0..10).map(terms).collect();
    let found = json!({ "Responses": { "regional": found }, "UnprocessedKeys": {} });
    Ok(Case {
        name: format!("usage-ingest, {events} events"),
        function: "usage-ingest",
        environment: vec![
            ("REGIONAL_TABLE", "regional"),
            ("USAGE_TABLE", "usage"),
            ("USER_POOL_ID", "eu-central-1_EXAMPLE12"),
            ("SERVICE_CLIENT_ID", "2example23456789example02"),
            ("MALLOC_MMAP_THRESHOLD_", "33554432"),
            ("MALLOC_TRIM_THRESHOLD_", "33554432"),
        ],
        answers: Answers::from([
            ("jwks.json", KEYS.to_owned()),
            ("BatchGetItem", found.to_string()),
            (
                "BatchWriteItem",
                json!({ "UnprocessedItems": {} }).to_string(),
            ),
        ]),
        expects: "\\\"rejected\\\":[]",
        event: event.to_string(),
    })
}

fn relay(checkout: &Path, rows: usize) -> Result<Case> {
    let mut event = event(checkout, "outbox-relay", "valid-inserted")?;
    let records = event["Records"].as_array_mut().context("no records")?;
    records.retain(|record| record["eventName"] == "INSERT");
    records.truncate(rows);
    Ok(Case {
        name: format!("outbox-relay, {rows} rows"),
        function: "outbox-relay",
        environment: vec![
            ("OUTBOX_TABLE", "outbox"),
            ("REGIONAL_BUS_NAME", "regional"),
            ("HOME_BUS_NAME", "home"),
        ],
        answers: Answers::from([
            (
                "PutEvents",
                json!({ "FailedEntryCount": 0, "Entries": [] }).to_string(),
            ),
            (
                "BatchWriteItem",
                json!({ "UnprocessedItems": {} }).to_string(),
            ),
            ("DeleteItem", "{}".to_owned()),
        ]),
        expects: "null",
        event: event.to_string(),
    })
}

/// Loads an event of the handler tests.
fn event(checkout: &Path, function: &str, case: &str) -> Result<Value> {
    let path = checkout.join(format!("events/{function}/{case}.json"));
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(serde_json::from_slice(&text)?)
}
