use super::*;
use contract::{Envelope, SealDigest, Stream, UsageSealed, UsageStreamEndReported};
use std::collections::BTreeSet;

const DAY: &str = "2026-10-05T06:30:00Z";

fn at(text: &str) -> Timestamp {
    moment(&format!("2026-10-{text}Z"))
}

fn totals() -> Vec<UsageWindow> {
    let window = |meter: &str, value: &str| UsageWindow {
        start: moment(DAY),
        ..window(meter, 5, value, 3)
    };
    let late = UsageWindow {
        part: WindowPart::Adjustment,
        ..window("tokens", "9")
    };
    vec![
        window("tokens", "5"),
        window("api-calls", "3"),
        late,
        super::window("tokens", 6, "8", 8),
    ]
}

fn published(sequence: u64, totals: &[UsageWindow]) -> Envelope<UsageSealed> {
    let sealed: Vec<_> = totals
        .iter()
        .filter(|total| SealDigest::covers(moment(DAY), total))
        .collect();
    Envelope {
        id: "0199a1f0-0000-7000-8000-ffff00000001".parse().unwrap(),
        region: "eu-central-1".parse().unwrap(),
        stream: Stream::Usage(tenant(1)),
        sequence,
        occurred_at: at("09T07:00:00"),
        data: UsageSealed {
            tenant: tenant(1),
            day: moment(DAY),
            totals: sealed.len() as u64,
            digest: SealDigest::of(sealed),
        },
    }
}

fn other_totals() -> Vec<UsageWindow> {
    let mut other = totals();
    other[0].value = quantity("6");
    other
}

fn sealed(ledger: &[UsageWindow]) -> Seal {
    decide_sealed(None, &published(9, &totals()), ledger, at("09T07:00:00")).unwrap()
}

type Spoil = fn(&mut Vec<UsageWindow>);

#[test]
fn a_seal_holds_when_the_ledger_has_exactly_the_sealed_totals() {
    assert!(sealed(&totals()).retry.is_none());
    let spoil: [(&str, Spoil); 6] = [
        ("one is missing", |all| drop(all.remove(0))),
        ("one more", |all| {
            all.push(UsageWindow {
                group: "model=large".parse().unwrap(),
                ..all[0].clone()
            })
        }),
        ("another value", |all| all[1].value = quantity("4")),
        ("another count", |all| all[1].events = 4),
        ("another revision", |all| all[1].revision = 2),
        ("another group", |all| {
            all[0].group = "model=large".parse().unwrap()
        }),
    ];
    for (what, spoil) in spoil {
        let mut all = totals();
        spoil(&mut all);
        assert!(sealed(&all).retry.is_some(), "{what}");
    }
    let mut beside = totals();
    beside.truncate(2);
    beside.reverse();
    assert!(
        sealed(&beside).retry.is_none(),
        "adjustments and other days do not matter, nor does the order"
    );
}

#[test]
fn a_day_that_differs_is_requested_with_growing_pauses_and_is_an_incident_after_three() {
    let mut seal = sealed(&[]);
    let mut requested = Vec::new();
    // Checks run every quarter of an hour, like the schedule, for two days.
    for quarter in 1..=192 {
        let now = Timestamp::from_second(at("09T07:00:00").as_second() + quarter * 900).unwrap();
        let Some(decision) = reconcile_seal(&seal, &[], now) else {
            continue;
        };
        assert!(decision.is_requested);
        requested.push((
            now.to_string(),
            decision.seal.incident().map(|incident| incident.kind),
        ));
        seal = decision.seal;
    }
    let expected = [
        ("2026-10-09T07:15:00Z", None),
        ("2026-10-09T07:45:00Z", None),
        ("2026-10-09T08:45:00Z", None),
        ("2026-10-09T10:45:00Z", Some(IncidentKind::TotalsDiffer)),
        ("2026-10-10T10:45:00Z", Some(IncidentKind::TotalsDiffer)),
    ];
    assert_eq!(
        requested,
        expected.map(|(at, incident)| (at.to_owned(), incident))
    );
    let incident = seal.incident().unwrap();
    assert_eq!((incident.since, incident.requests), (at("09T10:45:00"), 5));
    assert_eq!(
        incident.subject().to_string().parse(),
        Ok(Subject::Day(tenant(1), moment(DAY)))
    );

    let mended = reconcile_seal(&seal, &totals(), at("11T00:00:00")).unwrap();
    assert_eq!((mended.seal.incident(), mended.is_requested), (None, false));
    assert_eq!(
        reconcile_seal(&mended.seal, &totals(), at("12T00:00:00")),
        None
    );
    let again = reconcile_seal(&mended.seal, &other_totals(), at("12T00:00:00")).unwrap();
    assert_eq!(
        (again.is_requested, again.seal.retry),
        (false, Some(RetryState::new(at("12T00:00:00"))))
    );
}

