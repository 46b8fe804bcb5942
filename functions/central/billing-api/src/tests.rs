pub(crate) mod openapi;

use crate::adapters::Adapters;
use crate::handler::router;
use axum::Router;
use billing::{
    Billability, Billing, DisclosureThreshold, InvoiceRequest, PeriodUsage, Run, decide_issue,
    plan_invoice,
};
use billing_store::{BillingStore, Recorded};
use catalogue::Catalogue;
use contract::{SealDigest, UsageWindow, UsageWindowUpdated};
use kernel::{BillingPeriod, LegalEntity, Mode, TenantId};
use runtime::http::{Tokens, with_fallbacks};
use serde_json::{Value, json};

const SCOPES: [&str; 2] = ["meridian/operator.read", "usage/write"];

struct Fixture {
    router: Router,
    operator_token: String,
    usage_token: String,
}

async fn fixture() -> Fixture {
    let aws = testkit::aws().await;
    let store = BillingStore::new(&aws.config, testkit::table(&aws, false).await);
    seed(&store).await;
    dispute(&store).await;
    use_something(&store).await;
    let pool = testkit::user_pool(&aws, &SCOPES).await;
    let tokens = Tokens::new(&aws.config, &pool.id, pool.machine_client_id.clone()).unwrap();
    Fixture {
        router: with_fallbacks(router(Adapters {
            store,
            tokens,
            catalogue: Catalogue::bundled().unwrap(),
        })),
        operator_token: testkit::machine_token(&aws, &pool, SCOPES[0]).await,
        usage_token: testkit::machine_token(&aws, &pool, SCOPES[1]).await,
    }
}

/// A run of three tenants, of which two have an invoice.
async fn seed(store: &BillingStore) {
    let catalogue = Catalogue::bundled().unwrap();
    let legal_entity: LegalEntity = "meridian".parse().unwrap();
    let period: BillingPeriod = "2026-10".parse().unwrap();
    let disclosure = DisclosureThreshold {
        mode: Mode::Shared,
        tenants_min: 5,
    };
    let run = Run::new(period, "2026-11-01T02:00:00Z".parse().unwrap(), 3);
    assert!(store.record_run(None, &run).await.unwrap());
    for n in 1..=2 {
        let tenant = format!("0199a1f0-0000-7000-8000-00000000000{n}")
            .parse()
            .unwrap();
        let context = store
            .load_issue_context(InvoiceRequest { tenant, period }, &legal_entity)
            .await
            .unwrap();
        let draft = plan_invoice(Billing {
            catalogue: &catalogue,
            tenant,
            period,
            billability: Billability::InUse(&"starter".parse().unwrap()),
            usage: &PeriodUsage::new(),
            earlier: &[],
            missing_reports: 0,
        });
        let run = context.run.clone().unwrap().run;
        let issue = decide_issue(draft.unwrap(), run, context.next_number(), disclosure);
        assert_eq!(
            store.record_issue(&context, &issue, None).await.unwrap(),
            Recorded::Done
        );
    }
}

/// A day that a region sealed twice.
async fn dispute(store: &BillingStore) {
    for (sequence, digit) in [(1, "a"), (2, "b")] {
        let published = json!({
            "id": "0199a1f0-0000-7000-8000-ffff00000001",
            "region": "eu-central-1",
            "stream": "usage:0199a1f0-0000-7000-8000-000000000001",
            "sequence": sequence,
            "occurred_at": "2026-10-09T07:00:00Z",
            "data": {
                "tenant": "0199a1f0-0000-7000-8000-000000000001",
                "day": "2026-10-05T00:00:00Z",
                "totals": 1,
                "digest": digit.repeat(64),
            },
        });
        let now = "2026-10-09T07:00:00Z".parse().unwrap();
        store
            .record_sealed(&serde_json::from_value(published).unwrap(), now)
            .await
            .unwrap();
    }
}

