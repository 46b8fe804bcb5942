mod onboarding;
mod reservations;

use crate::{BillingTotal, CentralStore, Description, StoreError, UpdateError};
use catalogue::Catalogue;
use contract::{
    BusEvent, Envelope, HeartbeatReported, PlanChangeRequested, RegionBillingTotaled,
    RegionDescribed, Stream, TenantErased, TenantPolicyApplied, TenantPolicyPublished,
    TenantStatusChanged,
};
use fleet::{
    Condition, Counts, Heartbeat, Incidents, Publication, SuspensionChange, decide_acknowledgement,
    decide_erasure, decide_incidents, decide_plan_change, decide_published_status, decide_resend,
    decide_suspension,
};
use futures::future::join_all;
use kernel::{
    EventId, Mode, RegionCode, StatusReason, Suspension, TenantId, TenantStatus, Timestamp,
};
use outbox::{Outbox, Row, Target};

struct Fixture {
    store: CentralStore,
    outbox: Outbox,
    catalogue: Catalogue,
}

async fn fixture() -> Fixture {
    let aws = testkit::aws().await;
    let table = testkit::table(&aws, false).await;
    let outbox = Outbox::new(&aws.config, testkit::table(&aws, false).await);
    Fixture {
        store: CentralStore::new(&aws.config, table),
        outbox,
        catalogue: Catalogue::bundled().unwrap(),
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn region(code: &str) -> RegionCode {
    code.parse().unwrap()
}

fn tenant(number: u16) -> TenantId {
    format!("0199a1f0-0000-7000-8000-00000000{number:04x}")
        .parse()
        .unwrap()
}

fn event(number: u16) -> EventId {
    format!("0199a1f0-0000-7000-8000-ffff0000{number:04x}")
        .parse()
        .unwrap()
}

fn published(
    place: &str,
    number: u16,
    revision: u64,
    status: TenantStatus,
) -> Envelope<TenantStatusChanged> {
    Envelope {
        id: event(number),
        region: region(place),
        stream: Stream::Tenant(tenant(number)),
        sequence: revision,
        occurred_at: at(0),
        data: TenantStatusChanged {
            tenant: tenant(number),
            alias: "a2b3c4d5e6f7".parse().unwrap(),
            plan: "pro".parse().unwrap(),
            status,
            reason: StatusReason::Operator,
            revision,
        },
    }
}

impl Fixture {
    async fn state(&self, published: &Envelope<TenantStatusChanged>) -> Result<bool, UpdateError> {
        let publication = Publication {
            event: published.id,
            now: at(0),
        };
        let decide = |current: Option<&fleet::Tenant>| {
            decide_published_status(current, published, &self.catalogue, publication)
        };
        self.store
            .update_tenant(&self.outbox, published.data.tenant, decide)
            .await
    }

    async fn acknowledge(
        &self,
        place: &str,
        number: u16,
        version: u64,
    ) -> Result<bool, UpdateError> {
        let word = Envelope {
            id: event(number),
            region: region(place),
            stream: Stream::Tenant(tenant(number)),
            sequence: version,
            occurred_at: at(0),
            data: TenantPolicyApplied {
                tenant: tenant(number),
                version,
            },
        };
        let decide = |current: Option<&fleet::Tenant>| decide_acknowledgement(current, &word);
        self.store
            .update_tenant(&self.outbox, tenant(number), decide)
            .await
    }

    async fn request(&self, number: u16, revision: u64, plan: &str) -> Result<bool, UpdateError> {
        let requested = Envelope {
            id: event(number),
            region: region("eu-central-1"),
            stream: Stream::Tenant(tenant(number)),
            sequence: revision,
            occurred_at: at(0),
            data: PlanChangeRequested {
                tenant: tenant(number),
                plan: plan.parse().unwrap(),
                revision,
            },
        };
        let publication = Publication {
            event: event(0x100 + number),
            now: at(5),
        };
        let decide = |current: Option<&fleet::Tenant>| {
            decide_plan_change(current, &requested, &self.catalogue, publication)
        };
        self.store
            .update_tenant(&self.outbox, tenant(number), decide)
            .await
    }

    async fn suspend(&self, number: u16, change: SuspensionChange) -> Result<bool, UpdateError> {
        let publication = Publication {
            event: event(0x200 + number),
            now: at(6),
        };
        let decide =
            |current: Option<&fleet::Tenant>| decide_suspension(current, change, publication);
        self.store
            .update_tenant(&self.outbox, tenant(number), decide)
            .await
    }

    async fn erase(&self, number: u16) -> Result<bool, UpdateError> {
        let erased = Envelope {
            id: event(number),
            region: region("eu-central-1"),
            stream: Stream::Tenant(tenant(number)),
            sequence: 9,
            occurred_at: at(7),
            data: TenantErased {
                tenant: tenant(number),
            },
        };
        let decide = |current: Option<&fleet::Tenant>| decide_erasure(current, &erased);
        self.store
            .update_tenant(&self.outbox, tenant(number), decide)
            .await
    }

    async fn resend(&self, number: u16, now: Timestamp) -> bool {
        let decide = |current: Option<&fleet::Tenant>| {
            Ok(current.and_then(|tenant| decide_resend(tenant, now)))
        };
        self.store
            .update_tenant(&self.outbox, tenant(number), decide)
            .await
            .unwrap()
    }

    async fn counts(&self, place: &str) -> Counts {
        self.store.load_region(region(place)).await.unwrap().counts
    }

    async fn rows(&self) -> Vec<Row> {
        self.outbox.unpublished(Timestamp::MAX, 1000).await.unwrap()
    }

    async fn due(&self, place: &str, now: Timestamp) -> Vec<TenantId> {
        self.store
            .load_due_tasks(&region(place), now, 100)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_statement_makes_entry_policy_index_counts_and_event() {
    let fleet = fixture().await;
    assert_eq!(fleet.store.load_tenant(tenant(1)).await.unwrap(), None);
    assert!(
        fleet
            .state(&published("eu-central-1", 1, 1, TenantStatus::Active))
            .await
            .unwrap()
    );

    let stored = fleet.store.load_tenant(tenant(1)).await.unwrap().unwrap();
    assert_eq!(
        (stored.entry.revision, stored.policy.policy.version),
        (1, 1)
    );
    assert_eq!(
        fleet.store.load_regions().await.unwrap(),
        [region("eu-central-1")]
    );
    assert_eq!(
        fleet.counts("eu-central-1").await,
        Counts {
            active: 1,
            unapplied: 1,
            ..Counts::default()
        }
    );
    assert_eq!(fleet.due("eu-central-1", at(120)).await, [tenant(1)]);
    assert_eq!(fleet.due("eu-central-1", at(119)).await, []);
    let rows = fleet.rows().await;
    assert_eq!(rows.len(), 1);
    assert_eq!(
        (rows[0].target, rows[0].detail_type.as_str()),
        (Target::Home, TenantPolicyPublished::TYPE)
    );
    let sent: Envelope<TenantPolicyPublished> = serde_json::from_str(&rows[0].detail).unwrap();
    assert_eq!(sent, stored.policy.published());

    // A replay changes nothing and sends nothing; an acknowledgement empties the index.
    assert!(
        !fleet
            .state(&published("eu-central-1", 1, 1, TenantStatus::Active))
            .await
            .unwrap()
    );
    assert!(fleet.acknowledge("eu-central-1", 1, 1).await.unwrap());
    assert!(!fleet.acknowledge("eu-central-1", 1, 1).await.unwrap());
    assert_eq!(fleet.rows().await.len(), 1);
    assert_eq!(
        fleet.counts("eu-central-1").await,
        Counts {
            active: 1,
            ..Counts::default()
        }
    );
    assert_eq!(fleet.due("eu-central-1", Timestamp::MAX).await, []);
}

#[tokio::test]
async fn a_status_that_leaves_the_policy_alone_sends_nothing() {
    let fleet = fixture().await;
    assert!(
        fleet
            .state(&published("eu-central-1", 1, 1, TenantStatus::Pending))
            .await
            .unwrap()
    );
    assert!(fleet.acknowledge("eu-central-1", 1, 1).await.unwrap());
    assert!(
        fleet
            .state(&published("eu-central-1", 1, 2, TenantStatus::Active))
            .await
            .unwrap()
    );
    assert_eq!(fleet.rows().await.len(), 1);
    assert_eq!(
        fleet.counts("eu-central-1").await,
        Counts {
            active: 1,
            ..Counts::default()
        }
    );
    assert!(
        fleet
            .store
            .load_tenant(tenant(1))
            .await
            .unwrap()
            .unwrap()
            .policy
            .is_applied()
    );
}

#[tokio::test]
async fn what_home_wants_is_sent_and_a_closed_tenant_waits_for_nothing() {
    let fleet = fixture().await;
    assert!(matches!(
        fleet.request(1, 1, "starter").await,
        Err(UpdateError::Refused(fleet::Refusal::UnknownTenant))
    ));
    assert!(
        fleet
            .state(&published("eu-central-1", 1, 1, TenantStatus::Active))
            .await
            .unwrap()
    );
    assert!(fleet.request(1, 1, "starter").await.unwrap());
    assert!(!fleet.request(1, 1, "starter").await.unwrap());
    assert!(fleet.request(1, 2, "gold").await.unwrap());
    let suspend = SuspensionChange::Suspend(Suspension::Dunning);
    assert!(fleet.suspend(1, suspend).await.unwrap());
    assert!(!fleet.suspend(1, suspend).await.unwrap());
    let rows = fleet.rows().await;
    let sent: Vec<Envelope<TenantPolicyPublished>> = rows
        .iter()
        .map(|row| serde_json::from_str(&row.detail).unwrap())
        .collect();
    let said = |sent: &Envelope<TenantPolicyPublished>| {
        let policy = &sent.data.policy;
        (policy.version, policy.plan.to_string(), policy.suspension)
    };
    let [starter, dunning] = [
        (2, "starter".to_owned(), None),
        (3, "starter".to_owned(), Some(Suspension::Dunning)),
    ];
    assert_eq!(
        sent.iter().map(said).collect::<Vec<_>>(),
        [(1, "pro".to_owned(), None), starter, dunning]
    );
    let stored = fleet.store.load_tenant(tenant(1)).await.unwrap().unwrap();
    assert_eq!(
        stored.policy.refused_plan.map(|refused| refused.revision),
        Some(2)
    );

    // An operator's reason comes before dunning's, and what becomes of the other then is nothing to
    // be sent.
    assert!(
        fleet
            .suspend(1, SuspensionChange::Suspend(Suspension::Operator))
            .await
            .unwrap()
    );
    assert!(
        fleet
            .suspend(1, SuspensionChange::Lift(Suspension::Dunning))
            .await
            .unwrap()
    );
    assert!(
        !fleet
            .suspend(1, SuspensionChange::Lift(Suspension::Dunning))
            .await
            .unwrap()
    );
    let stored = fleet.store.load_tenant(tenant(1)).await.unwrap().unwrap();
    assert_eq!(stored.policy.suspended_by, [Suspension::Operator].into());
    assert_eq!(
        (
            stored.policy.policy.suspension,
            stored.policy.policy.version
        ),
        (Some(Suspension::Operator), 4)
    );

    assert!(
        fleet
            .state(&published("eu-central-1", 1, 2, TenantStatus::Closed))
            .await
            .unwrap()
    );
    assert_eq!(
        fleet.counts("eu-central-1").await,
        Counts {
            closed: 1,
            ..Counts::default()
        }
    );
    assert_eq!(fleet.due("eu-central-1", Timestamp::MAX).await, []);
    assert!(!fleet.resend(1, at(100_000)).await);
    assert_eq!(fleet.rows().await.len(), 3);
}

#[tokio::test]
async fn an_erasure_and_a_statement_at_once_are_both_kept() {
    let fleet = fixture().await;
    for number in 0..12 {
        assert!(
            fleet
                .state(&published("eu-central-1", number, 1, TenantStatus::Active))
                .await
                .unwrap()
        );
        let closed = published("eu-central-1", number, 2, TenantStatus::Closed);
        let (erased, closed) = tokio::join!(fleet.erase(number), fleet.state(&closed));
        erased.and(closed).unwrap();
        let entry = fleet
            .store
            .load_tenant(tenant(number))
            .await
            .unwrap()
            .unwrap()
            .entry;
        assert_eq!((entry.revision, entry.erased_at), (2, Some(at(7))));
        assert!(!fleet.erase(number).await.unwrap());
    }
}

#[tokio::test]
async fn what_cannot_all_be_written_is_not_written_at_all() {
    let fleet = fixture().await;
    let aws = testkit::aws().await;
    let missing = Fixture {
        store: fleet.store.clone(),
        outbox: Outbox::new(&aws.config, "no-such-table".to_owned()),
        catalogue: Catalogue::bundled().unwrap(),
    };
    let refused = missing
        .state(&published("eu-central-1", 1, 1, TenantStatus::Active))
        .await;
    assert!(
        matches!(refused, Err(UpdateError::Store(StoreError::Write { .. }))),
        "{refused:?}"
    );
    assert_eq!(fleet.store.load_tenant(tenant(1)).await.unwrap(), None);
    assert_eq!(fleet.counts("eu-central-1").await, Counts::default());
    assert_eq!(fleet.due("eu-central-1", Timestamp::MAX).await, []);
    // The retry, with the outbox back, does all of it.
    assert!(
        fleet
            .state(&published("eu-central-1", 1, 1, TenantStatus::Active))
            .await
            .unwrap()
    );
    assert_eq!(fleet.rows().await.len(), 1);
}

#[tokio::test]
async fn counts_are_exact_whatever_happens_at_once() {
    let fleet = fixture().await;
    let statuses = [
        (1, TenantStatus::Pending),
        (2, TenantStatus::Active),
        (3, TenantStatus::Suspended),
    ];
    let deliveries: Vec<_> = (0..24_u16)
        .flat_map(|number| {
            statuses.map(|(revision, status)| published("eu-central-1", number, revision, status))
        })
        .flat_map(|statement| [statement.clone(), statement])
        .collect();
    let results = join_all(
        deliveries
            .iter()
            .rev()
            .map(|statement| fleet.state(statement)),
    )
    .await;
    // A delivery that collided too often comes again, as a queue would deliver it.
    for (statement, result) in deliveries.iter().rev().zip(results) {
        if result.is_err() {
            fleet.state(statement).await.unwrap();
        }
    }
    assert_eq!(
        fleet.counts("eu-central-1").await,
        Counts {
            other: 24,
            unapplied: 24,
            ..Counts::default()
        }
    );
    assert_eq!(fleet.due("eu-central-1", Timestamp::MAX).await.len(), 24);
}

#[tokio::test]
async fn a_tenant_that_moves_is_counted_where_it_is() {
    let fleet = fixture().await;
    assert!(
        fleet
            .state(&published("eu-central-1", 1, 1, TenantStatus::Active))
            .await
            .unwrap()
    );
    assert!(fleet.acknowledge("eu-central-1", 1, 1).await.unwrap());
    let reservation = fleet
        .state(&published("us-east-1", 1, 1, TenantStatus::Active))
        .await;
    assert!(matches!(
        reservation,
        Err(UpdateError::Refused(
            fleet::Refusal::ReservedByAnotherRegion { .. }
        ))
    ));
    assert!(
        fleet
            .state(&published("us-east-1", 1, 2, TenantStatus::Active))
            .await
            .unwrap()
    );
    assert_eq!(fleet.counts("eu-central-1").await, Counts::default());
    assert_eq!(
        fleet.counts("us-east-1").await,
        Counts {
            active: 1,
            unapplied: 1,
            ..Counts::default()
        }
    );
    assert_eq!(fleet.due("us-east-1", Timestamp::MAX).await, [tenant(1)]);
    assert_eq!(fleet.due("eu-central-1", Timestamp::MAX).await, []);
}

#[tokio::test]
async fn an_unapplied_policy_moves_back_in_the_index_each_time() {
    let fleet = fixture().await;
    assert!(
        fleet
            .state(&published("eu-central-1", 1, 1, TenantStatus::Active))
            .await
            .unwrap()
    );
    assert!(!fleet.resend(1, at(119)).await);
    assert!(fleet.resend(1, at(120)).await);
    assert_eq!(fleet.due("eu-central-1", at(359)).await, []);
    assert_eq!(fleet.due("eu-central-1", at(360)).await, [tenant(1)]);
    let rows = fleet.rows().await;
    assert_eq!(
        rows.iter().map(|row| row.occurred_at).collect::<Vec<_>>(),
        [at(0), at(120)]
    );
    assert_eq!((rows[0].id, &rows[0].detail), (rows[1].id, &rows[1].detail));
    for hour in 1..=4 {
        assert!(fleet.resend(1, at(3600 * hour)).await);
    }
    assert_eq!(
        fleet.counts("eu-central-1").await,
        Counts {
            active: 1,
            unapplied: 1,
            stuck: 1,
            ..Counts::default()
        }
    );
    assert!(fleet.acknowledge("eu-central-1", 1, 1).await.unwrap());
    assert_eq!(
        fleet.counts("eu-central-1").await,
        Counts {
            active: 1,
            ..Counts::default()
        }
    );
}

#[tokio::test]
async fn the_highest_sequence_of_a_region_wins() {
    let fleet = fixture().await;
    let place = region("ap-south-1");
    let heartbeat = |sequence: u64| Heartbeat {
        sequence,
        occurred_at: at(0),
        report: HeartbeatReported {
            mode: Mode::Sovereign,
            tenants: None,
            events: None,
            outbox_waiting: sequence,
            outbox_lag_ms: 0,
            usage_waiting: 0,
            usage_lag_ms: 0,
            dependencies: Vec::new(),
        },
    };
    let description = |sequence: u64| Description {
        sequence,
        described: RegionDescribed {
            name: "Asia Pacific (Mumbai)".parse().unwrap(),
            jurisdiction: "in".parse().unwrap(),
            mode: Mode::Sovereign,
            signup_url: "https://api.in.example.com".parse().unwrap(),
            accepts_new_tenants: true,
            capacity_tenants: Some(sequence),
            location: Some("19.08,72.88".parse().unwrap()),
        },
    };
    let total = |sequence: u64, period: &str| BillingTotal {
        sequence,
        total: RegionBillingTotaled {
            period: period.parse().unwrap(),
            invoices: sequence,
            totals: Vec::new(),
            events: 1,
        },
    };
    for (sequence, is_kept) in [(2, true), (1, false), (2, false), (9, true), (3, false)] {
        assert_eq!(
            fleet
                .store
                .record_heartbeat(&place, &heartbeat(sequence))
                .await
                .unwrap(),
            is_kept
        );
        assert_eq!(
            fleet
                .store
                .record_description(&place, &description(sequence))
                .await
                .unwrap(),
            is_kept
        );
    }
    for (published, is_kept) in [
        (total(2, "2026-10"), true),
        (total(1, "2026-10"), false),
        (total(1, "2026-09"), true),
    ] {
        assert_eq!(
            fleet
                .store
                .record_billing_total(&place, &published)
                .await
                .unwrap(),
            is_kept
        );
    }
    let found = [Condition::Silent, Condition::OutboxLagging].into();
    let opened = decide_incidents(&Incidents::default(), &found, at(5))
        .unwrap()
        .after;
    assert!(fleet.store.record_incidents(&place, &opened).await.unwrap());
    assert!(!fleet.store.record_incidents(&place, &opened).await.unwrap());

    let silent = region("eu-central-1");
    assert!(
        fleet
            .store
            .record_heartbeat(&silent, &heartbeat(1))
            .await
            .unwrap()
    );
    assert_eq!(
        fleet.store.load_descriptions().await.unwrap(),
        [(place.clone(), description(9).described)]
    );
    assert_eq!(fleet.store.load_description(&silent).await.unwrap(), None);
    let record = &fleet.store.load_fleet().await.unwrap()[0];
    assert_eq!(record.description, Some(description(9)));
    assert_eq!(record.heartbeat, Some(heartbeat(9)));
    assert_eq!(record.incidents, opened);
    assert_eq!(record.billing, [total(1, "2026-09"), total(2, "2026-10")]);
}