#[test]
fn another_seal_is_an_incident_until_the_first_is_published_again() {
    let now = at("09T08:00:00");
    let first = sealed(&totals());
    let disputed = decide_sealed(
        Some(&first),
        &published(12, &other_totals()),
        &totals(),
        now,
    )
    .unwrap();
    assert_eq!(
        (disputed.totals, &disputed.digest),
        (first.totals, &first.digest)
    );
    assert_eq!(
        disputed.incident().map(|incident| incident.kind),
        Some(IncidentKind::SealDisputed)
    );
    for (resealed, sequence) in [
        (other_totals(), 12),
        (other_totals(), 8),
        (totals(), 9),
        (totals(), 11),
    ] {
        let after = decide_sealed(
            Some(&disputed),
            &published(sequence, &resealed),
            &totals(),
            now,
        );
        let incident = after.unwrap_or_else(|| disputed.clone()).incident();
        assert!(incident.is_some(), "number {sequence} ends no dispute");
    }
    let completed =
        decide_sealed(Some(&disputed), &published(13, &totals()), &totals(), now).unwrap();
    assert_eq!((completed.incident(), completed.retry), (None, None));
    assert_eq!(
        decide_sealed(
            Some(&completed),
            &published(12, &other_totals()),
            &totals(),
            now
        ),
        None
    );
}

#[test]
fn a_seal_that_is_published_again_with_nothing_new_changes_nothing() {
    let seal = sealed(&totals());
    for sequence in [9, 3] {
        assert_eq!(
            decide_sealed(
                Some(&seal),
                &published(sequence, &totals()),
                &totals(),
                at("20T00:00:00")
            ),
            None
        );
    }
    let again = decide_sealed(
        Some(&seal),
        &published(14, &totals()),
        &totals(),
        at("20T00:00:00"),
    )
    .unwrap();
    assert_eq!(
        again,
        Seal {
            sequence: 14,
            ..seal
        }
    );
}

fn tracker(numbers: &[u64]) -> SequenceTracker {
    let mark = |tracker: SequenceTracker, number: &u64| {
        tracker
            .mark(*number, at("09T07:00:00"))
            .unwrap()
            .unwrap_or(tracker)
    };
    numbers.iter().fold(SequenceTracker::default(), mark)
}

fn days(seals: &[(&str, u64)], totalled: &[&str]) -> KnownDays {
    let seal = |(day, sequence): &(&str, u64)| Seal {
        day: at(day),
        sequence: *sequence,
        ..sealed(&totals())
    };
    KnownDays {
        totalled: totalled.iter().map(|day| at(day)).collect(),
        seals: seals.iter().map(seal).collect(),
    }
}

#[test]
fn a_gap_is_retried_as_long_as_it_is_open() {
    assert_eq!(tracker(&[1, 2, 3]).retry, None);
    let open = tracker(&[1, 4, 2]);
    assert_eq!(open.retry, Some(RetryState::new(at("09T07:00:00"))));
    assert_eq!(
        open.mark(3, at("09T08:00:00")).unwrap().unwrap().retry,
        None
    );
    assert_eq!(
        reconcile_tracker(&open, &KnownDays::default(), at("09T07:14:59")),
        None
    );
}

#[test]
fn every_day_that_a_lost_report_may_cover_is_requested() {
    let open = tracker(&[1, 2, 4]);
    let known = days(
        &[("05T06:30:00", 4), ("04T06:30:00", 2)],
        &["05T06:30:00", "08T06:30:00", "09T06:30:00"],
    );
    let decision = reconcile_tracker(&open, &known, at("09T07:15:00")).unwrap();
    assert_eq!(
        decision.resend_days.len(),
        REPORTED_DAYS_MAX - 1,
        "the fifth was published after the gap"
    );
    assert_eq!(
        decision.resend_days[..4],
        [
            at("09T06:30:00"),
            at("08T06:30:00"),
            at("07T06:30:00"),
            at("06T06:30:00")
        ]
    );
    assert!(
        decision.resend_days.contains(&at("04T06:30:00"))
            && !decision.resend_days.contains(&at("05T06:30:00"))
    );
    assert_eq!(
        decision.resend_days.iter().collect::<BTreeSet<_>>().len(),
        decision.resend_days.len()
    );
    assert_eq!(decision.tracker.retry.unwrap().requests, 1);
}

