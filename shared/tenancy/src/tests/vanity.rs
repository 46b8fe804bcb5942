use super::*;
use contract::{ClaimDecision, VanityDecided};
use kernel::ClaimDigest;
use proptest::prelude::*;

fn label(text: &str) -> VanityLabel {
    text.parse().unwrap()
}

/// Any function of the label will do here.
fn digest(text: &str) -> ClaimDigest {
    let mut bytes = [0; 32];
    bytes[..text.len()].copy_from_slice(text.as_bytes());
    ClaimDigest::from_bytes(bytes)
}

fn claim(state: &State, text: &str) -> (State, Option<Outcome>) {
    let by = Actor::Holder;
    let outcome =
        decide_address_claim(state, &label(text), &digest(text), by, &occasion()).unwrap();
    (
        outcome
            .clone()
            .map_or_else(|| state.clone(), |outcome| after(state, outcome)),
        outcome,
    )
}

fn decided(text: &str, decision: ClaimDecision, revision: u64) -> VanityDecided {
    VanityDecided {
        tenant: ids().tenant,
        claim: digest(text),
        decision,
        revision,
    }
}

fn hear(state: &State, text: &str, decision: ClaimDecision, revision: u64) -> (State, Vec<String>) {
    let decided = decided(text, decision, revision);
    match decide_claim_decision(state, &decided, LabelUse::Free, &occasion()) {
        Some(outcome) => (after(state, outcome.clone()), stated(&outcome)),
        None => (state.clone(), vec!["nothing".to_owned()]),
    }
}

/// A tenant to which a label leads.
fn holder(text: &str) -> State {
    let (claiming, _) = claim(&state(TenantStatus::Active), text);
    let (confirming, _) = hear(&claiming, text, ClaimDecision::Leased, 1);
    hear(&confirming, text, ClaimDecision::Confirmed, 2).0
}

fn held(state: &State) -> Option<&str> {
    state.tenant.vanity_label().map(VanityLabel::expose)
}

fn former(state: &State, now: &str) -> Vec<String> {
    state
        .tenant
        .former_labels(at(now))
        .map(|label| label.expose().to_owned())
        .collect()
}

#[test]
fn a_label_is_readable_and_nobody_elses_word() {
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
        let parsed = text.parse::<VanityLabel>();
        assert_eq!(parsed.is_ok(), valid, "{text}");
        if let Ok(label) = parsed {
            assert_eq!(
                (label.expose(), format!("{label:?}").as_str()),
                (text, "VanityLabel(..)")
            );
            assert_eq!(
                serde_json::from_value::<VanityLabel>(json!(text)).unwrap(),
                label
            );
        }
    }
    assert!(serde_json::from_value::<VanityLabel>(json!("www")).is_err());
}

#[test]
fn a_label_is_claimed_in_two_phases() {
    let active = state(TenantStatus::Active);
    let (claiming, outcome) = claim(&active, "acme");
    let outcome = outcome.unwrap();
    assert_eq!(
        (stated(&outcome), outcome.due.len()),
        (vec!["requested:1".to_owned()], 1)
    );
    assert_eq!(held(&claiming), None);
    assert_eq!(claim(&claiming, "acme").1, None, "it is claimed already");

    let (confirming, facts) = hear(&claiming, "acme", ClaimDecision::Leased, 1);
    assert_eq!(facts, ["confirmed:2"]);
    assert_eq!(
        held(&confirming),
        None,
        "nothing leads to it before home has confirmed"
    );
    let (holding, facts) = hear(&confirming, "acme", ClaimDecision::Confirmed, 2);
    assert_eq!(
        (facts, held(&holding)),
        (vec!["address:3".to_owned()], Some("acme"))
    );
    assert_eq!(claim(&holding, "acme").1, None, "it is the tenant's");
    assert_eq!(format!("{:?}", holding.tenant).matches("acme").count(), 0);
}

/// In which state an answer fits, and to which revision; anything else is no news.
#[test]
fn an_answer_fits_what_it_answers_only() {
    use ClaimDecision::{Confirmed, Leased, Refused, Released};
    let (claiming, _) = claim(&state(TenantStatus::Active), "acme");
    let (confirming, _) = hear(&claiming, "acme", Leased, 1);
    let holding = holder("acme");
    for (before, text, decision, revision, expected) in [
        (&claiming, "acme", Confirmed, 1, "nothing"),
        (&claiming, "acme", Leased, 2, "nothing"),
        (&claiming, "other", Leased, 1, "nothing"),
        (&claiming, "acme", Released, 1, "nothing"),
        (&claiming, "acme", Refused, 0, "nothing"),
        (&confirming, "acme", Leased, 1, "nothing"),
        (&confirming, "acme", Leased, 2, "nothing"),
        (&confirming, "acme", Refused, 1, "nothing"),
        (&confirming, "acme", Confirmed, 2, "address:3"),
        (&holding, "acme", Confirmed, 2, "nothing"),
        (&holding, "acme", Refused, 2, "nothing"),
    ] {
        assert_eq!(
            hear(before, text, decision, revision).1,
            [expected],
            "{text} {decision:?} {revision}"
        );
    }
    for before in [&claiming, &confirming] {
        let revision = before.tenant.vanity.as_ref().unwrap().revision;
        let (refused, facts) = hear(before, "acme", Refused, revision);
        let claim = refused.tenant.vanity.clone().unwrap().claim.unwrap();
        assert_eq!(
            (facts, claim.state, claim.is_open()),
            (vec![], ClaimState::Refused, false)
        );
        let (again, outcome) = super::vanity::claim(&refused, "acme");
        assert_eq!(
            stated(&outcome.unwrap()),
            [format!("requested:{}", revision + 1)]
        );
        assert!(again.tenant.vanity.unwrap().claim.unwrap().is_open());
    }
}

