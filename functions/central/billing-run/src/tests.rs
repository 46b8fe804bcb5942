use crate::adapters::Adapters;
use crate::handler::handle;
use crate::requests::InvoiceQueue;
use billing::{
    Billability, Billing, DisclosureThreshold, InvoiceRequest, Run, decide_issue, plan_invoice,
    total_usage,
};
use billing_store::{BillingStore, Recorded};
use catalogue::Catalogue;
use contract::{TenantStatusChanged, UsageWindow, UsageWindowUpdated, WindowPart};
use kernel::{
    BillingPeriod, Mode, StatusReason, TenantId, TenantStatus, Timestamp, UsageGroup, WindowSize,
};
use runtime::Scheduled;
use std::collections::BTreeMap;

struct Fixture {
    adapters: Adapters,
    queues: aws_sdk_sqs::Client,
    url: String,
}

async fn fixture() -> Fixture {
    let aws = testkit::aws().await;
    let url = testkit::queue(&aws).await;
    let adapters = Adapters {
        store: BillingStore::new(&aws.config, testkit::table(&aws, false).await),
        requests: InvoiceQueue::new(&aws.config, url.clone()),
        catalogue: Catalogue::bundled().unwrap(),
    };
    Fixture {
        adapters,
        queues: aws_sdk_sqs::Client::new(&aws.config),
        url,
    }
}

fn tenant(n: u8) -> TenantId {
    format!("0199a1f0-0000-7000-8000-0000000000{n:02x}")
        .parse()
        .unwrap()
}

fn period() -> BillingPeriod {
    "2026-10".parse().unwrap()
}

fn schedule(name: &str) -> Scheduled {
    let case = testkit::cases("billing-run")
        .into_iter()
        .find(|case| case.name == name)
        .unwrap();
    serde_json::from_value(case.payload).unwrap()
}

impl Fixture {
    async fn record(&self, n: u8, revision: u64, status: TenantStatus, at: &str) {
        let event = TenantStatusChanged {
            tenant: tenant(n),
            alias: "a2b3c4d5e6f7".parse().unwrap(),
            plan: "starter".parse().unwrap(),
            status,
            reason: StatusReason::Operator,
            revision,
        };
        let at: Timestamp = at.parse().unwrap();
        self.adapters
            .store
            .record_status(&event, &"eu-central-1".parse().unwrap(), at)
            .await
            .unwrap();
    }

    /// Records usage of a meter on the second day of a month with a number of events.
    async fn use_meter(&self, n: u8, meter: &str, month: &str, events: u64) {
        let window = UsageWindow {
            meter: meter.parse().unwrap(),
            group: UsageGroup::default(),
            size: WindowSize::Day,
            start: format!("{month}-02T00:00:00Z").parse().unwrap(),
            part: WindowPart::Window,
            value: events.into(),
            events: i64::try_from(events).unwrap(),
            latest_at: None,
            revision: events,
        };
        let usage = UsageWindowUpdated {
            tenant: tenant(n),
            windows: vec![window],
        };
        self.adapters.store.record_windows(&usage).await.unwrap();
    }

    /// Issues a tenant's invoice from the current ledger.
    async fn issue(&self, n: u8, month: &str) {
        let Adapters {
            store, catalogue, ..
        } = &self.adapters;
        let (tenant, period) = (tenant(n), month.parse().unwrap());
        let windows = store.load_windows(tenant, period).await.unwrap();
        let (usage, plan) = (
            total_usage(catalogue, &windows).unwrap(),
            "starter".parse().unwrap(),
        );
        let billability = Billability::InUse(&plan);
        let billing = Billing {
            catalogue,
            tenant,
            period,
            billability,
            usage: &usage,
            earlier: &[],
            missing_reports: 0,
        };
        let draft = plan_invoice(billing).unwrap();
        let held = store.load_run(period).await.unwrap();
        if held.is_none() {
            assert!(
                store
                    .record_run(None, &Run::new(period, period.end(), 9))
                    .await
                    .unwrap()
            );
        }
        let request = InvoiceRequest { tenant, period };
        let context = store
            .load_issue_context(request, &"meridian".parse().unwrap())
            .await
            .unwrap();
        let run = context.run.clone().unwrap().run;
        let disclosure = DisclosureThreshold {
            mode: Mode::Shared,
            tenants_min: 5,
        };
        let issue = decide_issue(draft, run, context.next_number(), disclosure);
        assert_eq!(
            store.record_issue(&context, &issue, None).await.unwrap(),
            Recorded::Done
        );
    }

    async fn run(&self) -> Run {
        self.adapters
            .store
            .load_run(period())
            .await
            .unwrap()
            .unwrap()
            .run
    }

    /// The number of requests for each tenant since the last call.
    async fn requested(&self) -> BTreeMap<TenantId, u32> {
        let mut requested = BTreeMap::new();
        loop {
            let received = self
                .queues
                .receive_message()
                .queue_url(&self.url)
                .max_number_of_messages(10)
                .send()
                .await;
            let received = received.unwrap();
            if received.messages().is_empty() {
                return requested;
            }
            for message in received.messages() {
                let request: InvoiceRequest =
                    serde_json::from_str(message.body().unwrap()).unwrap();
                assert_eq!(request.period, period());
                *requested.entry(request.tenant).or_default() += 1;
                let handle = message.receipt_handle().unwrap();
                self.queues
                    .delete_message()
                    .queue_url(&self.url)
                    .receipt_handle(handle)
                    .send()
                    .await
                    .unwrap();
            }
        }
    }
}