#[test]
fn a_gap_closes_when_all_days_of_it_were_published_after_it() {
    let open = tracker(&[1, 2, 4]);
    let requested = reconcile_tracker(&open, &days(&[("04T06:30:00", 2)], &[]), at("09T07:15:00"))
        .unwrap()
        .tracker;
    let whole = |seals: &[(&str, u64)], totalled: &[&str]| {
        let decision =
            reconcile_tracker(&requested, &days(seals, totalled), at("09T07:45:00")).unwrap();
        decision.tracker.received.missing() == 0
    };
    assert!(whole(&[("04T06:30:00", 5)], &[]));
    assert!(whole(
        &[("04T06:30:00", 5), ("05T06:30:00", 7)],
        &["04T06:30:00", "05T06:30:00"]
    ));
    assert!(
        whole(&[("04T06:30:00", 5)], &["10T06:30:00"]),
        "that day began later"
    );
    assert!(
        !whole(&[("04T06:30:00", 2)], &[]),
        "adjustments of the day may be in the gap"
    );
    assert!(
        !whole(&[("04T06:30:00", 3)], &[]),
        "the number of the missing report is not after the gap"
    );
    assert!(
        !whole(&[("04T06:30:00", 5)], &["05T06:30:00"]),
        "that day is not sealed yet"
    );
    assert!(!whole(&[], &[]), "nothing is known");
    let mut differs = days(&[("04T06:30:00", 5)], &[]);
    differs.seals[0].retry = Some(RetryState::new(at("09T07:00:00")));
    assert!(
        reconcile_tracker(&requested, &differs, at("09T07:45:00"))
            .unwrap()
            .tracker
            .received
            .missing()
            > 0
    );

    let closed = reconcile_tracker(
        &requested,
        &days(&[("04T06:30:00", 5)], &[]),
        at("09T07:45:00"),
    )
    .unwrap();
    assert_eq!(
        (closed.resend_days, closed.tracker),
        (vec![], tracker(&[1, 2, 3, 4]))
    );
    let first =
        reconcile_tracker(&open, &days(&[("04T06:30:00", 5)], &[]), at("09T07:15:00")).unwrap();
    assert!(
        !first.resend_days.is_empty(),
        "a day without any report is requested once"
    );
}

fn end(sequence: u64, sealed_until: Option<&str>) -> Envelope<UsageStreamEndReported> {
    let Envelope {
        id,
        region,
        stream,
        occurred_at,
        ..
    } = published(sequence, &totals());
    let data = UsageStreamEndReported {
        tenant: tenant(1),
        sealed_until: sealed_until.map(at),
    };
    Envelope {
        id,
        region,
        stream,
        sequence,
        occurred_at,
        data,
    }
}

#[test]
fn the_end_of_the_stream_shows_missing_reports() {
    let now = at("09T07:00:00");
    let whole = tracker(&[1, 2, 3])
        .mark_end(&end(4, None), now)
        .unwrap()
        .unwrap();
    assert_eq!(
        (whole.received.missing(), whole.retry),
        (0, None),
        "nothing was lost"
    );
    let open = tracker(&[1, 2])
        .mark_end(&end(5, Some("06T06:30:00")), now)
        .unwrap()
        .unwrap();
    assert_eq!(
        (open.received.missing(), open.retry),
        (2, Some(RetryState::new(now)))
    );
    assert_eq!(
        open.mark_end(&end(5, Some("06T06:30:00")), at("09T08:00:00"))
            .unwrap(),
        None,
        "the report was received before"
    );
    let first = SequenceTracker::default()
        .mark_end(&end(2, None), now)
        .unwrap()
        .unwrap();
    assert_eq!(
        first.received.missing(),
        1,
        "the first report was lost, and no other followed"
    );
}

#[test]
fn the_latest_end_of_the_stream_sets_the_last_sealed_day() {
    let ends = [
        end(2, None),
        end(4, Some("06T06:30:00")),
        end(6, Some("07T06:30:00")),
    ];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let apply = |known: SequenceTracker, n: usize| {
            known
                .mark_end(&ends[n], at("09T07:00:00"))
                .unwrap()
                .unwrap()
        };
        let known = order.into_iter().fold(tracker(&[1]), apply);
        assert_eq!(known.sealed_until, Some(at("07T06:30:00")));
        let after = known.mark(3, at("09T07:00:00")).unwrap().unwrap();
        assert_eq!(
            after.sealed_until, known.sealed_until,
            "other reports do not change it"
        );
    }
}

