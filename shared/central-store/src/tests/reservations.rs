use super::{Fixture, at, event, fixture, published, region, tenant};
use crate::error::UpdateError;
use contract::{
    BusEvent, Envelope, ReservationPhase, Stream, SubdomainReservationDecided,
    SubdomainReservationUpdated,
};
use fleet::{Publication, Refusal, ReservationState, decide_reservation};
use futures::future::join_all;
use kernel::{SubdomainDigest, TenantStatus};
use outbox::Target;

fn digest() -> SubdomainDigest {
    SubdomainDigest::from_bytes([7; 32])
}

impl Fixture {
    async fn receive(
        &self,
        place: &str,
        number: u16,
        phase: ReservationPhase,
        revision: u64,
        second: i64,
    ) -> Result<bool, UpdateError> {
        let report = Envelope {
            id: event(number),
            region: region(place),
            stream: Stream::Tenant(tenant(number)),
            sequence: revision,
            occurred_at: at(0),
            data: SubdomainReservationUpdated {
                tenant: tenant(number),
                digest: digest(),
                phase,
                revision,
            },
        };
        let unique = u16::try_from(revision).unwrap() * 0x100 + number;
        let publication = Publication {
            event: event(unique),
            now: at(second),
        };
        let decide = |tenant: Option<&fleet::Tenant>,
                      reservation: Option<&fleet::SubdomainReservation>,
                      last: Option<&_>| {
            decide_reservation(tenant, reservation, last, &report, publication)
        };
        self.store
            .update_reservation(&self.outbox, &digest(), tenant(number), decide)
            .await
    }

    /// Home's decisions, by tenant and revision.
    async fn decisions(&self) -> Vec<SubdomainReservationDecided> {
        let rows = self.rows().await;
        let of_type = rows
            .iter()
            .filter(|row| row.detail_type == SubdomainReservationDecided::TYPE);
        let events = of_type.map(|row| {
            assert_eq!(row.target, Target::Home);
            serde_json::from_str::<Envelope<SubdomainReservationDecided>>(&row.detail)
                .unwrap()
                .data
        });
        let mut events: Vec<_> = events.collect();
        events.sort_by_key(|event| (event.tenant, event.revision));
        events
    }

    async fn holder(&self) -> Option<(u16, bool)> {
        let reservation = self.store.load_reservation(&digest()).await.unwrap()?;
        let number = u16::from(reservation.tenant.as_uuid().as_bytes()[15]);
        Some((
            number,
            matches!(reservation.state, ReservationState::Held { .. }),
        ))
    }
}

/// Two tenants of two regions, both in the directory.
async fn fleet() -> Fixture {
    let fleet = fixture().await;
    for (place, number) in [("eu-central-1", 1), ("us-west-2", 2)] {
        fleet
            .publish_status(&published(place, number, 1, TenantStatus::Active))
            .await
            .unwrap();
    }
    fleet
}

#[tokio::test]
async fn a_reservation_and_its_answer_are_written_together() {
    let fleet = fleet().await;
    assert!(
        fleet
            .receive("eu-central-1", 1, ReservationPhase::Requested, 1, 0)
            .await
            .unwrap()
    );
    assert_eq!(fleet.holder().await, Some((1, false)));
    assert!(
        fleet
            .receive("eu-central-1", 1, ReservationPhase::Confirmed, 2, 1)
            .await
            .unwrap()
    );
    assert_eq!(fleet.holder().await, Some((1, true)));
    assert!(
        !fleet
            .receive("eu-central-1", 1, ReservationPhase::Requested, 1, 2)
            .await
            .unwrap(),
        "the report is outdated"
    );
    assert!(
        fleet
            .receive("us-west-2", 2, ReservationPhase::Requested, 1, 3)
            .await
            .unwrap()
    );
    assert_eq!(fleet.holder().await, Some((1, true)));
    let decisions: Vec<_> = fleet
        .decisions()
        .await
        .into_iter()
        .map(|event| format!("{:?}", event.decision))
        .collect();
    assert_eq!(decisions, ["Leased", "Confirmed", "Refused"]);
    assert!(
        fleet
            .receive("eu-central-1", 1, ReservationPhase::Released, 3, 4)
            .await
            .unwrap()
    );
    assert_eq!(fleet.holder().await, Some((1, false)));
}

#[tokio::test]
async fn one_of_many_concurrent_requests_gets_the_lease() {
    let fleet = fleet().await;
    let both = [("eu-central-1", 1), ("us-west-2", 2)];
    let asked =
        both.map(|(place, number)| fleet.receive(place, number, ReservationPhase::Requested, 1, 0));
    assert!(
        join_all(asked)
            .await
            .into_iter()
            .all(|answered| answered.unwrap())
    );
    let mut decisions: Vec<_> = fleet
        .decisions()
        .await
        .into_iter()
        .map(|event| format!("{:?}", event.decision))
        .collect();
    decisions.sort();
    assert_eq!(decisions, ["Leased", "Refused"]);
}

#[tokio::test]
async fn a_report_about_an_unknown_tenant_writes_nothing() {
    let fleet = fleet().await;
    let refused = fleet
        .receive("eu-central-1", 3, ReservationPhase::Requested, 1, 0)
        .await;
    assert!(matches!(
        refused,
        Err(UpdateError::Refused(Refusal::UnknownTenant))
    ));
    let refused = fleet
        .receive("us-west-2", 1, ReservationPhase::Requested, 1, 0)
        .await;
    assert!(matches!(
        refused,
        Err(UpdateError::Refused(Refusal::OwnedByAnotherRegion { .. }))
    ));
    assert_eq!(
        (fleet.holder().await, fleet.decisions().await),
        (None, vec![])
    );
}
