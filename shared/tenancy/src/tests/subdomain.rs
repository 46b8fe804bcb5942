use super::*;
use contract::{ReservationDecision, SubdomainReservationDecided};
use kernel::SubdomainDigest;
use proptest::prelude::*;

fn subdomain(text: &str) -> CustomSubdomain {
    text.parse().unwrap()
}

/// Any function of the subdomain works here.
fn digest(text: &str) -> SubdomainDigest {
    let mut bytes = [0; 32];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    SubdomainDigest::from_bytes(bytes)
}

fn reservation(state: &State, text: &str) -> (State, Option<ChangeSet>) {
    let by = Actor::Holder;
    let changes =
        decide_subdomain_reservation(state, &subdomain(text), &digest(text), by, &context())
            .unwrap();
    (
        changes
            .clone()
            .map_or_else(|| state.clone(), |changes| after(state, changes)),
        changes,
    )
}

fn decided(
    text: &str,
    decision: ReservationDecision,
    revision: u64,
) -> SubdomainReservationDecided {
    SubdomainReservationDecided {
        tenant: ids().tenant,
        digest: digest(text),
        decision,
        revision,
    }
}

fn receive(
    state: &State,
    text: &str,
    decision: ReservationDecision,
    revision: u64,
) -> (State, Vec<String>) {
    let decided = decided(text, decision, revision);
    match decide_reservation_answer(state, &decided, SubdomainUse::Free, &context()) {
        Some(changes) => (after(state, changes.clone()), published(&changes)),
        None => (state.clone(), vec!["nothing".to_owned()]),
    }
}

/// A tenant with an active subdomain.
fn holder(text: &str) -> State {
    let (requesting, _) = reservation(&state(TenantStatus::Active), text);
    let (confirming, _) = receive(&requesting, text, ReservationDecision::Leased, 1);
    receive(&confirming, text, ReservationDecision::Confirmed, 2).0
}

fn held(state: &State) -> Option<&str> {
    state.tenant.custom_subdomain().map(CustomSubdomain::expose)
}

fn former(state: &State, now: &str) -> Vec<String> {
    state
        .tenant
        .former_subdomains(at(now))
        .map(|subdomain| subdomain.expose().to_owned())
        .collect()
}

#[test]
fn a_subdomain_is_well_formed_and_not_reserved() {
    for (text, valid) in [
        ("acme", true),
        ("a-1", true),
        ("3m-labs-2", true),
        (&*"x".repeat(32), true),
        (&*"x".repeat(33), false),
        ("ab", false),
        ("", false),
        ("-acme", false),
        ("acme-", false),
        ("ac--me", false),
        ("xn--acme", false),
        ("Acme", false),
        ("ac.me", false),
        ("ac_me", false),
        ("ac me", false),
        ("äcme", false),
        ("www", false),
        ("api", false),
        ("admin", false),
        ("localhost", false),
        ("eu-central-1", false),
        ("23456789abcd", false),
        ("hackathonxyz", true),
        // Twelve characters of the aliases' alphabet are an alias, whatever they spell.
        ("marsupajamas", false),
    ] {
        let parsed = text.parse::<CustomSubdomain>();
        assert_eq!(parsed.is_ok(), valid, "{text}");
        if let Ok(subdomain) = parsed {
            assert_eq!(
                (subdomain.expose(), format!("{subdomain:?}").as_str()),
                (text, "CustomSubdomain(..)")
            );
            assert_eq!(
                serde_json::from_value::<CustomSubdomain>(json!(text)).unwrap(),
                subdomain
            );
        }
    }
    assert!(serde_json::from_value::<CustomSubdomain>(json!("www")).is_err());
}

