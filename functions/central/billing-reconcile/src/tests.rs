use crate::handler::{Adapters, handle};
use aws_sdk_dynamodb::types::AttributeValue;
use billing::{IncidentKind, REPORTED_DAYS_MAX};
use billing_store::{BillingStore, TimeSlot};
use contract::{
    BusEvent, Envelope, SealDigest, Stream, TenantStatusChanged, UsageResendRequested, UsageSealed,
    UsageStreamEndReported, UsageStreamRequested, UsageWindow, UsageWindowUpdated, WindowPart,
};
use jiff::SignedDuration;
use kernel::{RegionCode, StatusReason, TenantId, TenantStatus, Timestamp, UsageGroup, WindowSize};
use outbox::{Outbox, Row, Target};
use runtime::Scheduled;
use serde_json::json;
use testkit::LocalAws;

const DAY: &str = "2026-10-05T00:00:00Z";

async fn adapters() -> Adapters {
    let aws = testkit::aws().await;
    adapters_over(&aws, testkit::table(&aws, false).await).await
}

async fn adapters_over(aws: &LocalAws, billing_table: String) -> Adapters {
    Adapters {
        store: BillingStore::new(&aws.config, billing_table),
        outbox: Outbox::new(&aws.config, testkit::table(aws, false).await),
        region: "eu-central-1".parse().unwrap(),
    }
}

fn tenant(n: u8) -> TenantId {
    format!("0199a1f0-0000-7000-8000-0000000000{n:02x}")
        .parse()
        .unwrap()
}

fn at(text: &str) -> Timestamp {
    format!("2026-10-{text}Z").parse().unwrap()
}

fn total(value: u64) -> UsageWindow {
    UsageWindow {
        meter: "api-calls".parse().unwrap(),
        group: UsageGroup::default(),
        size: WindowSize::Day,
        start: DAY.parse().unwrap(),
        part: WindowPart::Window,
        value: value.into(),
        events: i64::try_from(value).unwrap(),
        latest_at: None,
        revision: 1,
    }
}

fn sealed(n: u8, region: &str, sequence: u64, totals: &[UsageWindow]) -> Envelope<UsageSealed> {
    Envelope {
        id: "0199a1f0-0000-7000-8000-ffff00000001".parse().unwrap(),
        region: region.parse().unwrap(),
        stream: Stream::Usage(tenant(n)),
        sequence,
        occurred_at: at("09T07:00:00"),
        data: UsageSealed {
            tenant: tenant(n),
            day: DAY.parse().unwrap(),
            totals: totals.len() as u64,
            digest: SealDigest::of(totals),
        },
    }
}

impl Adapters {
    /// Records totals and a seal under the first two numbers of the tenant's usage, each only if it
    /// arrives.
    async fn record(
        &self,
        n: u8,
        region: &str,
        totals: Option<UsageWindow>,
        seal: &Envelope<UsageSealed>,
    ) {
        let code: RegionCode = region.parse().unwrap();
        if let Some(total) = totals {
            let usage = UsageWindowUpdated {
                tenant: tenant(n),
                windows: vec![total],
            };
            self.store.record_windows(&usage).await.unwrap();
            self.store
                .record_received(tenant(n), &code, 1, seal.occurred_at)
                .await
                .unwrap();
        }
        self.store
            .record_sealed(seal, seal.occurred_at)
            .await
            .unwrap();
        self.store
            .record_received(tenant(n), &code, seal.sequence, seal.occurred_at)
            .await
            .unwrap();
    }

    async fn record_account(&self, n: u8) {
        self.record_status(
            n,
            1,
            TenantStatus::Active,
            "eu-central-1",
            at("01T00:00:00"),
        )
        .await;
    }

    async fn record_status(
        &self,
        n: u8,
        revision: u64,
        status: TenantStatus,
        region: &str,
        at: Timestamp,
    ) {
        let event = TenantStatusChanged {
            tenant: tenant(n),
            alias: "a2b3c4d5e6f7".parse().unwrap(),
            plan: "starter".parse().unwrap(),
            status,
            reason: StatusReason::Provisioned,
            revision,
        };
        self.store
            .record_status(&event, &region.parse().unwrap(), at)
            .await
            .unwrap();
    }

