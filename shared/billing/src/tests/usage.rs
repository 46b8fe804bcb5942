use super::*;
use catalogue::Aggregation;

/// A meter of the catalogue for each aggregation.
const METERS: [(&str, Aggregation); 7] = [
    ("api-calls", Aggregation::Count),
    ("tokens", Aggregation::Sum),
    ("replicas-min", Aggregation::Min),
    ("storage-gb", Aggregation::Max),
    ("response-ms", Aggregation::Avg),
    ("seats", Aggregation::Latest),
    ("active-users", Aggregation::UniqueCount),
];

fn total(windows: &[UsageWindow]) -> PeriodUsage {
    total_usage(&Catalogue::bundled().unwrap(), windows).unwrap()
}

fn of_group(group: &str, window: UsageWindow) -> UsageWindow {
    UsageWindow {
        group: group.parse().unwrap(),
        ..window
    }
}

fn adjustment(window: UsageWindow) -> UsageWindow {
    UsageWindow {
        part: WindowPart::Adjustment,
        ..window
    }
}

fn month(window: UsageWindow) -> UsageWindow {
    UsageWindow {
        size: WindowSize::Month,
        ..window
    }
}

fn latest(at: &str, window: UsageWindow) -> UsageWindow {
    UsageWindow {
        latest_at: Some(moment(at)),
        ..window
    }
}

fn check(meter: &str, windows: &[UsageWindow], quantity: &str, events: u64) {
    let expected = MeterUsage {
        quantity: exact(quantity),
        events,
    };
    assert_eq!(
        total(windows).get(&meter.parse().unwrap()),
        Some(&expected),
        "{meter}"
    );
    let reversed: Vec<_> = windows.iter().rev().cloned().collect();
    assert_eq!(total(&reversed), total(windows), "{meter}");
}

#[test]
fn the_meters_have_the_aggregations_that_these_tests_assume() {
    let catalogue = Catalogue::bundled().unwrap();
    for (meter, aggregation) in METERS {
        assert_eq!(
            catalogue
                .meter(&meter.parse().unwrap())
                .unwrap()
                .aggregation,
            aggregation,
            "{meter}"
        );
    }
}

#[test]
fn days_are_totalled_by_the_meters_aggregation() {
    let days = |meter: &str| {
        vec![
            window(meter, 1, "5", 2),
            window(meter, 2, "7.5", 3),
            window(meter, 3, "1.25", 4),
        ]
    };
    check("api-calls", &days("api-calls"), "13.75", 9);
    check("tokens", &days("tokens"), "13.75", 9);
    check("replicas-min", &days("replicas-min"), "1.25", 9);
    check("storage-gb", &days("storage-gb"), "7.5", 9);
    // 13.75 / 9, rounded to twelve places.
    check("response-ms", &days("response-ms"), "1.527777777778", 9);
}

#[test]
fn groups_are_totalled_together() {
    let groups = |meter: &str| {
        ["model=small,kind=input", "model=large,kind=input"]
            .map(|group| of_group(group, window(meter, 1, "5", 2)))
    };
    check("tokens", &groups("tokens"), "10", 4);
    check("storage-gb", &groups("storage-gb"), "5", 4);
    check("response-ms", &groups("response-ms"), "2.5", 4);
    check("active-users", &groups("active-users").map(month), "10", 4);
}

#[test]
fn an_adjustment_after_the_seal_changes_the_total() {
    let with = |meter: &str, value: &str, events: i64| {
        [
            window(meter, 1, "5", 4),
            adjustment(window(meter, 1, value, events)),
        ]
    };
    check("tokens", &with("tokens", "-2", -1), "3", 3);
    check("api-calls", &with("api-calls", "3", 3), "8", 7);
    check("response-ms", &with("response-ms", "-2", -2), "1.5", 2);
    check("response-ms", &with("response-ms", "-5", -4), "0", 0);
    check("replicas-min", &with("replicas-min", "4", 1), "4", 5);
    check("storage-gb", &with("storage-gb", "4", 1), "5", 5);
    check("tokens", &with("tokens", "-9", -9), "-4", 0);
    check(
        "active-users",
        &with("active-users", "2", 3).map(month),
        "7",
        7,
    );
}

