use super::{Fixture, at, fixture, region, tenant};
use contract::{OnboardingProgressed, Step, StepName, StepState};
use fleet::Onboarding;
use futures::future::join_all;
use kernel::{OnboardingId, Timestamp};

fn handle(number: u8) -> OnboardingId {
    format!("5f0c7f2c-8f64-4c0e-9d5e-2f7c1a9b3e{number:02x}")
        .parse()
        .unwrap()
}

fn onboarding(number: u8, created_at: Timestamp) -> Onboarding {
    Onboarding::new(handle(number), region("us-west-2"), created_at)
}

fn progressed(number: u8, revision: u64, state: StepState) -> OnboardingProgressed {
    OnboardingProgressed {
        onboarding: handle(number),
        tenant: tenant(1),
        alias: "a2b3c4d5e6f7".parse().unwrap(),
        steps: vec![
            Step {
                name: StepName::Registration,
                state: StepState::Done,
                at: Some(at(1)),
                reason: None,
            },
            Step {
                name: StepName::Identity,
                state,
                at: None,
                reason: "unavailable".parse().ok(),
            },
        ],
        revision,
    }
}

impl Fixture {
    async fn onboarding(&self, number: u8) -> Option<Onboarding> {
        self.store.load_onboarding(handle(number)).await.unwrap()
    }

    async fn by_key(&self, digest: &str, now: Timestamp) -> Option<Onboarding> {
        self.store
            .load_onboarding_by_key(digest, now)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_key_stands_for_one_onboarding_until_it_expires() {
    let fleet = fixture().await;
    let first = onboarding(1, at(0));
    assert_eq!(fleet.by_key("k", at(0)).await, None);
    assert!(fleet.store.record_onboarding("k", &first).await.unwrap());
    assert!(
        !fleet
            .store
            .record_onboarding("k", &onboarding(2, at(1)))
            .await
            .unwrap()
    );
    assert_eq!(fleet.onboarding(2).await, None);
    assert_eq!(fleet.by_key("k", at(1)).await, Some(first.clone()));
    assert_eq!(fleet.by_key("other", at(1)).await, None);

    // The two items are removed some time after they expire, independently of each other. The
    // onboarding itself is still stored.
    let end = first.key_expires_at();
    let before = Timestamp::from_second(end.as_second() - 1).unwrap();
    assert_eq!(fleet.by_key("k", before).await, Some(first.clone()));
    assert!(
        !fleet
            .store
            .record_onboarding("k", &onboarding(3, before))
            .await
            .unwrap()
    );
    assert_eq!(fleet.by_key("k", end).await, None);
    assert!(
        fleet
            .store
            .record_onboarding("k", &onboarding(3, end))
            .await
            .unwrap()
    );
    assert_eq!(fleet.by_key("k", end).await, Some(onboarding(3, end)));
    assert_eq!(fleet.onboarding(1).await, Some(first));
}

#[tokio::test]
async fn twenty_concurrent_requests_with_one_key_make_one_onboarding() {
    let fleet = fixture().await;
    let all: Vec<Onboarding> = (0..20).map(|number| onboarding(number, at(0))).collect();
    let stored = join_all(
        all.iter()
            .map(|onboarding| fleet.store.record_onboarding("k", onboarding)),
    )
    .await;
    let stored: Vec<bool> = stored.into_iter().map(Result::unwrap).collect();
    assert!(stored.iter().filter(|is_stored| **is_stored).count() <= 1);
    let mut found = Vec::new();
    for number in 0..20 {
        found.extend(fleet.onboarding(number).await);
    }
    assert_eq!(
        found.len(),
        stored.iter().filter(|is_stored| **is_stored).count()
    );
    assert_eq!(fleet.by_key("k", at(1)).await, found.pop());
}

#[tokio::test]
async fn the_highest_revision_of_the_chosen_region_wins() {
    let fleet = fixture().await;
    let [chosen, other] = [region("us-west-2"), region("eu-central-1")];
    assert!(
        !fleet
            .store
            .record_progress(&chosen, &progressed(1, 1, StepState::Waiting))
            .await
            .unwrap()
    );
    assert_eq!(fleet.onboarding(1).await, None);
    assert!(
        fleet
            .store
            .record_onboarding("k", &onboarding(1, at(0)))
            .await
            .unwrap()
    );
    let mut foreign = progressed(1, 9, StepState::Done);
    assert!(!fleet.store.record_progress(&other, &foreign).await.unwrap());
    for (revision, state, is_stored) in [
        (2, StepState::Failed, true),
        (1, StepState::Waiting, false),
        (2, StepState::Failed, false),
        (3, StepState::Done, true),
    ] {
        let published = progressed(1, revision, state);
        assert_eq!(
            fleet
                .store
                .record_progress(&chosen, &published)
                .await
                .unwrap(),
            is_stored
        );
    }
    foreign.tenant = tenant(2);
    assert!(
        !fleet
            .store
            .record_progress(&chosen, &foreign)
            .await
            .unwrap()
    );
    let stored = fleet.onboarding(1).await.unwrap();
    let published = progressed(1, 3, StepState::Done);
    assert_eq!(
        (stored.revision, stored.steps, stored.tenant),
        (3, published.steps, Some(tenant(1)))
    );
    assert_eq!(
        (stored.alias, stored.created_at),
        (Some(published.alias), at(0))
    );
}

#[tokio::test]
async fn the_tenant_is_recorded_once() {
    let fleet = fixture().await;
    let alias = "a2b3c4d5e6f7".parse().unwrap();
    assert!(
        !fleet
            .store
            .record_handover(handle(1), tenant(1), &alias)
            .await
            .unwrap()
    );
    assert_eq!(fleet.onboarding(1).await, None);
    assert!(
        fleet
            .store
            .record_onboarding("k", &onboarding(1, at(0)))
            .await
            .unwrap()
    );
    assert!(
        fleet
            .store
            .record_handover(handle(1), tenant(1), &alias)
            .await
            .unwrap()
    );
    assert!(
        !fleet
            .store
            .record_handover(handle(1), tenant(2), &alias)
            .await
            .unwrap()
    );
    let stored = fleet.onboarding(1).await.unwrap();
    assert_eq!(
        (stored.tenant, stored.alias, stored.revision),
        (Some(tenant(1)), Some(alias), 0)
    );
}