#[test]
fn a_subdomain_is_reserved_in_two_phases() {
    let active = state(TenantStatus::Active);
    let (requesting, changes) = reservation(&active, "acme");
    let changes = changes.unwrap();
    assert_eq!(
        (published(&changes), changes.due.len()),
        (vec!["requested:1".to_owned()], 1)
    );
    assert_eq!(held(&requesting), None);
    assert_eq!(
        reservation(&requesting, "acme").1,
        None,
        "it is reserved already"
    );

    let (confirming, events) = receive(&requesting, "acme", ReservationDecision::Leased, 1);
    assert_eq!(events, ["confirmed:2"]);
    assert_eq!(
        held(&confirming),
        None,
        "it is not active before home has confirmed"
    );
    let (holding, events) = receive(&confirming, "acme", ReservationDecision::Confirmed, 2);
    assert_eq!(
        (events, held(&holding)),
        (vec!["address:3".to_owned()], Some("acme"))
    );
    assert_eq!(reservation(&holding, "acme").1, None, "the tenant holds it");
    assert_eq!(format!("{:?}", holding.tenant).matches("acme").count(), 0);
}

/// The state and the revision that an answer fits; any other answer changes nothing.
#[test]
fn only_an_answer_to_the_latest_request_counts() {
    use ReservationDecision::{Confirmed, Leased, Refused, Released};
    let (requesting, _) = reservation(&state(TenantStatus::Active), "acme");
    let (confirming, _) = receive(&requesting, "acme", Leased, 1);
    let holding = holder("acme");
    for (before, text, decision, revision, expected) in [
        (&requesting, "acme", Confirmed, 1, "nothing"),
        (&requesting, "acme", Leased, 2, "nothing"),
        (&requesting, "other", Leased, 1, "nothing"),
        (&requesting, "acme", Released, 1, "nothing"),
        (&requesting, "acme", Refused, 0, "nothing"),
        (&confirming, "acme", Leased, 1, "nothing"),
        (&confirming, "acme", Leased, 2, "nothing"),
        (&confirming, "acme", Refused, 1, "nothing"),
        (&confirming, "acme", Confirmed, 2, "address:3"),
        (&holding, "acme", Confirmed, 2, "nothing"),
        (&holding, "acme", Refused, 2, "nothing"),
    ] {
        assert_eq!(
            receive(before, text, decision, revision).1,
            [expected],
            "{text} {decision:?} {revision}"
        );
    }
    for before in [&requesting, &confirming] {
        let revision = before.tenant.subdomains.as_ref().unwrap().revision;
        let (refused, events) = receive(before, "acme", Refused, revision);
        let reservation = refused
            .tenant
            .subdomains
            .clone()
            .unwrap()
            .reservation
            .unwrap();
        assert_eq!(
            (events, reservation.state, reservation.is_open()),
            (vec![], ReservationState::Refused, false)
        );
        let (again, changes) = super::subdomain::reservation(&refused, "acme");
        assert_eq!(
            published(&changes.unwrap()),
            [format!("requested:{}", revision + 1)]
        );
        assert!(
            again
                .tenant
                .subdomains
                .unwrap()
                .reservation
                .unwrap()
                .is_open()
        );
    }
}

#[test]
fn other_tenants_use_of_the_subdomain_counts_too() {
    let (requesting, _) = reservation(&state(TenantStatus::Active), "acme");
    let leased = decided("acme", ReservationDecision::Leased, 1);
    let reserved =
        decide_reservation_answer(&requesting, &leased, SubdomainUse::Reserved, &context());
    assert_eq!(reserved, None, "the request to home is repeated");
    let leading =
        decide_reservation_answer(&requesting, &leased, SubdomainUse::Leading, &context()).unwrap();
    assert_eq!(published(&leading), ["released:2"]);
    assert_eq!(
        after(&requesting, leading)
            .tenant
            .subdomains
            .unwrap()
            .reservation
            .unwrap()
            .state,
        ReservationState::Refused
    );
}

