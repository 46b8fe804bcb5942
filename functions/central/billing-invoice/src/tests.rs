use crate::handler::{Adapters, handle};
use aws_lambda_events::event::sqs::SqsEvent;
use billing::{DisclosureThreshold, Invoice, Item, Run};
use billing_store::BillingStore;
use catalogue::Catalogue;
use contract::{
    Envelope, RegionBillingTotaled, TenantStatusChanged, UsageWindow, UsageWindowUpdated,
    WindowPart,
};
use futures::future::join_all;
use kernel::{
    BillingPeriod, Mode, StatusReason, TenantId, TenantStatus, Timestamp, UsageGroup, WindowSize,
};
use outbox::Outbox;
use serde_json::{Value, json};

const SOVEREIGN: DisclosureThreshold = DisclosureThreshold {
    mode: Mode::Sovereign,
    tenants_min: 3,
};

async fn adapters(disclosure: DisclosureThreshold) -> Adapters {
    let aws = testkit::aws().await;
    Adapters {
        store: BillingStore::new(&aws.config, testkit::table(&aws, false).await),
        outbox: Outbox::new(&aws.config, testkit::table(&aws, false).await),
        catalogue: Catalogue::bundled().unwrap(),
        legal_entity: "meridian".parse().unwrap(),
        region: "ap-south-1".parse().unwrap(),
        disclosure,
    }
}

fn tenant(n: u8) -> TenantId {
    format!("0199a1f0-0000-7000-8000-0000000000{n:02x}")
        .parse()
        .unwrap()
}

fn period(text: &str) -> BillingPeriod {
    text.parse().unwrap()
}

async fn activate(adapters: &Adapters, n: u8, plan: &str) {
    record(
        adapters,
        n,
        plan,
        (1, TenantStatus::Active, StatusReason::Confirmed),
        "2026-08-07T00:00:00Z",
    )
    .await;
}

async fn record(
    adapters: &Adapters,
    n: u8,
    plan: &str,
    change: (u64, TenantStatus, StatusReason),
    at: &str,
) {
    let (revision, status, reason) = change;
    let event = TenantStatusChanged {
        tenant: tenant(n),
        alias: "a2b3c4d5e6f7".parse().unwrap(),
        plan: plan.parse().unwrap(),
        status,
        reason,
        revision,
    };
    let at: Timestamp = at.parse().unwrap();
    adapters
        .store
        .record_status(&event, &"ap-south-1".parse().unwrap(), at)
        .await
        .unwrap();
}

/// Records usage of a meter on the second day of a month.
async fn use_meter(adapters: &Adapters, n: u8, month: &str, gigabytes: &str, revision: u64) {
    let window = UsageWindow {
        meter: "storage-gb".parse().unwrap(),
        group: UsageGroup::default(),
        size: WindowSize::Day,
        start: format!("{month}-02T00:00:00Z").parse().unwrap(),
        part: WindowPart::Window,
        value: gigabytes.parse().unwrap(),
        events: i64::try_from(revision).unwrap(),
        latest_at: None,
        revision,
    };
    let usage = UsageWindowUpdated {
        tenant: tenant(n),
        windows: vec![window],
    };
    adapters.store.record_windows(&usage).await.unwrap();
}

async fn start_run(adapters: &Adapters, month: &str, expected: u64) {
    let started_at = period(month).end();
    assert!(
        adapters
            .store
            .record_run(None, &Run::new(period(month), started_at, expected))
            .await
            .unwrap()
    );
}

