//! Two tenants of two regions that compete for one subdomain.

use super::fixtures::{Step, publication, region, run};
use crate::Refusal;
use crate::directory::Tenant;
use crate::reservation::{
    LEASE, LastReport, QUARANTINE, ReservationState, SubdomainReservation, decide_reservation,
};
use contract::{
    Envelope, ReservationDecision, ReservationPhase, Stream, SubdomainReservationUpdated,
};
use jiff::SignedDuration;
use kernel::{Generation, SubdomainDigest, TenantId, TenantStatus, Timestamp};
use proptest::prelude::*;
use std::collections::BTreeMap;

const PLACES: [&str; 2] = ["eu", "in"];

fn at(minute: i64) -> Timestamp {
    super::fixtures::at(60 * minute)
}

fn id(who: usize) -> TenantId {
    format!("0199a1f0-0000-7000-8000-00000000000{who}")
        .parse()
        .unwrap()
}

/// A tenant as the directory has it.
fn tenant(who: usize, status: TenantStatus) -> Tenant {
    let mut tenant = run(&[Step::Published(PLACES[who], 1, status, "pro")]).unwrap();
    (tenant.entry.tenant, tenant.policy.tenant) = (id(who), id(who));
    tenant
}

fn published(
    who: usize,
    phase: ReservationPhase,
    revision: u64,
) -> Envelope<SubdomainReservationUpdated> {
    Envelope {
        id: "0199a1f0-0000-7000-8000-0000000000cc".parse().unwrap(),
        region: region(PLACES[who]),
        stream: Stream::Tenant(id(who)),
        sequence: revision,
        occurred_at: at(0),
        data: SubdomainReservationUpdated {
            tenant: id(who),
            digest: SubdomainDigest::from_bytes([7; 32]),
            phase,
            revision,
        },
    }
}

/// Home, as far as one subdomain is concerned.
#[derive(Default)]
struct Home {
    reservation: Option<SubdomainReservation>,
    reports: BTreeMap<TenantId, LastReport>,
}

impl Home {
    fn receive(
        &mut self,
        published: &Envelope<SubdomainReservationUpdated>,
        who: usize,
        now: Timestamp,
    ) -> Option<ReservationDecision> {
        let tenant = tenant(who, TenantStatus::Active);
        let last = self.reports.get(&id(who));
        let decided = decide_reservation(
            Some(&tenant),
            self.reservation.as_ref(),
            last,
            published,
            publication(now),
        )
        .unwrap()?;
        let before = self
            .reservation
            .as_ref()
            .map_or(Generation::NONE, |reservation| reservation.generation);
        assert!(
            decided
                .reservation
                .as_ref()
                .is_none_or(|reservation| reservation.generation == before.next()),
            "every change is guarded"
        );
        assert_eq!(
            (decided.answer.region, decided.answer.sequence),
            (region(PLACES[who]), published.data.revision)
        );
        self.reservation = decided.reservation.or(self.reservation.take());
        self.reports.insert(id(who), decided.report);
        Some(decided.answer.data.decision)
    }

    /// The tenant that holds the subdomain.
    fn holder(&self) -> Option<TenantId> {
        let held = self
            .reservation
            .as_ref()
            .filter(|reservation| matches!(reservation.state, ReservationState::Held { .. }));
        held.map(|reservation| reservation.tenant)
    }
}

/// The reporting tenant, the minute and the phase, and home's decision.
fn check(
    title: &str,
    rows: &[(
        i64,
        usize,
        ReservationPhase,
        u64,
        Option<ReservationDecision>,
    )],
) -> Home {
    let mut home = Home::default();
    for (minute, who, phase, revision, expected) in rows {
        let decided = home.receive(&published(*who, *phase, *revision), *who, at(*minute));
        assert_eq!(
            decided, *expected,
            "{title}: {who} reports {phase:?} in minute {minute}"
        );
    }
    home
}

