use crate::handler::{Adapters, handle};
use aws_lambda_events::event::sqs::SqsEvent;
use catalogue::Catalogue;
use central_store::CentralStore;
use contract::{
    BusEvent, Envelope, ReservationDecision, SubdomainReservationDecided, TenantPolicyPublished,
};
use fleet::{Counts, Onboarding, OnboardingState, RefusedPlan, ReservationState, Tenant};
use kernel::{OnboardingId, Timestamp};
use outbox::Outbox;
use serde_json::{Value, json};

const TENANT: &str = "0199a1f0-0000-7000-8000-000000000001";
const ONBOARDING: &str = "5f0c7f2c-8f64-4c0e-9d5e-2f7c1a9b3e11";

async fn adapters() -> Adapters {
    let aws = testkit::aws().await;
    Adapters {
        store: CentralStore::new(&aws.config, testkit::table(&aws, false).await),
        outbox: Outbox::new(&aws.config, testkit::table(&aws, false).await),
        catalogue: Catalogue::bundled().unwrap(),
    }
}

fn case(name: &str) -> Value {
    let cases = testkit::cases("fleet-directory");
    cases
        .into_iter()
        .find(|case| case.name == name)
        .unwrap()
        .payload
}

/// Runs a payload as Lambda would, and returns the ids of the messages that are to be delivered
/// again.
async fn run(adapters: &Adapters, payload: Value) -> Vec<String> {
    let event: SqsEvent = serde_json::from_value(payload).unwrap();
    let response = handle(adapters, event).await.unwrap();
    response
        .batch_item_failures
        .into_iter()
        .map(|failure| failure.item_identifier)
        .collect()
}

async fn stored(adapters: &Adapters) -> Tenant {
    adapters
        .store
        .load_tenant(TENANT.parse().unwrap())
        .await
        .unwrap()
        .unwrap()
}

async fn published(adapters: &Adapters) -> Vec<Envelope<TenantPolicyPublished>> {
    published_events(adapters).await
}

/// The events of one type that home published.
async fn published_events<T: BusEvent>(adapters: &Adapters) -> Vec<Envelope<T>> {
    let rows = adapters
        .outbox
        .unpublished(Timestamp::MAX, 100)
        .await
        .unwrap();
    let of_type = rows.iter().filter(|row| row.detail_type == T::TYPE);
    of_type
        .map(|row| serde_json::from_str(&row.detail).unwrap())
        .collect()
}

#[tokio::test]
async fn every_case_is_processed_or_refused_without_affecting_the_batch() {
    for case in testkit::cases("fleet-directory") {
        let adapters = adapters().await;
        let last = case.payload["Records"].as_array().unwrap().last().unwrap()["messageId"].clone();
        let failed = run(&adapters, case.payload.clone()).await;
        let expected = if case.is_valid() {
            json!([])
        } else {
            json!([last])
        };
        assert_eq!(json!(failed), expected, "{}", case.name);
        let tenant = stored(&adapters).await;
        assert_eq!(
            (tenant.entry.region.as_str(), tenant.entry.revision),
            ("eu-central-1", 2),
            "{}",
            case.name
        );
        let published_count = if case.name == "valid-plan-changes" {
            2
        } else {
            1
        };
        assert_eq!(
            published(&adapters).await.len(),
            published_count,
            "{}",
            case.name
        );
    }
}

#[tokio::test]
async fn a_batch_delivered_again_changes_nothing() {
    let adapters = adapters().await;
    for name in [
        "valid-acknowledged",
        "valid-duplicate-and-reordered",
        "valid-signed-up-and-confirmed",
    ] {
        assert!(run(&adapters, case(name)).await.is_empty());
        assert!(run(&adapters, case(name)).await.is_empty());
    }
    let tenant = stored(&adapters).await;
    assert!(tenant.policy.is_applied());
    assert_eq!(published(&adapters).await, [tenant.policy.published()]);
    let region = adapters
        .store
        .load_region(tenant.entry.region)
        .await
        .unwrap();
    assert_eq!(
        region.counts,
        Counts {
            active: 1,
            ..Counts::default()
        }
    );
}

#[tokio::test]
async fn a_published_policy_names_its_region_and_the_plans_entitlements() {
    let adapters = adapters().await;
    run(&adapters, case("valid-signed-up-and-confirmed")).await;
    let [policy]: [_; 1] = published(&adapters).await.try_into().unwrap();
    assert_eq!(
        (policy.region.as_str(), policy.sequence),
        ("eu-central-1", 1)
    );
    let entitlements = &adapters
        .catalogue
        .plan(&"pro".parse().unwrap())
        .unwrap()
        .entitlements;
    assert_eq!(&policy.data.policy.entitlements, entitlements);
    assert_eq!(policy.data.policy.suspension, None);
}

#[tokio::test]
async fn the_latest_plan_of_the_catalogue_is_granted_once() {
    let adapters = adapters().await;
    for _ in 0..2 {
        assert!(run(&adapters, case("valid-plan-changes")).await.is_empty());
    }
    let tenant = stored(&adapters).await;
    assert_eq!(
        (
            tenant.policy.policy.plan.as_str(),
            tenant.policy.policy.version
        ),
        ("enterprise", 2)
    );
    assert_eq!(tenant.entry.plan.as_str(), "pro");
    let refused = RefusedPlan {
        plan: "gold".parse().unwrap(),
        revision: 3,
    };
    assert_eq!(tenant.policy.refused_plan, Some(refused));
    let [_, granted] = &published(&adapters).await[..] else {
        panic!("not two policies")
    };
    assert_eq!(granted, &tenant.policy.published());
}

