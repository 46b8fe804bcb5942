use crate::handler::{Adapters, handle};
use aws_lambda_events::event::sqs::SqsEvent;
use billing_store::{BillingStore, Reconciled, TenantRecord};
use contract::UsageWindow;
use kernel::TenantId;
use serde_json::Value;

const TENANT: &str = "0199a1f0-0000-7000-8000-000000000001";
const OTHER: &str = "0199a1f0-0000-7000-8000-000000000002";

async fn adapters() -> Adapters {
    let aws = testkit::aws().await;
    Adapters {
        store: BillingStore::new(&aws.config, testkit::table(&aws, false).await),
    }
}

fn case(name: &str) -> Value {
    let cases = testkit::cases("billing-ledger");
    cases
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

/// Runs a payload as Lambda does, and returns the ids of failed messages.
async fn run(adapters: &Adapters, payload: Value) -> Vec<String> {
    let event: SqsEvent = serde_json::from_value(payload).unwrap();
    let answer = handle(adapters, event).await.unwrap();
    answer
        .batch_item_failures
        .into_iter()
        .map(|failure| failure.item_identifier)
        .collect()
}

/// The ledger's record and windows of the first tenant.
async fn load(adapters: &Adapters) -> (TenantRecord, Vec<UsageWindow>) {
    let tenant: TenantId = TENANT.parse().unwrap();
    let record = adapters.store.load_tenant(tenant).await.unwrap();
    (
        record,
        adapters
            .store
            .load_windows(tenant, "2026-10".parse().unwrap())
            .await
            .unwrap(),
    )
}

#[tokio::test]
async fn every_case_is_recorded_except_for_its_invalid_message() {
    let adapters = adapters().await;
    for case in testkit::cases("billing-ledger") {
        let failed = run(&adapters, case.payload.clone()).await;
        let expected: &[&str] = match case.name.as_str() {
            "invalid-no-json"
            | "invalid-detail"
            | "invalid-source"
            | "invalid-seal"
            | "invalid-seal-stream"
            | "invalid-end"
            | "invalid-end-stream" => &["059f36b4-87a3-44ab-83d2-661970000000"],
            "invalid-other-event" | "invalid-stream" => &["059f36b4-87a3-44ab-83d2-661970000001"],
            _ => &[],
        };
        assert_eq!(
            case.is_valid(),
            expected.is_empty(),
            "{} is valid or invalid as its name says",
            case.name
        );
        assert_eq!(failed, expected, "{}", case.name);
    }
    let other = adapters
        .store
        .load_tenant(OTHER.parse().unwrap())
        .await
        .unwrap();
    assert_eq!(other.account.unwrap().changes.len(), 1);
    assert_eq!(other.received, []);
}

#[tokio::test]
async fn order_and_repetition_do_not_matter() {
    let (in_order, shuffled) = (adapters().await, adapters().await);
    run(&in_order, case("valid-status-and-usage")).await;
    run(&shuffled, case("valid-duplicate-and-reordered")).await;
    let (record, windows) = load(&in_order).await;
    assert_eq!(record.missing_reports(), 0);
    let values: Vec<String> = windows
        .iter()
        .map(|window| format!("{} {}", window.meter, window.value))
        .collect();
    assert_eq!(
        values,
        [
            "api-calls 1600",
            "storage-gb 2.5",
            "api-calls 1401",
            "storage-gb 3"
        ]
    );
    assert_eq!((record, windows), load(&shuffled).await);
}

#[tokio::test]
async fn a_batch_at_two_functions_at_once_is_recorded_once() {
    let adapters = adapters().await;
    let both = [
        case("valid-status-and-usage"),
        case("valid-duplicate-and-reordered"),
    ];
    let [first, second] = both.map(|payload| run(&adapters, payload));
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first, second), (vec![], vec![]));
    let (record, windows) = load(&adapters).await;
    assert_eq!(
        (
            record.account.unwrap().changes.len(),
            record.received[0].received.contiguous,
            windows.len()
        ),
        (2, 2, 4)
    );
}

#[tokio::test]
async fn a_retry_after_a_kill_between_windows_and_report_completes_the_report() {
    let adapters = adapters().await;
    let payload = case("valid-status-and-usage");
    let body: Value =
        serde_json::from_str(payload["Records"][2]["body"].as_str().unwrap()).unwrap();
    let usage = serde_json::from_value(body["detail"]["data"].clone()).unwrap();
    adapters.store.record_windows(&usage).await.unwrap();
    assert_eq!(run(&adapters, payload).await, [""; 0]);
    let (record, windows) = load(&adapters).await;
    assert_eq!(
        (record.received[0].received.contiguous, windows.len()),
        (2, 4)
    );
}

#[tokio::test]
async fn a_seal_that_overtakes_its_totals_is_listed_until_it_is_reconciled() {
    let adapters = adapters().await;
    assert_eq!(run(&adapters, case("valid-sealed")).await, [""; 0]);
    let (record, windows) = load(&adapters).await;
    assert_eq!(
        (record.missing_reports(), windows.len()),
        (0, 4),
        "a seal is a report, too, but has no totals"
    );
    let unreconciled = adapters.store.load_unreconciled().await.unwrap();
    let subjects: Vec<String> = unreconciled
        .iter()
        .map(|unreconciled| unreconciled.subject.to_string())
        .collect();
    assert_eq!(subjects, [format!("{TENANT}/day/2026-10-03T00:00:00Z")]);
    let result = adapters
        .store
        .reconcile(&unreconciled[0].subject, unreconciled[0].due_at, |_| {
            panic!("no day is requested again")
        })
        .await;
    assert_eq!(result.unwrap(), Reconciled::default());
    assert_eq!(adapters.store.load_unreconciled().await.unwrap(), []);
    assert_eq!(run(&adapters, case("valid-sealed")).await, [""; 0]);
    assert_eq!(
        adapters.store.load_unreconciled().await.unwrap(),
        [],
        "a repetition changes nothing"
    );
}

#[tokio::test]
async fn the_end_of_the_stream_shows_missing_reports() {
    let adapters = adapters().await;
    for _ in 0..2 {
        assert_eq!(run(&adapters, case("valid-end")).await, [""; 0]);
        let (record, windows) = load(&adapters).await;
        assert_eq!(
            (record.missing_reports(), windows.len()),
            (2, 2),
            "the second and the third of four are missing"
        );
        assert_eq!(
            record.received[0].sealed_until,
            Some("2026-10-04T00:00:00Z".parse().unwrap())
        );
        let unreconciled = adapters.store.load_unreconciled().await.unwrap();
        let subjects: Vec<String> = unreconciled
            .iter()
            .map(|unreconciled| unreconciled.subject.to_string())
            .collect();
        assert_eq!(subjects, [format!("{TENANT}/reports/eu-central-1")]);
    }
    assert_eq!(run(&adapters, case("valid-sealed")).await, [""; 0]);
    let (record, _) = load(&adapters).await;
    assert_eq!(
        (record.missing_reports(), record.received[0].retry),
        (0, None),
        "the missing reports have arrived"
    );
}