#[test]
fn another_subdomain_is_reserved_before_the_first_is_released() {
    let acme = holder("acme");
    let (requesting, changes) = reservation(&acme, "acme-labs");
    assert_eq!(
        (published(&changes.unwrap()), held(&requesting)),
        (vec!["requested:4".to_owned()], Some("acme"))
    );
    let (confirming, _) = receive(&requesting, "acme-labs", ReservationDecision::Leased, 4);
    let (labs, events) = receive(&confirming, "acme-labs", ReservationDecision::Confirmed, 5);
    assert_eq!(events, ["released:6", "address:7"]);
    assert_eq!(held(&labs), Some("acme-labs"));
    assert_eq!(former(&labs, "2026-11-27T09:59:59Z"), ["acme"]);
    assert_eq!(
        former(&labs, "2026-11-27T10:00:00Z"),
        Vec::<String>::new(),
        "its record has been removed"
    );
    assert_eq!(
        labs.tenant.subdomains.as_ref().unwrap().former[0].subdomain,
        subdomain("acme")
    );

    let (changed, changes) = reservation(&confirming, "acme-works");
    assert_eq!(
        published(&changes.unwrap()),
        ["released:6", "requested:7"],
        "one reservation at a time"
    );
    let (repeated, changes) = reservation(&changed, "acme");
    assert_eq!(
        published(&changes.unwrap()),
        ["released:8"],
        "the active subdomain stays"
    );
    assert_eq!(
        (
            held(&repeated),
            repeated
                .tenant
                .subdomains
                .as_ref()
                .unwrap()
                .reservation
                .clone()
        ),
        (Some("acme"), None)
    );

    let (back, _) = reservation(&labs, "acme");
    let (back, _) = receive(&back, "acme", ReservationDecision::Leased, 8);
    let (back, _) = receive(&back, "acme", ReservationDecision::Confirmed, 9);
    assert_eq!(
        (held(&back), former(&back, "2026-11-20T10:00:00Z")),
        (Some("acme"), vec!["acme-labs".to_owned()])
    );
}

#[test]
fn a_request_to_home_is_repeated_and_the_latest_answer_counts() {
    let (requesting, changes) = reservation(&state(TenantStatus::Active), "acme");
    let due = changes.unwrap().due[0];
    assert_eq!(
        (due.kind, due.at),
        (TaskKind::Subdomains, at("2026-11-20T10:05:00Z"))
    );
    let run_task = |state: &State, due: &ScheduledTask| {
        decide_task(
            state,
            due,
            false,
            &catalogue(),
            &settings("auto"),
            &context_at("2026-11-20T10:05:30Z"),
        )
        .unwrap()
    };
    let again = run_task(&requesting, &due);
    assert_eq!(
        (published(&again), again.done[0]),
        (vec!["requested:2".to_owned()], due)
    );
    let next = again.due[0];
    assert_eq!(next.at, at("2026-11-20T10:10:30Z"));
    let repeated = after(&requesting, again);
    assert!(
        published(&run_task(&repeated, &due)).is_empty(),
        "the request was repeated since"
    );
    assert_eq!(
        receive(&repeated, "acme", ReservationDecision::Refused, 1).1,
        ["nothing"]
    );
    assert_eq!(
        receive(&repeated, "acme", ReservationDecision::Leased, 1).1,
        ["nothing"]
    );
    let (confirming, events) = receive(&repeated, "acme", ReservationDecision::Leased, 2);
    assert_eq!(events, ["confirmed:3"]);
    assert!(
        published(&run_task(&confirming, &next)).is_empty(),
        "home has answered since"
    );
    let due = ScheduledTask {
        at: confirming
            .tenant
            .subdomains
            .as_ref()
            .unwrap()
            .reservation
            .as_ref()
            .unwrap()
            .ask_at,
        ..due
    };
    assert_eq!(published(&run_task(&confirming, &due)), ["confirmed:4"]);
    assert!(published(&run_task(&holder("acme"), &due)).is_empty());
}