    async fn run(&self, time: Timestamp) {
        let event = json!({ "time": time, "detail-type": "Scheduled Event" });
        handle(self, serde_json::from_value::<Scheduled>(event).unwrap())
            .await
            .unwrap();
    }

    /// The requests so far, in order: tenant, addressed region, number, bus.
    async fn requests(&self) -> Vec<(TenantId, String, u64, Target)> {
        let rows = self
            .outbox
            .unpublished(Timestamp::MAX, 1_000)
            .await
            .unwrap();
        let mut requests: Vec<_> = rows
            .iter()
            .filter(|row| row.detail_type == UsageResendRequested::TYPE)
            .map(|row| {
                let event: Envelope<UsageResendRequested> =
                    serde_json::from_str(&row.detail).unwrap();
                (
                    event.data.tenant,
                    event.region.to_string(),
                    event.sequence,
                    row.target,
                )
            })
            .collect();
        requests.sort_by_key(|(tenant, _, number, _)| (*tenant, *number));
        requests
    }

    /// The requests for ends of streams so far, in order: tenant, addressed region, number, bus.
    async fn requested_ends(&self) -> Vec<(TenantId, String, u64, Target)> {
        let rows = self
            .outbox
            .unpublished(Timestamp::MAX, 1_000)
            .await
            .unwrap();
        let of_ends = rows
            .iter()
            .filter(|row| row.detail_type == UsageStreamRequested::TYPE);
        let request = |row: &Row| {
            let event: Envelope<UsageStreamRequested> = serde_json::from_str(&row.detail).unwrap();
            assert_eq!(
                (event.stream, row.source.as_str()),
                (Stream::Usage(event.data.tenant), "meridian.billing")
            );
            (
                event.data.tenant,
                event.region.to_string(),
                event.sequence,
                row.target,
            )
        };
        let mut requested: Vec<_> = of_ends.map(request).collect();
        requested.sort_by_key(|(tenant, region, number, _)| (*tenant, region.clone(), *number));
        requested
    }

    async fn raised(&self) -> Vec<(TenantId, IncidentKind)> {
        let unreconciled = self.store.load_unreconciled().await.unwrap();
        let incidents = unreconciled
            .into_iter()
            .filter_map(|unreconciled| unreconciled.incident);
        incidents
            .map(|incident| (incident.tenant, incident.kind))
            .collect()
    }
}