#[tokio::test]
async fn every_case_starts_a_run_or_is_not_a_schedule() {
    let fixture = fixture().await;
    for case in testkit::cases("billing-run") {
        let event = serde_json::from_value::<Scheduled>(case.payload.clone());
        assert_eq!(event.is_ok(), case.is_valid(), "{}", case.name);
        if let Ok(event) = event {
            handle(&fixture.adapters, event).await.unwrap();
            assert_eq!(fixture.run().await.expected, 0);
        }
    }
}

#[tokio::test]
async fn every_tenant_in_use_is_requested_once() {
    let fixture = fixture().await;
    for n in 0..25 {
        fixture
            .record(n, 1, TenantStatus::Active, "2026-10-07T00:00:00Z")
            .await;
    }
    fixture
        .record(30, 1, TenantStatus::Pending, "2026-10-07T00:00:00Z")
        .await;
    fixture
        .record(31, 1, TenantStatus::Closed, "2026-09-07T00:00:00Z")
        .await;
    fixture
        .record(32, 1, TenantStatus::Active, "2026-11-01T00:00:00Z")
        .await;
    handle(&fixture.adapters, schedule("valid-first-of-month"))
        .await
        .unwrap();
    assert_eq!(
        fixture.requested().await,
        (0..25).map(|n| (tenant(n), 1)).collect()
    );
    let run = fixture.run().await;
    assert_eq!(
        (run.expected, run.done, run.started_at.to_string()),
        (25, 0, "2026-11-01T14:00:00Z".to_owned())
    );
}

#[tokio::test]
async fn a_former_tenant_is_requested_only_for_late_usage() {
    let fixture = fixture().await;
    // Tenants 1 to 4 closed in September, and tenant 5 in July, which is too long ago to be
    // adjusted.
    for n in 1..=5 {
        fixture
            .record(n, 1, TenantStatus::Active, "2026-07-01T00:00:00Z")
            .await;
        let end = if n == 5 {
            "2026-07-20T00:00:00Z"
        } else {
            "2026-09-20T00:00:00Z"
        };
        fixture.record(n, 2, TenantStatus::Closed, end).await;
        let month = if n == 5 { "2026-07" } else { "2026-09" };
        fixture.use_meter(n, "storage-gb", month, 3).await;
        fixture.issue(n, month).await;
    }
    fixture.use_meter(2, "storage-gb", "2026-09", 4).await;
    // Neither usage after the end nor usage of a period too long ago is a reason for an invoice.
    fixture.use_meter(3, "storage-gb", "2026-10", 4).await;
    fixture.use_meter(5, "storage-gb", "2026-07", 4).await;
    // Usage of an unknown meter is requested: its invoice is refused later, and not the run.
    fixture.use_meter(4, "teleports", "2026-09", 1).await;
    handle(&fixture.adapters, schedule("valid-first-of-month"))
        .await
        .unwrap();
    assert_eq!(
        fixture.requested().await,
        BTreeMap::from([(tenant(2), 1), (tenant(4), 1)])
    );
    assert_eq!(fixture.run().await.expected, 2);
}

#[tokio::test]
async fn a_replay_requests_again_and_keeps_the_runs_clock() {
    let fixture = fixture().await;
    fixture
        .record(1, 1, TenantStatus::Active, "2026-10-07T00:00:00Z")
        .await;
    handle(&fixture.adapters, schedule("valid-first-of-month"))
        .await
        .unwrap();
    // A late change of October adds a tenant to the run; a change of November does not.
    fixture
        .record(2, 1, TenantStatus::Active, "2026-10-31T23:59:59Z")
        .await;
    fixture
        .record(3, 1, TenantStatus::Active, "2026-11-01T01:00:00Z")
        .await;
    handle(&fixture.adapters, schedule("valid-later-replay"))
        .await
        .unwrap();
    assert_eq!(
        fixture.requested().await,
        BTreeMap::from([(tenant(1), 2), (tenant(2), 1)])
    );
    let run = fixture.run().await;
    assert_eq!(
        (run.expected, run.started_at.to_string()),
        (2, "2026-11-01T14:00:00Z".to_owned())
    );
}

#[tokio::test]
async fn a_retry_after_a_kill_before_sending_completes_the_run() {
    let fixture = fixture().await;
    fixture
        .record(1, 1, TenantStatus::Active, "2026-10-07T00:00:00Z")
        .await;
    let event = schedule("valid-first-of-month");
    let recorded = Run::new(period(), event.time, 1);
    assert!(
        fixture
            .adapters
            .store
            .record_run(None, &recorded)
            .await
            .unwrap()
    );
    handle(&fixture.adapters, event).await.unwrap();
    assert_eq!(fixture.requested().await, BTreeMap::from([(tenant(1), 1)]));
    assert_eq!(fixture.run().await, recorded);
}

#[tokio::test]
async fn a_missing_queue_fails_the_invocation_and_a_retry_completes_the_run() {
    let fixture = fixture().await;
    fixture
        .record(1, 1, TenantStatus::Active, "2026-10-07T00:00:00Z")
        .await;
    let aws = testkit::aws().await;
    let store = fixture.adapters.store.clone();
    let requests = InvoiceQueue::new(&aws.config, format!("{}-gone", fixture.url));
    let catalogue = Catalogue::bundled().unwrap();
    let failure = handle(
        &Adapters {
            store,
            requests,
            catalogue,
        },
        schedule("valid-first-of-month"),
    )
    .await
    .unwrap_err();
    assert_eq!(failure.kind(), "BillingRunFailed");
    handle(&fixture.adapters, schedule("valid-first-of-month"))
        .await
        .unwrap();
    assert_eq!(fixture.requested().await.len(), 1);
}