#[test]
fn subdomains_are_released_on_request_and_at_the_end() {
    let release = |state: &State| decide_subdomain_release(state, Actor::Holder, &context());
    assert_eq!(release(&state(TenantStatus::Active)), None);
    let (both, _) = reservation(&holder("acme"), "acme-labs");
    let changes = release(&both).unwrap();
    assert_eq!(
        published(&changes),
        ["released:5", "released:6", "address:7"]
    );
    assert_eq!(changes.done.len(), 1, "the request to home is not repeated");
    let free = after(&both, changes);
    assert_eq!(
        (held(&free), former(&free, "2026-11-20T10:00:00Z")),
        (None, vec!["acme".to_owned()])
    );
    assert_eq!(release(&free), None);

    let closing = decide_closure(
        &both,
        Actor::Holder,
        KeyDigest::of("a", "b"),
        &settings("auto"),
        &context(),
    )
    .unwrap();
    let closing = after(&both, closing);
    assert_eq!(held(&closing), Some("acme"), "a closure can be undone");
    let grace = ScheduledTask {
        at: at("2026-12-20T10:00:00Z"),
        kind: TaskKind::Grace,
        tenant: ids().tenant,
    };
    let run_task = |state: &State, due: ScheduledTask| {
        let context = context_at("2027-01-20T10:00:00Z");
        let changes =
            decide_task(state, &due, true, &catalogue(), &settings("auto"), &context).unwrap();
        (after(state, changes.clone()), published(&changes))
    };
    let (fenced, _) = run_task(&closing, grace);
    let (closed, events) = run_task(
        &fenced,
        ScheduledTask {
            kind: TaskKind::Drain,
            ..grace
        },
    );
    assert!(
        events.ends_with(&[
            "released:5".to_owned(),
            "released:6".to_owned(),
            "address:7".to_owned()
        ]),
        "{events:?}"
    );
    assert_eq!(
        (closed.tenant.status, held(&closed)),
        (TenantStatus::Closed, None)
    );
    let (erased, _) = run_task(
        &closed,
        ScheduledTask {
            kind: TaskKind::Erasure,
            ..grace
        },
    );
    assert_eq!(erased.tenant.subdomains, None);
}

/// Even without a retention, the DNS records are removed before the subdomains are erased.
#[test]
fn a_subdomain_is_erased_after_its_record() {
    let text = "provisioning=auto builder_toolkit=false answer_minutes=60 confirm_hours=24 grace_days=0 retention_days=0 hosted_zone=";
    let settings: Settings = text.parse().unwrap();
    for (open, erased_at) in [
        (state(TenantStatus::Active), "2026-11-20T10:00:00Z"),
        (holder("acme"), "2026-11-20T10:15:00Z"),
    ] {
        let closing = decide_closure(
            &open,
            Actor::Holder,
            KeyDigest::of("a", "b"),
            &settings,
            &context(),
        )
        .unwrap();
        let grace = *closing.due.first().unwrap();
        let closing = after(&open, closing);
        let run_task = |state: &State, kind| {
            let due = ScheduledTask { kind, ..grace };
            let changes =
                decide_task(state, &due, true, &catalogue(), &settings, &context()).unwrap();
            (after(state, changes.clone()), changes)
        };
        let (fenced, _) = run_task(&closing, TaskKind::Grace);
        let (_, closed) = run_task(&fenced, TaskKind::Drain);
        let erasure = closed.due.iter().find(|due| due.kind == TaskKind::Erasure);
        assert_eq!(erasure.map(|due| due.at), Some(at(erased_at)));
    }
}

#[test]
fn only_an_active_tenant_reserves_a_subdomain() {
    for status in TenantStatus::ALL {
        let reserved = decide_subdomain_reservation(
            &state(status),
            &subdomain("acme"),
            &digest("acme"),
            Actor::Holder,
            &context(),
        );
        assert_eq!(reserved.is_ok(), status == TenantStatus::Active, "{status}");
    }
}

proptest! {
    /// Whatever home answers, in any order: a subdomain is active only after home confirmed this
    /// very reservation, and a repeated answer changes nothing.
    #[test]
    fn a_subdomain_is_active_only_after_home_confirmed_it(
        answers in prop::collection::vec((0..2_usize, 0..4_usize, 1..8_u64), 0..24),
    ) {
        use ReservationDecision::{Confirmed, Leased, Refused, Released};
        let names = ["acme", "globex"];
        let (mut tenant, _) = reservation(&state(TenantStatus::Active), names[0]);
        for (name, decision, revision) in answers {
            let decision = [Leased, Confirmed, Refused, Released][decision];
            let before = tenant.clone();
            tenant = receive(&before, names[name], decision, revision).0;
            let again = receive(&tenant, names[name], decision, revision);
            prop_assert_eq!(&again.1, &["nothing".to_owned()]);
            if held(&tenant) != held(&before) {
                prop_assert_eq!((held(&tenant), decision), (Some(names[name]), Confirmed));
            }
            if tenant.tenant.subdomains.as_ref().is_some_and(|subdomains| subdomains.open_reservation().is_none()) {
                tenant = reservation(&tenant, names[name]).0;
            }
        }
    }
}
