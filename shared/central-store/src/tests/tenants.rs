use super::{Fixture, at, fixture, published, region, tenant};
use crate::error::{StoreError, UpdateError};
use catalogue::Catalogue;
use contract::{BusEvent, Envelope, TenantPolicyPublished};
use fleet::{Counts, SuspensionChange};
use futures::future::join_all;
use kernel::{Suspension, TenantStatus, Timestamp};
use outbox::{Outbox, Target};

#[tokio::test]
async fn a_status_event_writes_entry_policy_index_counts_and_event() {
    let fleet = fixture().await;
    assert_eq!(fleet.store.load_tenant(tenant(1)).await.unwrap(), None);
    assert!(
        fleet
            .publish_status(&published("eu-central-1", 1, 1, TenantStatus::Active))
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

    // A replay changes and sends nothing; an acknowledgement empties the index.
    assert!(
        !fleet
            .publish_status(&published("eu-central-1", 1, 1, TenantStatus::Active))
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
            .publish_status(&published("eu-central-1", 1, 1, TenantStatus::Pending))
            .await
            .unwrap()
    );
    assert!(fleet.acknowledge("eu-central-1", 1, 1).await.unwrap());
    assert!(
        fleet
            .publish_status(&published("eu-central-1", 1, 2, TenantStatus::Active))
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
async fn a_desired_policy_is_sent() {
    let fleet = fixture().await;
    assert!(matches!(
        fleet.request(1, 1, "starter").await,
        Err(UpdateError::Refused(fleet::Refusal::UnknownTenant))
    ));
    assert!(
        fleet
            .publish_status(&published("eu-central-1", 1, 1, TenantStatus::Active))
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
    let content = |sent: &Envelope<TenantPolicyPublished>| {
        let policy = &sent.data.policy;
        (policy.version, policy.plan.to_string(), policy.suspension)
    };
    let [starter, dunning] = [
        (2, "starter".to_owned(), None),
        (3, "starter".to_owned(), Some(Suspension::Dunning)),
    ];
    assert_eq!(
        sent.iter().map(content).collect::<Vec<_>>(),
        [(1, "pro".to_owned(), None), starter, dunning]
    );
    let stored = fleet.store.load_tenant(tenant(1)).await.unwrap().unwrap();
    assert_eq!(
        stored.policy.refused_plan.map(|refused| refused.revision),
        Some(2)
    );
}

/// Changes of the other reason then send nothing.
#[tokio::test]
async fn an_operators_reason_takes_precedence_over_dunnings() {
    let fleet = fixture().await;
    assert!(
        fleet
            .publish_status(&published("eu-central-1", 1, 1, TenantStatus::Active))
            .await
            .unwrap()
    );
    let dunning = SuspensionChange::Suspend(Suspension::Dunning);
    assert!(fleet.suspend(1, dunning).await.unwrap());
    assert!(
        fleet
            .suspend(1, SuspensionChange::Suspend(Suspension::Operator))
            .await
            .unwrap()
    );
    let details = async || -> Vec<String> {
        let rows = fleet.rows().await.into_iter();
        rows.map(|row| row.detail).collect()
    };
    let sent = details().await;
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
        (Some(Suspension::Operator), 3)
    );
    assert_eq!(details().await, sent);
}

#[tokio::test]
async fn a_closed_tenant_has_no_pending_policy() {
    let fleet = fixture().await;
    assert!(
        fleet
            .publish_status(&published("eu-central-1", 1, 1, TenantStatus::Active))
            .await
            .unwrap()
    );
    assert!(
        fleet
            .publish_status(&published("eu-central-1", 1, 2, TenantStatus::Closed))
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
    assert_eq!(fleet.rows().await.len(), 1);
}

#[tokio::test]
async fn a_concurrent_erasure_and_status_event_are_both_stored() {
    let fleet = fixture().await;
    for number in 0..12 {
        assert!(
            fleet
                .publish_status(&published("eu-central-1", number, 1, TenantStatus::Active))
                .await
                .unwrap()
        );
        let closed = published("eu-central-1", number, 2, TenantStatus::Closed);
        let (erased, closed) = tokio::join!(fleet.erase(number), fleet.publish_status(&closed));
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
async fn a_failing_write_leaves_nothing_behind() {
    let fleet = fixture().await;
    let aws = testkit::aws().await;
    let missing = Fixture {
        store: fleet.store.clone(),
        outbox: Outbox::new(&aws.config, "no-such-table".to_owned()),
        catalogue: Catalogue::bundled().unwrap(),
    };
    let refused = missing
        .publish_status(&published("eu-central-1", 1, 1, TenantStatus::Active))
        .await;
    assert!(
        matches!(refused, Err(UpdateError::Store(StoreError::Write { .. }))),
        "{refused:?}"
    );
    assert_eq!(fleet.store.load_tenant(tenant(1)).await.unwrap(), None);
    assert_eq!(fleet.counts("eu-central-1").await, Counts::default());
    assert_eq!(fleet.due("eu-central-1", Timestamp::MAX).await, []);
    // The retry, with the outbox available again, does all of it.
    assert!(
        fleet
            .publish_status(&published("eu-central-1", 1, 1, TenantStatus::Active))
            .await
            .unwrap()
    );
    assert_eq!(fleet.rows().await.len(), 1);
}

#[tokio::test]
async fn counts_stay_exact_under_concurrency() {
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
        .flat_map(|event| [event.clone(), event])
        .collect();
    let results = join_all(
        deliveries
            .iter()
            .rev()
            .map(|event| fleet.publish_status(event)),
    )
    .await;
    // A delivery that failed by contention is repeated, as a queue would.
    for (event, result) in deliveries.iter().rev().zip(results) {
        if result.is_err() {
            fleet.publish_status(event).await.unwrap();
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
            .publish_status(&published("eu-central-1", 1, 1, TenantStatus::Active))
            .await
            .unwrap()
    );
    assert!(fleet.acknowledge("eu-central-1", 1, 1).await.unwrap());
    let refused = fleet
        .publish_status(&published("us-east-1", 1, 1, TenantStatus::Active))
        .await;
    assert!(matches!(
        refused,
        Err(UpdateError::Refused(
            fleet::Refusal::OwnedByAnotherRegion { .. }
        ))
    ));
    assert!(
        fleet
            .publish_status(&published("us-east-1", 1, 2, TenantStatus::Active))
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
            .publish_status(&published("eu-central-1", 1, 1, TenantStatus::Active))
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