#[test]
fn a_subdomain_is_leased_and_then_held() {
    use ReservationDecision::{Confirmed, Leased, Refused};
    use ReservationPhase as Phase;
    let lease = LEASE.as_mins();
    let home = check(
        "the first tenant gets the lease",
        &[
            (0, 0, Phase::Requested, 1, Some(Leased)),
            (1, 1, Phase::Requested, 1, Some(Refused)),
            (2, 0, Phase::Confirmed, 2, Some(Confirmed)),
            (3, 0, Phase::Confirmed, 2, Some(Confirmed)),
            (4, 0, Phase::Requested, 1, None),
            (5, 1, Phase::Requested, 2, Some(Refused)),
            (6, 1, Phase::Confirmed, 3, Some(Refused)),
        ],
    );
    assert_eq!(home.holder(), Some(id(0)));
    assert_eq!(home.reservation.unwrap().free_at(), None);
    let home = check(
        "a lease runs out",
        &[
            (0, 0, Phase::Requested, 1, Some(Leased)),
            (lease - 1, 1, Phase::Requested, 1, Some(Refused)),
            (lease, 1, Phase::Requested, 2, Some(Leased)),
            (lease, 0, Phase::Confirmed, 2, Some(Refused)),
            (lease, 1, Phase::Confirmed, 3, Some(Confirmed)),
        ],
    );
    assert_eq!(home.holder(), Some(id(1)));
    check(
        "an expired lease can be confirmed if nobody else reserved the subdomain",
        &[
            (0, 0, Phase::Requested, 1, Some(Leased)),
            (lease + 60, 0, Phase::Confirmed, 2, Some(Confirmed)),
        ],
    );
    check(
        "a repeated report gets the same decision",
        &[
            (0, 0, Phase::Requested, 1, Some(Leased)),
            (1, 1, Phase::Requested, 1, Some(Refused)),
            (lease + 1, 1, Phase::Requested, 1, Some(Refused)),
            (lease + 2, 0, Phase::Confirmed, 2, Some(Confirmed)),
        ],
    );
    check(
        "a confirmation needs a lease",
        &[(0, 0, Phase::Confirmed, 2, Some(Refused))],
    );
}

#[test]
fn a_released_subdomain_is_quarantined() {
    use ReservationDecision::{Confirmed, Leased, Refused, Released};
    use ReservationPhase as Phase;
    let (lease, quarantine) = (LEASE.as_mins(), QUARANTINE.as_mins());
    check(
        "a released lease is free at once",
        &[
            (0, 0, Phase::Requested, 1, Some(Leased)),
            (1, 0, Phase::Released, 2, Some(Released)),
            (1, 1, Phase::Requested, 1, Some(Leased)),
        ],
    );
    check(
        "a released subdomain is quarantined",
        &[
            (0, 0, Phase::Requested, 1, Some(Leased)),
            (0, 0, Phase::Confirmed, 2, Some(Confirmed)),
            (1, 0, Phase::Released, 3, Some(Released)),
            (9, 0, Phase::Released, 3, Some(Released)),
            (quarantine, 1, Phase::Requested, 1, Some(Refused)),
            (quarantine + 1, 1, Phase::Requested, 2, Some(Leased)),
        ],
    );
    check(
        "a lease of the last holder does not change the quarantine",
        &[
            (0, 0, Phase::Requested, 1, Some(Leased)),
            (0, 0, Phase::Confirmed, 2, Some(Confirmed)),
            (1, 0, Phase::Released, 3, Some(Released)),
            (2, 0, Phase::Requested, 4, Some(Leased)),
            (2 + lease, 1, Phase::Requested, 1, Some(Refused)),
            (quarantine + 1, 1, Phase::Requested, 2, Some(Leased)),
        ],
    );
    check(
        "a release arrives before the request",
        &[
            (0, 0, Phase::Released, 3, Some(Released)),
            (1, 0, Phase::Confirmed, 2, None),
            (1, 0, Phase::Requested, 1, None),
            (1, 1, Phase::Requested, 1, Some(Leased)),
        ],
    );
}

#[test]
fn a_record_is_obsolete_once_the_subdomain_is_free() {
    use ReservationPhase as Phase;
    let leased = check(
        "leased",
        &[(0, 0, Phase::Requested, 1, Some(ReservationDecision::Leased))],
    )
    .reservation
    .unwrap();
    let free = leased.free_at().unwrap();
    assert!(!leased.is_taken(free) && leased.is_taken(free - SignedDuration::from_secs(1)));
    let mut home = Home {
        reservation: Some(leased),
        ..Home::default()
    };
    home.receive(&published(0, Phase::Confirmed, 2), 0, at(1));
    home.receive(&published(0, Phase::Released, 3), 0, at(2));
    let released = home.reservation.unwrap();
    let free = released.free_at().unwrap();
    assert_eq!(free, at(2) + QUARANTINE);
    assert!(!released.is_taken(free) && released.is_taken(free - SignedDuration::from_secs(1)));
}

#[test]
fn only_a_tenant_in_the_directory_reserves_a_subdomain() {
    let asked = |tenant: Option<&Tenant>| {
        let published = published(0, ReservationPhase::Requested, 1);
        let decided = decide_reservation(tenant, None, None, &published, publication(at(0)))?;
        Ok::<_, Refusal>(decided.map(|decided| decided.answer.data.decision))
    };
    assert_eq!(asked(None), Err(Refusal::UnknownTenant));
    assert!(matches!(
        asked(Some(&tenant(1, TenantStatus::Active))),
        Err(Refusal::OwnedByAnotherRegion { .. })
    ));
    assert_eq!(
        asked(Some(&tenant(0, TenantStatus::Active))),
        Ok(Some(ReservationDecision::Leased))
    );
    assert_eq!(
        asked(Some(&tenant(0, TenantStatus::Closed))),
        Ok(Some(ReservationDecision::Refused))
    );
    let ends = decide_reservation(
        Some(&tenant(0, TenantStatus::Closed)),
        None,
        None,
        &published(0, ReservationPhase::Released, 3),
        publication(at(0)),
    );
    assert_eq!(
        ends.unwrap().unwrap().answer.data.decision,
        ReservationDecision::Released
    );
}

