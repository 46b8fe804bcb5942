use super::{at, fixture, region};
use crate::region::{BillingTotal, Description};
use contract::{HeartbeatReported, RegionBillingTotaled, RegionDescribed};
use fleet::{Condition, Heartbeat, Incidents, decide_incidents};
use kernel::Mode;

fn heartbeat(sequence: u64) -> Heartbeat {
    Heartbeat {
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
    }
}

fn description(sequence: u64) -> Description {
    Description {
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
    }
}

fn total(sequence: u64, period: &str) -> BillingTotal {
    BillingTotal {
        sequence,
        total: RegionBillingTotaled {
            period: period.parse().unwrap(),
            invoices: sequence,
            totals: Vec::new(),
            events: 1,
        },
    }
}

#[tokio::test]
async fn the_highest_sequence_of_a_region_wins() {
    let fleet = fixture().await;
    let place = region("ap-south-1");
    for (sequence, is_stored) in [(2, true), (1, false), (2, false), (9, true), (3, false)] {
        let (heartbeat, description) = (heartbeat(sequence), description(sequence));
        assert_eq!(
            fleet
                .store
                .record_heartbeat(&place, &heartbeat)
                .await
                .unwrap(),
            is_stored
        );
        assert_eq!(
            fleet
                .store
                .record_description(&place, &description)
                .await
                .unwrap(),
            is_stored
        );
    }
    let record = &fleet.store.load_fleet().await.unwrap()[0];
    assert_eq!(record.description, Some(description(9)));
    assert_eq!(record.heartbeat, Some(heartbeat(9)));
}

#[tokio::test]
async fn the_highest_sequence_of_a_billing_period_wins() {
    let fleet = fixture().await;
    let place = region("ap-south-1");
    for (published, is_stored) in [
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
            is_stored
        );
    }
    let record = &fleet.store.load_fleet().await.unwrap()[0];
    assert_eq!(record.billing, [total(1, "2026-09"), total(2, "2026-10")]);
}

#[tokio::test]
async fn a_region_is_loaded_with_all_that_is_recorded_of_it() {
    let fleet = fixture().await;
    let (place, silent) = (region("ap-south-1"), region("eu-central-1"));
    let found = [Condition::Silent, Condition::OutboxLagging].into();
    let opened = decide_incidents(&Incidents::default(), &found, at(5))
        .unwrap()
        .after;
    assert!(
        fleet
            .store
            .record_heartbeat(&place, &heartbeat(9))
            .await
            .unwrap()
    );
    assert!(
        fleet
            .store
            .record_description(&place, &description(9))
            .await
            .unwrap()
    );
    for total in [total(2, "2026-10"), total(1, "2026-09")] {
        assert!(
            fleet
                .store
                .record_billing_total(&place, &total)
                .await
                .unwrap()
        );
    }
    assert!(fleet.store.record_incidents(&place, &opened).await.unwrap());
    assert!(!fleet.store.record_incidents(&place, &opened).await.unwrap());
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