#[tokio::test]
async fn every_case_is_a_run() {
    for case in testkit::cases("billing-reconcile") {
        let event = serde_json::from_value::<Scheduled>(case.payload.clone());
        assert_eq!(event.is_ok(), case.is_valid(), "{}", case.name);
        if let Ok(event) = event {
            handle(&adapters().await, event).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_ledger_that_agrees_with_its_seals_requests_nothing() {
    let adapters = adapters().await;
    adapters
        .record(
            1,
            "eu-central-1",
            Some(total(3)),
            &sealed(1, "eu-central-1", 2, &[total(3)]),
        )
        .await;
    adapters.run(at("09T12:00:00")).await;
    assert_eq!(
        (adapters.requests().await, adapters.raised().await),
        (vec![], vec![])
    );
    assert_eq!(adapters.store.load_unreconciled().await.unwrap(), []);
}

#[tokio::test]
async fn a_lost_total_is_requested_until_it_arrives() {
    let adapters = adapters().await;
    adapters
        .record(
            1,
            "us-east-1",
            None,
            &sealed(1, "us-east-1", 2, &[total(3)]),
        )
        .await;
    adapters.run(at("09T07:10:00")).await;
    assert_eq!(
        adapters.requests().await,
        [],
        "the report may be on its way"
    );
    adapters.run(at("09T07:15:00")).await;
    adapters.run(at("09T07:15:00")).await;
    let requested = adapters.requests().await;
    assert_eq!(
        requested.len(),
        1 + REPORTED_DAYS_MAX,
        "the day itself, and all days that the missing report may cover"
    );
    let expected = (tenant(1), "us-east-1".to_owned(), 1, Target::Home);
    assert!(
        requested.iter().all(|request| *request == expected),
        "{requested:?}"
    );

    let again = sealed(1, "us-east-1", 4, &[total(3)]);
    let usage = UsageWindowUpdated {
        tenant: tenant(1),
        windows: vec![total(3)],
    };
    adapters.store.record_windows(&usage).await.unwrap();
    adapters.record(1, "us-east-1", None, &again).await;
    adapters
        .store
        .record_received(tenant(1), &again.region, 3, at("09T07:20:00"))
        .await
        .unwrap();
    adapters.run(at("09T12:00:00")).await;
    assert_eq!(
        adapters.store.load_unreconciled().await.unwrap(),
        [],
        "the totals of the lost report are there"
    );
    assert_eq!(
        adapters
            .store
            .load_tenant(tenant(1))
            .await
            .unwrap()
            .missing_reports(),
        0
    );
}

#[tokio::test]
async fn an_unanswered_request_becomes_an_incident_and_the_own_region_is_requested_on_its_own_bus()
{
    let adapters = adapters().await;
    let seal = sealed(1, "eu-central-1", 2, &[total(3)]);
    adapters
        .record(1, "eu-central-1", Some(total(4)), &seal)
        .await;
    for quarter in 0..=16 {
        adapters
            .run(at("09T07:00:00") + SignedDuration::from_mins(15 * quarter))
            .await;
    }
    let requested: Vec<_> = (1..=4)
        .map(|n| (tenant(1), "eu-central-1".to_owned(), n, Target::Regional))
        .collect();
    assert_eq!(adapters.requests().await, requested);
    assert_eq!(
        adapters.raised().await,
        [(tenant(1), IncidentKind::TotalsDiffer)]
    );
}

/// A malformed seal makes the run fail after all others were reconciled.
#[tokio::test]
async fn a_failed_subject_does_not_block_others() {
    let aws = testkit::aws().await;
    let table = testkit::table(&aws, false).await;
    let adapters = adapters_over(&aws, table.clone()).await;
    for n in 1..=3 {
        adapters
            .record(
                n,
                "eu-central-1",
                Some(total(4)),
                &sealed(n, "eu-central-1", 2, &[total(3)]),
            )
            .await;
    }
    let text = |text: String| AttributeValue::S(text);
    let spoil = aws_sdk_dynamodb::Client::new(&aws.config)
        .update_item()
        .table_name(table);
    let spoil = spoil
        .key("pk", text(format!("LEDGER#{}#2026-10", tenant(2))))
        .key("sk", text(format!("SEAL#{DAY}")));
    let spoil = spoil
        .update_expression("SET digest = :none")
        .expression_attribute_values(":none", text(String::new()));
    spoil
        .condition_expression("attribute_exists(pk)")
        .send()
        .await
        .unwrap();

    let event = json!({ "time": at("09T07:15:00"), "detail-type": "Scheduled Event" });
    let failure = handle(
        &adapters,
        serde_json::from_value::<Scheduled>(event).unwrap(),
    )
    .await
    .unwrap_err();
    assert_eq!(failure.kind(), "LedgerNotReconciled");
    let requested: Vec<_> = adapters
        .requests()
        .await
        .into_iter()
        .map(|(tenant, ..)| tenant)
        .collect();
    assert_eq!(requested, [tenant(1), tenant(3)]);
}

/// A later difference is found within a day, by the one run that compares the tenant's days.
#[tokio::test]
async fn every_sealed_day_is_compared_once_a_day() {
    let adapters = adapters().await;
    for n in [1, 2] {
        adapters.record_account(n).await;
        adapters
            .record(
                n,
                "eu-central-1",
                Some(total(3)),
                &sealed(n, "eu-central-1", 2, &[total(3)]),
            )
            .await;
        let changed = UsageWindow {
            revision: 2,
            ..total(5)
        };
        let usage = UsageWindowUpdated {
            tenant: tenant(n),
            windows: vec![changed],
        };
        adapters.store.record_windows(&usage).await.unwrap();
    }
    let compared = async |now: Timestamp| {
        let accounts = adapters
            .store
            .load_accounts_of(TimeSlot::at(now))
            .await
            .unwrap();
        adapters
            .due(&accounts, now)
            .await
            .unwrap()
            .into_iter()
            .map(|subject| subject.tenant())
    };
    let mut found = Vec::new();
    for quarter in 0..96 {
        let now = at("10T00:00:00") + SignedDuration::from_mins(15 * quarter);
        found.extend(compared(now).await.map(|tenant| (quarter, tenant)));
    }
    assert_eq!(found, [(1, tenant(1)), (2, tenant(2))]);
    assert_eq!(
        compared("2026-11-30T00:15:00Z".parse().unwrap())
            .await
            .count(),
        1,
        "in the next month, too"
    );
    assert_eq!(
        compared("2026-12-01T00:15:00Z".parse().unwrap())
            .await
            .count(),
        0
    );
    adapters.run(at("10T00:15:00")).await;
    assert_eq!(adapters.store.load_unreconciled().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_end_of_a_stream_is_requested_once_a_day_from_every_region_that_may_publish_usage() {
    let adapters = adapters().await;
    let month = |month: u8, day: u8| {
        format!("2026-{month:02}-{day:02}T00:00:00Z")
            .parse::<Timestamp>()
            .unwrap()
    };
    // The first tenant lives at home, the second in another region. The third moved, the fourth
    // left long ago, the fifth never became active, and the sixth left lately.
    adapters
        .record_status(1, 1, TenantStatus::Active, "eu-central-1", month(3, 1))
        .await;
    adapters
        .record_status(2, 1, TenantStatus::Suspended, "us-east-1", month(3, 1))
        .await;
    adapters
        .record_status(3, 1, TenantStatus::Active, "us-east-1", month(3, 1))
        .await;
    adapters
        .record_status(3, 2, TenantStatus::Active, "eu-central-1", month(10, 1))
        .await;
    adapters
        .record_status(4, 1, TenantStatus::Active, "us-east-1", month(3, 1))
        .await;
    adapters
        .record_status(4, 2, TenantStatus::Closed, "us-east-1", month(7, 5))
        .await;
    adapters
        .record_status(5, 1, TenantStatus::Pending, "us-east-1", month(10, 1))
        .await;
    adapters
        .record_status(6, 1, TenantStatus::Active, "us-east-1", month(3, 1))
        .await;
    adapters
        .record_status(6, 2, TenantStatus::Closed, "us-east-1", month(8, 5))
        .await;
    for quarter in 0..96 {
        adapters
            .run(at("10T00:00:00") + SignedDuration::from_mins(15 * quarter))
            .await;
    }
    let day = 20_736; // since 1970
    let (home, away) = (
        ("eu-central-1", Target::Regional),
        ("us-east-1", Target::Home),
    );
    let expected = [(1, home), (2, away), (3, home), (3, away), (6, away)];
    let expected = expected.map(|(n, (region, bus))| (tenant(n), region.to_owned(), day, bus));
    assert_eq!(adapters.requested_ends().await, expected);
    assert_eq!(
        adapters.store.load_unreconciled().await.unwrap(),
        [],
        "a request is not an incident"
    );

    adapters.run(at("11T00:15:00")).await;
    let requested = adapters.requested_ends().await;
    assert_eq!(
        requested
            .iter()
            .map(|(tenant, ..)| *tenant)
            .filter(|requested| *requested == tenant(1))
            .count(),
        2
    );
}

/// No report of the tenant has arrived, not even the first. The answer shows the start of its days.
#[tokio::test]
async fn reports_lost_before_the_end_are_requested_even_if_none_ever_arrived() {
    let adapters = adapters().await;
    let end = Envelope {
        id: "0199a1f0-0000-7000-8000-ffff00000002".parse().unwrap(),
        region: "us-east-1".parse().unwrap(),
        stream: Stream::Usage(tenant(1)),
        sequence: 3,
        occurred_at: at("09T07:00:00"),
        data: UsageStreamEndReported {
            tenant: tenant(1),
            sealed_until: Some(at("06T00:00:00")),
        },
    };
    adapters
        .store
        .record_end(&end, at("09T07:00:00"))
        .await
        .unwrap();
    adapters.run(at("09T07:15:00")).await;
    let requested = adapters.requests().await;
    assert_eq!(requested.len(), REPORTED_DAYS_MAX);
    let expected = (tenant(1), "us-east-1".to_owned(), 1, Target::Home);
    assert!(
        requested.iter().all(|request| *request == expected),
        "{requested:?}"
    );
    for quarter in 2..=16 {
        adapters
            .run(at("09T07:00:00") + SignedDuration::from_mins(15 * quarter))
            .await;
    }
    assert_eq!(
        adapters.raised().await,
        [(tenant(1), IncidentKind::ReportsMissing)]
    );
}