#[test]
fn what_stands_under_the_label_in_the_region_counts_too() {
    let (claiming, _) = claim(&state(TenantStatus::Active), "acme");
    let leased = decided("acme", ClaimDecision::Leased, 1);
    let reserved = decide_claim_decision(&claiming, &leased, LabelUse::Reserved, &occasion());
    assert_eq!(reserved, None, "home is asked again");
    let leading =
        decide_claim_decision(&claiming, &leased, LabelUse::Leading, &occasion()).unwrap();
    assert_eq!(stated(&leading), ["released:2"]);
    assert_eq!(
        after(&claiming, leading)
            .tenant
            .vanity
            .unwrap()
            .claim
            .unwrap()
            .state,
        ClaimState::Refused
    );
}

#[test]
fn another_label_is_claimed_before_the_first_is_given_up() {
    let acme = holder("acme");
    let (claiming, outcome) = claim(&acme, "acme-labs");
    assert_eq!(
        (stated(&outcome.unwrap()), held(&claiming)),
        (vec!["requested:4".to_owned()], Some("acme"))
    );
    let (confirming, _) = hear(&claiming, "acme-labs", ClaimDecision::Leased, 4);
    let (labs, facts) = hear(&confirming, "acme-labs", ClaimDecision::Confirmed, 5);
    assert_eq!(facts, ["released:6", "address:7"]);
    assert_eq!(held(&labs), Some("acme-labs"));
    assert_eq!(former(&labs, "2026-11-27T09:59:59Z"), ["acme"]);
    assert_eq!(
        former(&labs, "2026-11-27T10:00:00Z"),
        Vec::<String>::new(),
        "its record is long gone"
    );
    assert_eq!(
        labs.tenant.vanity.as_ref().unwrap().former[0].label,
        label("acme")
    );

    let (changed, outcome) = claim(&confirming, "acme-works");
    assert_eq!(
        stated(&outcome.unwrap()),
        ["released:6", "requested:7"],
        "one claim at a time"
    );
    let (kept, outcome) = claim(&changed, "acme");
    assert_eq!(
        stated(&outcome.unwrap()),
        ["released:8"],
        "the label in use is kept"
    );
    assert_eq!(
        (
            held(&kept),
            kept.tenant.vanity.as_ref().unwrap().claim.clone()
        ),
        (Some("acme"), None)
    );

    let (back, _) = claim(&labs, "acme");
    let (back, _) = hear(&back, "acme", ClaimDecision::Leased, 8);
    let (back, _) = hear(&back, "acme", ClaimDecision::Confirmed, 9);
    assert_eq!(
        (held(&back), former(&back, "2026-11-20T10:00:00Z")),
        (Some("acme"), vec!["acme-labs".to_owned()])
    );
}

#[test]
fn home_is_asked_again_and_the_latest_answer_counts() {
    let (claiming, outcome) = claim(&state(TenantStatus::Active), "acme");
    let due = outcome.unwrap().due[0];
    assert_eq!(
        (due.kind, due.at),
        (DueKind::Vanity, at("2026-11-20T10:05:00Z"))
    );
    let look = |state: &State, due: &Due| {
        decide_due(
            state,
            due,
            false,
            &catalogue(),
            &settings("auto"),
            &occasion_at("2026-11-20T10:05:30Z"),
        )
        .unwrap()
    };
    let again = look(&claiming, &due);
    assert_eq!(
        (stated(&again), again.done[0]),
        (vec!["requested:2".to_owned()], due)
    );
    let next = again.due[0];
    assert_eq!(next.at, at("2026-11-20T10:10:30Z"));
    let asked = after(&claiming, again);
    assert!(stated(&look(&asked, &due)).is_empty(), "it was asked since");
    assert_eq!(
        hear(&asked, "acme", ClaimDecision::Refused, 1).1,
        ["nothing"]
    );
    assert_eq!(
        hear(&asked, "acme", ClaimDecision::Leased, 1).1,
        ["nothing"]
    );
    let (confirming, facts) = hear(&asked, "acme", ClaimDecision::Leased, 2);
    assert_eq!(facts, ["confirmed:3"]);
    assert!(
        stated(&look(&confirming, &next)).is_empty(),
        "it was answered since"
    );
    let due = Due {
        at: confirming
            .tenant
            .vanity
            .as_ref()
            .unwrap()
            .claim
            .as_ref()
            .unwrap()
            .ask_at,
        ..due
    };
    assert_eq!(stated(&look(&confirming, &due)), ["confirmed:4"]);
    assert!(stated(&look(&holder("acme"), &due)).is_empty());
}