/// Records usage of two days, of which the first is sealed and adjusted, and usage of a tenant
/// whose October begins in September. That period is sealed with its last day, which has no usage.
async fn use_something(store: &BillingStore) {
    let window = |meter: &str,
                  day: u8,
                  part: &str,
                  group: &str,
                  value: &str,
                  events: i64|
     -> UsageWindow {
        serde_json::from_value(json!({
            "meter": meter, "group": group, "size": "day", "start": format!("2026-10-{day:02}T00:00:00Z"),
            "part": part, "value": value, "events": events, "revision": 1,
        }))
        .unwrap()
    };
    let sealed = [
        window("tokens", 7, "window", "model=small,kind=input", "10", 1),
        window("tokens", 7, "window", "model=large,kind=input", "20", 1),
        window("response-ms", 7, "window", "", "30", 4),
    ];
    let open = [
        window("tokens", 7, "adjustment", "model=large,kind=input", "5", 1),
        window("response-ms", 8, "window", "", "10", 1),
    ];
    let tenant: TenantId = "0199a1f0-0000-7000-8000-000000000001".parse().unwrap();
    let windows = [&sealed[..], &open[..]].concat();
    store
        .record_windows(&UsageWindowUpdated { tenant, windows })
        .await
        .unwrap();
    let mut early = window("tokens", 1, "window", "model=small,kind=input", "10", 1);
    early.start = "2026-09-30T23:00:00Z".parse().unwrap();
    let other: TenantId = "0199a1f0-0000-7000-8000-000000000002".parse().unwrap();
    store
        .record_windows(&UsageWindowUpdated {
            tenant: other,
            windows: vec![early],
        })
        .await
        .unwrap();
    for (tenant, day, sealed) in [
        (tenant, "2026-10-07T00:00:00Z", &sealed[..]),
        (other, "2026-10-30T23:00:00Z", &[]),
    ] {
        let published = json!({
            "id": "0199a1f0-0000-7000-8000-ffff00000002",
            "region": "eu-central-1",
            "stream": format!("usage:{tenant}"),
            "sequence": 3,
            "occurred_at": "2026-11-11T07:00:00Z",
            "data": { "tenant": tenant, "day": day, "totals": sealed.len(), "digest": SealDigest::of(sealed) },
        });
        let now = "2026-11-11T07:00:00Z".parse().unwrap();
        store
            .record_sealed(&serde_json::from_value(published).unwrap(), now)
            .await
            .unwrap();
    }
}

impl Fixture {
    /// Sends a payload as the gateway does, and returns status, content type and body.
    async fn send(&self, payload: &Value) -> (u16, String, Value) {
        let payload = payload
            .to_string()
            .replace("operator-token", &self.operator_token)
            .replace("usage-token", &self.usage_token);
        let response = runtime::http::respond(self.router.clone(), &payload).await;
        let status = response.status().as_u16();
        let kind = response
            .headers()
            .get("content-type")
            .map_or("", |kind| kind.to_str().unwrap())
            .to_owned();
        let body = axum::body::to_bytes(response.into_body(), 1_000_000)
            .await
            .unwrap();
        (
            status,
            kind,
            serde_json::from_slice(&body).unwrap_or_default(),
        )
    }
}