fn batch(month: &str, tenants: &[u8]) -> Value {
    let record = |(index, n): (usize, &u8)| json!({ "messageId": format!("m{index}"), "body": json!({ "tenant": tenant(*n), "period": month }).to_string() });
    json!({ "Records": tenants.iter().enumerate().map(record).collect::<Vec<_>>() })
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

async fn invoice(adapters: &Adapters, n: u8, month: &str) -> Invoice {
    adapters
        .store
        .load_invoice(tenant(n), period(month))
        .await
        .unwrap()
        .unwrap()
}

async fn numbers(adapters: &Adapters, month: &str) -> Vec<u64> {
    let page = adapters
        .store
        .load_invoices(period(month), None, 100)
        .await
        .unwrap();
    page.invoices
        .iter()
        .map(|invoice| invoice.number.number)
        .collect()
}

async fn published_totals(adapters: &Adapters) -> Vec<Envelope<RegionBillingTotaled>> {
    let rows = adapters
        .outbox
        .unpublished(Timestamp::MAX, 100)
        .await
        .unwrap();
    rows.iter()
        .map(|row| serde_json::from_str(&row.detail).unwrap())
        .collect()
}

#[tokio::test]
async fn every_case_is_issued_except_for_its_invalid_message() {
    for case in testkit::cases("billing-invoice") {
        let adapters = adapters(SOVEREIGN).await;
        for n in [1, 2] {
            activate(&adapters, n, "starter").await;
        }
        start_run(&adapters, "2026-10", 2).await;
        let failed = run(&adapters, case.payload.clone()).await;
        let expected: &[&str] = if case.is_valid() {
            &[]
        } else {
            &["059f36b4-87a3-44ab-83d2-661970000000"]
        };
        assert_eq!(failed, expected, "{}", case.name);
        assert_eq!(numbers(&adapters, "2026-10").await[0], 1, "{}", case.name);
    }
}

#[tokio::test]
async fn an_invoice_bills_the_ledger_and_records_missing_reports() {
    let adapters = adapters(SOVEREIGN).await;
    activate(&adapters, 1, "starter").await;
    use_meter(&adapters, 1, "2026-10", "12.5", 4).await;
    adapters
        .store
        .record_received(tenant(1), &adapters.region, 2, runtime::now())
        .await
        .unwrap();
    start_run(&adapters, "2026-10", 1).await;
    assert_eq!(run(&adapters, batch("2026-10", &[1])).await, [""; 0]);
    let invoice = invoice(&adapters, 1, "2026-10").await;
    assert_eq!(invoice.draft.total.to_string(), "20.25 USD");
    assert_eq!(
        (invoice.draft.events, invoice.draft.missing_reports),
        (4, 1)
    );
    assert_eq!(invoice.issued_at.to_string(), "2026-11-01T00:00:00Z");
}

/// Of four tenants one has the greatest possible usage and one the least: each gets its invoice,
/// and the run is completed.
#[tokio::test]
async fn no_amount_prevents_an_invoice() {
    let adapters = adapters(SOVEREIGN).await;
    let finest = format!("0.{}1", "0".repeat(339));
    for (n, gigabytes) in (1..).zip(["9".repeat(57).as_str(), "12.5", "12.5", &finest]) {
        activate(&adapters, n, "starter").await;
        use_meter(&adapters, n, "2026-10", gigabytes, 1).await;
    }
    start_run(&adapters, "2026-10", 4).await;
    assert_eq!(
        run(&adapters, batch("2026-10", &[1, 2, 3, 4])).await,
        [""; 0]
    );
    // (10^57 - 1) GB at 0.10, and the fee.
    assert_eq!(
        invoice(&adapters, 1, "2026-10")
            .await
            .draft
            .total
            .to_string(),
        format!("100{}18.90 USD", "0".repeat(52))
    );
    for n in [2, 3] {
        assert_eq!(
            invoice(&adapters, n, "2026-10")
                .await
                .draft
                .total
                .to_string(),
            "20.25 USD"
        );
    }
    assert_eq!(
        invoice(&adapters, 4, "2026-10")
            .await
            .draft
            .total
            .to_string(),
        "19.00 USD"
    );
    let totals = published_totals(&adapters).await[0].data.totals[0].to_string();
    assert_eq!(totals, format!("100{}78.40 USD", "0".repeat(52)));
}

#[tokio::test]
async fn late_usage_is_billed_by_the_next_invoice() {
    let adapters = adapters(SOVEREIGN).await;
    activate(&adapters, 1, "starter").await;
    for month in ["2026-08", "2026-09", "2026-10"] {
        start_run(&adapters, month, 1).await;
    }
    use_meter(&adapters, 1, "2026-08", "10", 1).await;
    run(&adapters, batch("2026-08", &[1])).await;
    use_meter(&adapters, 1, "2026-08", "20", 2).await;
    run(&adapters, batch("2026-09", &[1])).await;
    use_meter(&adapters, 1, "2026-08", "25", 5).await;
    run(&adapters, batch("2026-10", &[1])).await;
    let mut totals = vec![];
    for month in ["2026-08", "2026-09", "2026-10"] {
        let draft = invoice(&adapters, 1, month).await.draft;
        let adjusts = draft
            .lines
            .iter()
            .filter(|line| matches!(line.item, Item::Adjustment(_)))
            .count();
        totals.push((draft.total.to_string(), draft.events, adjusts));
    }
    let expected = [
        ("20.00 USD", 1, 0),
        ("20.00 USD", 1, 1),
        ("19.50 USD", 3, 1),
    ];
    assert_eq!(
        totals,
        expected.map(|(total, events, adjusts)| (total.to_owned(), events, adjusts))
    );
}

#[tokio::test]
async fn late_usage_of_a_closed_tenant_is_billed_without_a_fee() {
    let adapters = adapters(SOVEREIGN).await;
    activate(&adapters, 1, "starter").await;
    let closed = (2, TenantStatus::Closed, StatusReason::GraceEnded);
    record(&adapters, 1, "starter", closed, "2026-08-20T00:00:00Z").await;
    for month in ["2026-08", "2026-09", "2026-10", "2026-11"] {
        start_run(&adapters, month, 1).await;
    }
    use_meter(&adapters, 1, "2026-08", "10", 1).await;
    assert_eq!(run(&adapters, batch("2026-08", &[1])).await, [""; 0]);
    assert_eq!(run(&adapters, batch("2026-09", &[1])).await, ["m0"]);
    use_meter(&adapters, 1, "2026-08", "20", 2).await;
    for _ in 0..2 {
        assert_eq!(run(&adapters, batch("2026-09", &[1])).await, [""; 0]);
    }
    assert_eq!(run(&adapters, batch("2026-10", &[1])).await, ["m0"]);
    use_meter(&adapters, 1, "2026-08", "25", 5).await;
    assert_eq!(run(&adapters, batch("2026-10", &[1])).await, [""; 0]);
    use_meter(&adapters, 1, "2026-08", "30", 6).await;
    assert_eq!(run(&adapters, batch("2026-11", &[1])).await, ["m0"]);
    for (month, number, total, events) in [
        ("2026-08", 1, "20.00 USD", 1),
        ("2026-09", 2, "1.00 USD", 1),
        ("2026-10", 3, "0.50 USD", 3),
    ] {
        let Invoice {
            number: given,
            draft,
            ..
        } = invoice(&adapters, 1, month).await;
        assert_eq!(
            (given.number, draft.total.to_string(), draft.events),
            (number, total.to_owned(), events)
        );
    }
}

#[tokio::test]
async fn the_same_message_eight_times_at_once_makes_one_invoice() {
    let adapters = adapters(SOVEREIGN).await;
    for n in 1..=3 {
        activate(&adapters, n, "starter").await;
    }
    start_run(&adapters, "2026-10", 3).await;
    let batches: Vec<_> = (0..8)
        .map(|_| batch("2026-10", &[1]))
        .chain([batch("2026-10", &[2, 3])])
        .collect();
    let failed = join_all(batches.into_iter().map(|batch| run(&adapters, batch))).await;
    assert!(failed.iter().all(Vec::is_empty), "{failed:?}");
    assert_eq!(numbers(&adapters, "2026-10").await, [1, 2, 3]);
    let run = adapters
        .store
        .load_run(period("2026-10"))
        .await
        .unwrap()
        .unwrap()
        .run;
    assert_eq!((run.done, run.completed), (3, true));
    assert_eq!(published_totals(&adapters).await.len(), 1);
}

#[tokio::test]
async fn a_sovereign_region_publishes_its_totals_once_and_only_of_enough_tenants() {
    let adapters = adapters(SOVEREIGN).await;
    for (n, plan) in [(1, "starter"), (2, "starter"), (3, "pro"), (4, "pro-in")] {
        activate(&adapters, n, plan).await;
    }
    start_run(&adapters, "2026-10", 4).await;
    assert_eq!(run(&adapters, batch("2026-10", &[1, 4, 2])).await, [""; 0]);
    assert_eq!(published_totals(&adapters).await, []);
    for _ in 0..2 {
        assert_eq!(run(&adapters, batch("2026-10", &[3, 1])).await, [""; 0]);
    }
    let [totals_event] = &published_totals(&adapters).await[..] else {
        panic!("not exactly one totals event")
    };
    assert_eq!((totals_event.sequence, totals_event.data.invoices), (1, 3));
    assert_eq!(
        totals_event
            .data
            .totals
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>(),
        ["137.00 USD"]
    );

    start_run(&adapters, "2026-11", 3).await;
    assert_eq!(run(&adapters, batch("2026-11", &[1, 2, 3])).await, [""; 0]);
    let mut sequences: Vec<_> = published_totals(&adapters)
        .await
        .iter()
        .map(|totals_event| totals_event.sequence)
        .collect();
    sequences.sort_unstable();
    assert_eq!(sequences, [1, 2]);
}

#[tokio::test]
async fn home_and_too_few_tenants_publish_no_totals() {
    for disclosure in [
        DisclosureThreshold {
            mode: Mode::Shared,
            tenants_min: 1,
        },
        SOVEREIGN,
    ] {
        let adapters = adapters(disclosure).await;
        for n in 1..=2 {
            activate(&adapters, n, "starter").await;
        }
        start_run(&adapters, "2026-10", 2).await;
        run(&adapters, batch("2026-10", &[1, 2])).await;
        assert!(
            adapters
                .store
                .load_run(period("2026-10"))
                .await
                .unwrap()
                .unwrap()
                .run
                .completed
        );
        assert_eq!(published_totals(&adapters).await, []);
    }
}

#[tokio::test]
async fn a_run_that_shrank_is_completed_by_a_repeated_message() {
    let adapters = adapters(SOVEREIGN).await;
    for n in 1..=3 {
        activate(&adapters, n, "starter").await;
    }
    start_run(&adapters, "2026-10", 4).await;
    run(&adapters, batch("2026-10", &[1, 2, 3])).await;
    assert_eq!(published_totals(&adapters).await, []);
    let held = adapters
        .store
        .load_run(period("2026-10"))
        .await
        .unwrap()
        .unwrap();
    let shrunk = Run {
        expected: 3,
        ..held.run.clone()
    };
    assert!(
        adapters
            .store
            .record_run(Some(&held), &shrunk)
            .await
            .unwrap()
    );
    let repeated = (0..4).map(|_| run(&adapters, batch("2026-10", &[2])));
    assert!(join_all(repeated).await.iter().all(Vec::is_empty));
    assert_eq!(published_totals(&adapters).await.len(), 1);
}

#[tokio::test]
async fn a_tenant_that_was_not_in_use_is_not_billed() {
    let adapters = adapters(SOVEREIGN).await;
    activate(&adapters, 1, "starter").await;
    start_run(&adapters, "2026-07", 1).await;
    assert_eq!(run(&adapters, batch("2026-07", &[1])).await, ["m0"]);
    assert_eq!(numbers(&adapters, "2026-07").await, [0; 0]);
}