/// A region, as far as one tenant and one subdomain are concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Requesting,
    Confirming,
    Holding,
    Refused,
}

/// Two regions, home, and the messages between them.
struct Race {
    home: Home,
    now: Timestamp,
    sides: [(Side, u64); 2],
    reservations: Vec<(usize, ReservationPhase, u64)>,
    answers: Vec<(usize, ReservationDecision, u64)>,
}

impl Race {
    fn new() -> Self {
        let reservations = vec![
            (0, ReservationPhase::Requested, 1),
            (1, ReservationPhase::Requested, 1),
        ];
        let sides = [(Side::Requesting, 1), (Side::Requesting, 1)];
        Self {
            home: Home::default(),
            now: at(0),
            sides,
            reservations,
            answers: Vec::new(),
        }
    }

    /// Delivers the message at a place, and leaves it there if it is to be delivered again.
    fn deliver_reservation(&mut self, place: usize, again: bool) {
        if self.reservations.is_empty() {
            return;
        }
        let place = place % self.reservations.len();
        let (who, phase, revision) = if again {
            self.reservations[place]
        } else {
            self.reservations.swap_remove(place)
        };
        let decided = self
            .home
            .receive(&published(who, phase, revision), who, self.now);
        self.answers
            .extend(decided.map(|decision| (who, decision, revision)));
    }

    fn deliver_answer(&mut self, place: usize, again: bool) {
        if self.answers.is_empty() {
            return;
        }
        let place = place % self.answers.len();
        let (who, decision, revision) = if again {
            self.answers[place]
        } else {
            self.answers.swap_remove(place)
        };
        let (side, current) = self.sides[who];
        if revision != current {
            return;
        }
        self.sides[who] = match (side, decision) {
            (Side::Requesting, ReservationDecision::Leased) => {
                self.reservations
                    .push((who, ReservationPhase::Confirmed, current + 1));
                (Side::Confirming, current + 1)
            }
            (Side::Confirming, ReservationDecision::Confirmed) => (Side::Holding, current),
            (Side::Requesting | Side::Confirming, ReservationDecision::Refused) => {
                (Side::Refused, current)
            }
            _ => (side, current),
        };
    }

    /// A region that waits for an answer repeats its request.
    fn request_again(&mut self, who: usize) {
        let (side, revision) = self.sides[who];
        let phase = match side {
            Side::Requesting => ReservationPhase::Requested,
            Side::Confirming => ReservationPhase::Confirmed,
            Side::Holding | Side::Refused => return,
        };
        self.reservations.push((who, phase, revision + 1));
        self.sides[who] = (side, revision + 1);
    }

    /// At most one tenant has the subdomain, and only one that home has as its holder.
    fn assert_safe(&self) {
        for (who, (side, _)) in self.sides.iter().enumerate() {
            if *side == Side::Holding {
                assert_eq!(self.home.holder(), Some(id(who)));
            }
        }
    }

    fn step(&mut self, (what, place, again): (u8, usize, bool)) {
        match what {
            0 | 1 => self.deliver_reservation(place, again),
            2 | 3 => self.deliver_answer(place, again),
            4 => self.request_again(place % 2),
            _ => self.now += SignedDuration::from_mins(i64::try_from(place % 12).unwrap()),
        }
        self.assert_safe();
    }
}

proptest! {
    /// However events are delayed, repeated and reordered, and leases expire in between: one of the
    /// two gets the subdomain, and the other is refused.
    #[test]
    fn one_of_two_competing_tenants_gets_the_subdomain(
        steps in prop::collection::vec((0..6_u8, 0..16_usize, any::<bool>()), 0..80),
    ) {
        let mut race = Race::new();
        for step in steps {
            race.step(step);
        }
        for _ in 0..8 {
            (0..2).for_each(|who| race.request_again(who));
            while !race.reservations.is_empty() || !race.answers.is_empty() {
                race.deliver_reservation(0, false);
                race.deliver_answer(0, false);
                race.assert_safe();
            }
        }
        let mut ends = race.sides.map(|(side, _)| side);
        ends.sort_by_key(|side| *side == Side::Refused);
        prop_assert_eq!(ends, [Side::Holding, Side::Refused]);
    }
}