fn case(name: &str) -> Value {
    testkit::cases("billing-api")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

#[tokio::test]
async fn every_odd_event_has_a_response() {
    let fixture = fixture().await;
    let usual = testkit::cases("billing-api")
        .into_iter()
        .map(|case| case.payload)
        .collect();
    let mut odd = testkit::OddEvents::new(1, usual);
    for _ in 0..500 {
        let event = odd
            .next_event()
            .replace("operator-token", &fixture.operator_token);
        let status = runtime::http::respond(fixture.router.clone(), &event)
            .await
            .status();
        assert!(!status.is_server_error(), "{status} to {event}");
    }
}

#[tokio::test]
async fn every_case_has_a_response_or_a_problem() {
    let fixture = fixture().await;
    for case in testkit::cases("billing-api") {
        let (status, kind, body) = fixture.send(&case.payload).await;
        let expected = match case.name.as_str() {
            "invalid-no-token" | "invalid-foreign-token" => (401, "unauthorized"),
            "invalid-missing-scope" => (403, "missing-scope"),
            "invalid-usage-tenant" => (400, "invalid-tenant"),
            "invalid-usage-meter" => (400, "invalid-meter"),
            "invalid-usage-dimensions" | "invalid-usage-dimensions-without-meter" => {
                (400, "invalid-dimensions")
            }
            "invalid-usage-range" => (400, "invalid-range"),
            "invalid-usage-no-period"
            | "invalid-no-period"
            | "invalid-period"
            | "invalid-run-period"
            | "invalid-run-period-not-text" => (400, "invalid-period"),
            "invalid-limit" => (400, "invalid-limit"),
            "invalid-cursor" => (400, "invalid-cursor"),
            "invalid-invoice-id" | "invalid-invoice-id-not-text" => (400, "invalid-invoice-id"),
            "invalid-unknown-invoice" => (404, "unknown-invoice"),
            "invalid-unknown-run" => (404, "unknown-billing-run"),
            "invalid-path" => (404, "not-found"),
            "invalid-host" => (400, "malformed-request"),
            "invalid-method" => (405, "method-not-allowed"),
            _ => (200, ""),
        };
        assert_eq!(
            case.is_valid(),
            expected.0 == 200,
            "{} is valid or invalid as its name says",
            case.name
        );
        let slug = body["type"]
            .as_str()
            .unwrap_or_default()
            .rsplit('/')
            .next()
            .unwrap_or_default();
        assert_eq!((status, slug), expected, "{}: {body}", case.name);
        testkit::openapi::assert_described(
            testkit::openapi::Api::Operator,
            &case.payload,
            status,
            slug,
        );
        let kind_expected = match case.name.as_str() {
            "valid-usage-as-csv" => "text/csv; charset=utf-8",
            name if name.starts_with("valid-") => "application/json",
            _ => "application/problem+json",
        };
        assert_eq!(kind, kind_expected, "{}", case.name);
    }
}

#[tokio::test]
async fn a_list_is_paged_in_order_of_numbers() {
    let fixture = fixture().await;
    let mut first = case("valid-page");
    first["rawQueryString"] = "period=2026-10&limit=1".into();
    first["queryStringParameters"] = serde_json::json!({ "period": "2026-10", "limit": "1" });
    let (_, _, body) = fixture.send(&first).await;
    assert_eq!(
        (&body["invoices"][0]["number"], &body["next_cursor"]),
        (&1.into(), &"meridian.1".into())
    );
    let (_, _, body) = fixture.send(&case("valid-page")).await;
    assert_eq!(
        (
            &body["invoices"][0]["number"],
            body["invoices"].as_array().unwrap().len()
        ),
        (&2.into(), 1)
    );
    let (_, _, body) = fixture.send(&case("valid-empty-period")).await;
    assert_eq!(
        body,
        serde_json::json!({ "invoices": [], "next_cursor": null })
    );
}

#[tokio::test]
async fn an_invoice_explains_itself() {
    let (_, _, body) = fixture().await.send(&case("valid-invoice")).await;
    assert_eq!(
        body["total"],
        serde_json::json!({ "amount": "19", "currency": "USD" })
    );
    assert_eq!(
        (&body["state"], &body["legal_entity"]),
        (&"issued".into(), &"meridian".into())
    );
    assert_eq!(
        (
            &body["lines"][0]["kind"],
            &body["lines"][1]["steps"][0]["step"]
        ),
        (&"fixed_fee".into(), &"free".into())
    );
}

#[tokio::test]
async fn a_run_shows_its_progress() {
    let (_, _, body) = fixture().await.send(&case("valid-run")).await;
    assert_eq!(
        (&body["expected"], &body["done"], &body["complete"]),
        (&3.into(), &2.into(), &false.into())
    );
    assert_eq!(body["totals"]["USD"]["total"]["amount"], "38");
}

#[tokio::test]
async fn incidents_of_the_ledger_are_listed() {
    let (_, _, body) = fixture().await.send(&case("valid-usage-incidents")).await;
    let incident = json!({
        "tenant": "0199a1f0-0000-7000-8000-000000000001",
        "region": "eu-central-1",
        "kind": "seal_disputed",
        "day": "2026-10-05T00:00:00Z",
        "missing_reports": null,
        "since": "2026-10-09T07:00:00Z",
        "requests": 0,
    });
    assert_eq!(body, json!({ "total": 1, "incidents": [incident] }));
}

#[tokio::test]
async fn usage_is_shown_as_it_is_billed() {
    let fixture = fixture().await;
    let (_, _, body) = fixture.send(&case("valid-usage")).await;
    let row = |total: &Value| {
        let text = |name: &str| total[name].as_str().unwrap().to_owned();
        (
            text("meter"),
            text("start")[8..10].to_owned(),
            text("value"),
            total["events"].as_u64().unwrap(),
            text("state"),
        )
    };
    let rows = |name: &str| {
        body[name]
            .as_array()
            .unwrap()
            .iter()
            .map(row)
            .collect::<Vec<_>>()
    };
    let expected = |meter: &str, day: &str, value: &str, events: u64, state: &str| {
        (
            meter.to_owned(),
            day.to_owned(),
            value.to_owned(),
            events,
            state.to_owned(),
        )
    };
    assert_eq!(
        rows("windows"),
        [
            expected("response-ms", "07", "7.5", 4, "sealed"),
            expected("tokens", "07", "35", 3, "adjusted"),
            expected("response-ms", "08", "10", 1, "provisional"),
        ]
    );
    assert_eq!(
        rows("totals"),
        [
            expected("response-ms", "01", "8", 5, "provisional"),
            expected("tokens", "01", "35", 3, "provisional")
        ]
    );
}

#[tokio::test]
async fn usage_is_divided_and_filtered_as_requested() {
    let fixture = fixture().await;
    let request_usage = async |query: &str| {
        let mut request = case("valid-usage");
        let all = format!("{}&{query}", request["rawQueryString"].as_str().unwrap());
        request["rawQueryString"] = json!(all);
        let (status, _, body) = fixture.send(&request).await;
        assert_eq!(status, 200, "{query}: {body}");
        let row = |total: &Value| {
            let text = |name: &str| total[name].as_str().unwrap().to_owned();
            format!(
                "{} {} {} {}",
                &text("start")[8..10],
                text("meter"),
                text("group"),
                text("value")
            )
        };
        let rows = |name: &str| {
            body[name]
                .as_array()
                .unwrap()
                .iter()
                .map(row)
                .collect::<Vec<_>>()
        };
        (rows("totals"), rows("windows"))
    };
    let rows = |rows: &[&str]| rows.iter().map(|row| (*row).to_owned()).collect::<Vec<_>>();
    let divided = ["01 tokens model=large 25", "01 tokens model=small 10"];
    let days = ["07 tokens model=large 25", "07 tokens model=small 10"];
    assert_eq!(
        request_usage("meter=tokens&group_by=model").await,
        (rows(&divided), rows(&days))
    );
    assert_eq!(
        request_usage("meter=tokens&filter=model%3Dlarge").await,
        (rows(&["01 tokens  25"]), rows(&["07 tokens  25"]))
    );
    assert_eq!(
        request_usage("meter=tokens&filter=model%3Dsmall%2Ckind%3Doutput").await,
        (rows(&[]), rows(&[]))
    );
    let later = "meter=response-ms&from=2026-10-08T00:00:00Z&to=2026-10-09T00:00:00Z";
    assert_eq!(
        request_usage(later).await,
        (rows(&["01 response-ms  8"]), rows(&["08 response-ms  10"])),
        "the total covers the whole period"
    );
    assert_eq!(request_usage("to=2026-10-07T00:00:00Z").await.1, rows(&[]));
}

#[tokio::test]
async fn a_period_starts_at_the_tenants_billing_anchor() {
    let other = case("valid-usage")
        .to_string()
        .replace("000000000001", "000000000002");
    let (_, _, body) = fixture()
        .await
        .send(&serde_json::from_str(&other).unwrap())
        .await;
    assert_eq!(
        (&body["totals"][0]["start"], &body["totals"][0]["value"]),
        (&json!("2026-09-30T23:00:00Z"), &json!("10"))
    );
    assert_eq!(
        body["totals"][0]["state"], "sealed",
        "sealed with the last day of October"
    );
}