#[test]
fn without_reports_the_end_of_the_stream_shows_the_start_of_days() {
    let first = |sealed_until: Option<&str>| {
        let lost = SequenceTracker::default()
            .mark_end(&end(3, sealed_until), at("09T07:00:00"))
            .unwrap()
            .unwrap();
        reconcile_tracker(&lost, &KnownDays::default(), at("09T07:15:00")).unwrap()
    };
    assert_eq!(
        first(None).resend_days,
        [],
        "no day is sealed that could be published again"
    );
    let decision = first(Some("06T06:30:00"));
    assert_eq!(
        (decision.resend_days.len(), decision.resend_days[0]),
        (REPORTED_DAYS_MAX, at("09T06:30:00"))
    );
    assert!(
        decision.resend_days.contains(&at("05T06:30:00")),
        "the last sealed day"
    );
    let republished = days(&[("05T06:30:00", 5)], &["05T06:30:00"]);
    let closed = reconcile_tracker(&decision.tracker, &republished, at("09T07:45:00"))
        .unwrap()
        .tracker;
    assert_eq!(
        (closed.received.missing(), closed.sealed_until),
        (0, Some(at("06T06:30:00")))
    );
}

#[test]
fn a_lasting_gap_is_an_incident() {
    let mut open = tracker(&[2]);
    let region = "eu-central-1".parse().unwrap();
    for now in ["09T07:15:00", "09T07:45:00", "09T08:45:00"] {
        open = reconcile_tracker(&open, &KnownDays::default(), at(now))
            .unwrap()
            .tracker;
        assert_eq!(open.incident(tenant(1), &region), None);
    }
    open = reconcile_tracker(&open, &KnownDays::default(), at("09T10:45:00"))
        .unwrap()
        .tracker;
    let incident = open.incident(tenant(1), &region).unwrap();
    assert_eq!(
        (incident.kind, incident.missing_reports),
        (IncidentKind::ReportsMissing, Some(1))
    );
    assert_eq!(
        incident.subject().to_string().parse(),
        Ok(Subject::Reports(tenant(1), region.clone()))
    );
    let came = open.mark(1, at("09T11:00:00")).unwrap().unwrap();
    assert_eq!(came.incident(tenant(1), &region), None);
}

#[test]
fn an_incident_kind_has_one_name() {
    for kind in [
        IncidentKind::TotalsDiffer,
        IncidentKind::SealDisputed,
        IncidentKind::ReportsMissing,
    ] {
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
    }
}

#[test]
fn an_invalid_subject_is_refused() {
    for text in [
        "",
        "x",
        "0199a1f0-0000-7000-8000-000000000001/day",
        "0199a1f0-0000-7000-8000-000000000001/day/x",
    ] {
        assert!(text.parse::<Subject>().is_err(), "{text}");
    }
}

proptest! {
    /// After the first seal, repetitions of it and other seals arrive in any order: the one with
    /// the highest number decides.
    #[test]
    fn the_order_of_later_seals_does_not_matter(
        (seals_seen, shuffled) in prop::collection::btree_map(10_u64..60, any::<bool>(), 0..12)
            .prop_map(|seals_seen| seals_seen.into_iter().collect::<Vec<_>>())
            .prop_flat_map(|seals_seen| (Just(seals_seen.clone()), Just(seals_seen).prop_shuffle())),
    ) {
        let apply = |seals_seen: &[(u64, bool)]| {
            seals_seen.iter().fold(sealed(&totals()), |seal, (sequence, is_first)| {
                let event = published(*sequence, &if *is_first { totals() } else { other_totals() });
                decide_sealed(Some(&seal), &event, &totals(), at("09T08:00:00")).unwrap_or(seal)
            })
        };
        let (seal, other) = (apply(&seals_seen), apply(&shuffled));
        prop_assert_eq!(&seal.digest, &sealed(&totals()).digest);
        let is_disputed = seals_seen.last().is_some_and(|(_, is_first)| !is_first);
        prop_assert_eq!(seal.incident().is_some(), is_disputed);
        prop_assert_eq!(other, seal);
    }
}