#[test]
fn what_a_tenant_has_is_given_up_by_it_and_at_its_end() {
    let release = |state: &State| decide_address_release(state, Actor::Holder, &occasion());
    assert_eq!(release(&state(TenantStatus::Active)), None);
    let (both, _) = claim(&holder("acme"), "acme-labs");
    let outcome = release(&both).unwrap();
    assert_eq!(stated(&outcome), ["released:5", "released:6", "address:7"]);
    assert_eq!(outcome.done.len(), 1, "home is not asked again");
    let free = after(&both, outcome);
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
        &occasion(),
    )
    .unwrap();
    let closing = after(&both, closing);
    assert_eq!(held(&closing), Some("acme"), "a closure can be undone");
    let grace = Due {
        at: at("2026-12-20T10:00:00Z"),
        kind: DueKind::Grace,
        tenant: ids().tenant,
    };
    let look = |state: &State, due: Due| {
        let occasion = occasion_at("2027-01-20T10:00:00Z");
        let outcome = decide_due(
            state,
            &due,
            true,
            &catalogue(),
            &settings("auto"),
            &occasion,
        )
        .unwrap();
        (after(state, outcome.clone()), stated(&outcome))
    };
    let (fenced, _) = look(&closing, grace);
    let (closed, facts) = look(
        &fenced,
        Due {
            kind: DueKind::Drain,
            ..grace
        },
    );
    assert!(
        facts.ends_with(&[
            "released:5".to_owned(),
            "released:6".to_owned(),
            "address:7".to_owned()
        ]),
        "{facts:?}"
    );
    assert_eq!(
        (closed.tenant.status, held(&closed)),
        (TenantStatus::Closed, None)
    );
    let (erased, _) = look(
        &closed,
        Due {
            kind: DueKind::Erasure,
            ..grace
        },
    );
    assert_eq!(erased.tenant.vanity, None);
}

/// Even where nothing is kept, the records of the labels are removed before the labels are
/// forgotten.
#[test]
fn a_label_is_erased_when_its_record_is_gone() {
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
            &occasion(),
        )
        .unwrap();
        let grace = *closing.due.first().unwrap();
        let closing = after(&open, closing);
        let look = |state: &State, kind| {
            let due = Due { kind, ..grace };
            let outcome =
                decide_due(state, &due, true, &catalogue(), &settings, &occasion()).unwrap();
            (after(state, outcome.clone()), outcome)
        };
        let (fenced, _) = look(&closing, DueKind::Grace);
        let (_, closed) = look(&fenced, DueKind::Drain);
        let erasure = closed.due.iter().find(|due| due.kind == DueKind::Erasure);
        assert_eq!(erasure.map(|due| due.at), Some(at(erased_at)));
    }
}

#[test]
fn only_a_tenant_in_use_claims() {
    for status in TenantStatus::ALL {
        let claimed = decide_address_claim(
            &state(status),
            &label("acme"),
            &digest("acme"),
            Actor::Holder,
            &occasion(),
        );
        assert_eq!(claimed.is_ok(), status == TenantStatus::Active, "{status}");
    }
}

proptest! {
    /// Whatever home answers and in whatever order: a label leads to the tenant only after home
    /// confirmed that very claim, and an answer that comes twice changes nothing the second time.
    #[test]
    fn a_label_leads_only_where_home_confirmed_it(
        answers in prop::collection::vec((0..2_usize, 0..4_usize, 1..8_u64), 0..24),
    ) {
        use ClaimDecision::{Confirmed, Leased, Refused, Released};
        let names = ["acme", "globex"];
        let (mut tenant, _) = claim(&state(TenantStatus::Active), names[0]);
        for (name, decision, revision) in answers {
            let decision = [Leased, Confirmed, Refused, Released][decision];
            let before = tenant.clone();
            tenant = hear(&before, names[name], decision, revision).0;
            let again = hear(&tenant, names[name], decision, revision);
            prop_assert_eq!(&again.1, &["nothing".to_owned()]);
            if held(&tenant) != held(&before) {
                prop_assert_eq!((held(&tenant), decision), (Some(names[name]), Confirmed));
            }
            if tenant.tenant.vanity.as_ref().is_some_and(|vanity| vanity.open_claim().is_none()) {
                tenant = claim(&tenant, names[name]).0;
            }
        }
    }
}