#[tokio::test]
async fn a_plan_in_another_currency_is_recorded_as_refused() {
    let adapters = adapters().await;
    assert!(
        run(&adapters, case("valid-plan-of-another-currency"))
            .await
            .is_empty()
    );
    let policy = stored(&adapters).await.policy;
    assert_eq!(
        (policy.policy.plan.as_str(), policy.policy.version),
        ("pro", 1)
    );
    assert_eq!(
        policy.refused_plan,
        Some(RefusedPlan {
            plan: "pro-in".parse().unwrap(),
            revision: 1
        })
    );
}

#[tokio::test]
async fn a_request_before_the_first_status_event_is_delivered_again() {
    let adapters = adapters().await;
    let mut payload = case("valid-plan-changes");
    payload["Records"].as_array_mut().unwrap().rotate_left(1);
    assert_eq!(run(&adapters, payload.clone()).await.len(), 4);
    assert!(run(&adapters, payload).await.is_empty());
    assert_eq!(
        stored(&adapters).await.policy.policy.plan.as_str(),
        "enterprise"
    );
}

#[tokio::test]
async fn an_erasure_is_recorded_in_any_order() {
    let adapters = adapters().await;
    for _ in 0..2 {
        assert!(
            run(&adapters, case("valid-closed-and-erased"))
                .await
                .is_empty()
        );
    }
    let tenant = stored(&adapters).await;
    assert_eq!(
        tenant.entry.erased_at,
        Some("2026-12-03T10:00:00Z".parse().unwrap())
    );
    assert!(!tenant.policy.is_waiting());
}

#[tokio::test]
async fn an_onboarding_follows_its_regions_last_report() {
    let adapters = adapters().await;
    let id: OnboardingId = ONBOARDING.parse().unwrap();
    let onboarding = Onboarding::new(
        id,
        "eu-central-1".parse().unwrap(),
        "2026-11-03T09:00:00Z".parse().unwrap(),
    );
    // A region's report on an onboarding that home did not hand over is ignored.
    assert!(
        run(&adapters, case("valid-onboarding-progressed"))
            .await
            .is_empty()
    );
    assert_eq!(adapters.store.load_onboarding(id).await.unwrap(), None);
    assert!(
        adapters
            .store
            .record_onboarding("digest", &onboarding)
            .await
            .unwrap()
    );
    assert!(
        run(&adapters, case("valid-onboarding-progressed"))
            .await
            .is_empty()
    );
    let onboarding = adapters.store.load_onboarding(id).await.unwrap().unwrap();
    assert_eq!((onboarding.revision, onboarding.steps.len()), (3, 6));
    assert_eq!(onboarding.outlook(None).state, OnboardingState::Done);
}

#[tokio::test]
async fn a_message_that_could_not_be_stored_is_processed_when_delivered_again() {
    let adapters = adapters().await;
    let aws = testkit::aws().await;
    let broken = Adapters {
        store: adapters.store.clone(),
        outbox: Outbox::new(&aws.config, "no-such-table".to_owned()),
        catalogue: Catalogue::bundled().unwrap(),
    };
    let payload = case("valid-signed-up-and-confirmed");
    assert_eq!(run(&broken, payload.clone()).await.len(), 2);
    assert!(
        adapters
            .store
            .load_tenant(TENANT.parse().unwrap())
            .await
            .unwrap()
            .is_none()
    );
    assert!(run(&adapters, payload).await.is_empty());
    assert_eq!(stored(&adapters).await.entry.revision, 2);
    assert_eq!(published(&adapters).await.len(), 1);
}

/// Home receives only the digest of the subdomain, and the region receives the decision.
#[tokio::test]
async fn a_reservation_is_answered_in_any_order() {
    let adapters = adapters().await;
    let mut payload = case("valid-reservation-of-a-subdomain");
    let reservations = payload["Records"].as_array_mut().unwrap().split_off(2);
    let mut first = case("valid-reservation-of-a-subdomain");
    first["Records"] = json!(reservations);
    assert_eq!(
        run(&adapters, first).await.len(),
        3,
        "the directory does not have the tenant yet"
    );
    for _ in 0..2 {
        assert!(
            run(&adapters, case("valid-reservation-of-a-subdomain"))
                .await
                .is_empty()
        );
    }
    let mut answers: Vec<Envelope<SubdomainReservationDecided>> = published_events(&adapters).await;
    answers.sort_by_key(|answer| answer.sequence);
    let decisions: Vec<_> = answers
        .iter()
        .map(|answer| (answer.sequence, answer.data.decision))
        .collect();
    assert_eq!(
        decisions,
        [
            (1, ReservationDecision::Leased),
            (2, ReservationDecision::Confirmed),
            (2, ReservationDecision::Confirmed)
        ]
    );
    assert!(
        answers
            .iter()
            .all(|answer| answer.region.as_str() == "eu-central-1")
    );
    let reservation = adapters
        .store
        .load_reservation(&answers[0].data.digest)
        .await
        .unwrap()
        .unwrap();
    assert!(matches!(reservation.state, ReservationState::Held { .. }));
    assert_eq!(reservation.tenant.to_string(), TENANT);
}