#[test]
fn the_latest_value_is_the_greatest_value_at_the_latest_time() {
    let at = |at: &str, value: &str| latest(at, window("seats", 1, value, 1));
    let early = at("2026-10-01T08:00:00Z", "90");
    check("seats", std::slice::from_ref(&early), "90", 1);
    check(
        "seats",
        &[early.clone(), at("2026-10-01T09:00:00Z", "12")],
        "12",
        2,
    );
    check(
        "seats",
        &[early.clone(), at("2026-10-01T08:00:00Z", "91")],
        "91",
        2,
    );
    check(
        "seats",
        &[early.clone(), window("seats", 2, "99", 1)],
        "90",
        2,
    );
    check(
        "seats",
        &[early, adjustment(at("2026-10-02T00:30:00Z", "3"))],
        "3",
        2,
    );
}

#[test]
fn distinct_values_are_totalled_by_period_and_other_meters_by_day() {
    let users = [
        month(window("active-users", 1, "70", 400)),
        window("active-users", 1, "50", 200),
    ];
    check("active-users", &users, "70", 400);
    let calls = [
        month(window("api-calls", 1, "70", 70)),
        window("api-calls", 1, "50", 50),
    ];
    check("api-calls", &calls, "50", 50);
    assert_eq!(
        total(&[window("active-users", 1, "50", 200)]),
        PeriodUsage::new()
    );
}

/// A usage event: its day, group, time and value.
type Event = (u8, bool, i64, Quantity);

fn any_events() -> impl Strategy<Value = Vec<(Event, bool)>> {
    let event = (1_u8..4, any::<bool>(), 0_i64..5, any_quantity());
    prop::collection::vec((event, any::<bool>()), 1..24)
}

/// The totals that a region makes of events. Late events become adjustments.
fn aggregate(meter: &str, aggregation: Aggregation, events: &[(Event, bool)]) -> Vec<UsageWindow> {
    let key = |((day, group, ..), late): &(Event, bool)| (*day, *group, *late);
    let mut keys: Vec<_> = events.iter().map(key).collect();
    keys.sort_unstable();
    keys.dedup();
    let is_unique = aggregation == Aggregation::UniqueCount;
    let of_key = |wanted: &(u8, bool, bool)| {
        let own: Vec<&Event> = events
            .iter()
            .filter(|event| key(event) == *wanted)
            .map(|(event, _)| event)
            .collect();
        let values = || own.iter().map(|(.., value)| value);
        let value = match aggregation {
            // No two events have the same distinct value, so that the period's totals add up.
            Aggregation::Count | Aggregation::UniqueCount => Quantity::from(own.len() as u64),
            Aggregation::Sum | Aggregation::Avg => {
                values().fold(Quantity::zero(), |sum, value| sum + value)
            }
            Aggregation::Min => values().min().unwrap().clone(),
            Aggregation::Max => values().max().unwrap().clone(),
            Aggregation::Latest => own
                .iter()
                .max_by_key(|(_, _, at, value)| (*at, value))
                .unwrap()
                .3
                .clone(),
        };
        let latest_at = own
            .iter()
            .map(|(_, _, at, _)| Timestamp::from_second(*at).unwrap())
            .max();
        let (day, group, late) = *wanted;
        UsageWindow {
            group: if group {
                "model=large,kind=input"
            } else {
                "model=small,kind=input"
            }
            .parse()
            .unwrap(),
            size: if is_unique {
                WindowSize::Month
            } else {
                WindowSize::Day
            },
            part: if late {
                WindowPart::Adjustment
            } else {
                WindowPart::Window
            },
            latest_at: latest_at.filter(|_| aggregation == Aggregation::Latest),
            ..window(meter, day, &value.to_string(), own.len() as i64)
        }
    };
    keys.iter().map(of_key).collect()
}

proptest! {
    #[test]
    fn a_total_does_not_depend_on_order_or_lateness(
        (events, shuffled) in any_events().prop_flat_map(|events| (Just(events.clone()), Just(events).prop_shuffle())),
    ) {
        for (meter, aggregation) in METERS {
            let whole: Vec<_> = events.iter().map(|(event, _)| (event.clone(), false)).collect();
            let whole = total(&aggregate(meter, aggregation, &whole));
            let mut split = aggregate(meter, aggregation, &shuffled);
            prop_assert_eq!(&total(&split), &whole, "{}", meter);
            split.reverse();
            prop_assert_eq!(&total(&split), &whole, "{}", meter);
        }
    }

    #[test]
    fn taking_usage_back_restores_the_total(stay in any_quantity(), leave in any_quantity()) {
        for meter in ["api-calls", "tokens", "response-ms"] {
            let back = adjustment(window(meter, 1, &format!("-{leave}"), -1));
            let both = stay.clone() + &leave;
            let after = total(&[window(meter, 1, &both.to_string(), 2), back]);
            prop_assert_eq!(after, total(&[window(meter, 1, &stay.to_string(), 1)]));
        }
    }
}
