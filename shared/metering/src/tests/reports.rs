use super::catalogue;
use crate::*;
use contract::WindowPart;
use kernel::{BillingAnchor, UsageGroup, WindowSize};
use std::collections::BTreeMap;

/// A total of a page: its size, start, group, part, value, events, and the time of the latest.
type Row<'r> = (
    WindowSize,
    &'r str,
    &'r str,
    WindowPart,
    &'r str,
    i64,
    Option<&'r str>,
);

fn pages(meter: &str, rows: &[Row<'_>]) -> BTreeMap<PageKey, Page> {
    let mut pages: BTreeMap<PageKey, Page> = BTreeMap::new();
    for (size, start, group, part, value, events, latest) in rows {
        let key = WindowKey {
            meter: meter.parse().unwrap(),
            group: group.parse().unwrap(),
            size: *size,
            start: start.parse().unwrap(),
            part: *part,
        };
        let latest_at = latest.map(|latest| latest.parse().unwrap());
        let value = value.parse::<Value>().unwrap().into();
        let window = Window {
            value,
            events: *events,
            latest_at,
            revision: 1,
        };
        pages.entry(key.page()).or_default().set(&key, window);
    }
    pages
}

/// Requests the totals of a meter over November, each written as `start group value events
/// finality`.
fn request(
    meter: &str,
    size: WindowSize,
    (group_by, filter): (&[&str], &str),
    rows: &[Row<'_>],
    sealed_until: Option<&str>,
) -> Result<Vec<String>, Unanswerable> {
    let catalogue = catalogue();
    let question = Question {
        meter: catalogue.meter(&meter.parse().unwrap()).unwrap(),
        size,
        from: "2026-11-01T00:00:00Z".parse().unwrap(),
        to: "2026-12-01T00:00:00Z".parse().unwrap(),
        anchor: BillingAnchor::default(),
        group_by: group_by.iter().map(|name| name.parse().unwrap()).collect(),
        filter: filter.parse::<UsageGroup>().unwrap(),
    };
    let totals = question.answer(
        &pages(meter, rows),
        sealed_until.map(|until| until.parse().unwrap()),
    )?;
    let shown = |total: &Total| {
        let Total {
            start,
            end: _,
            group,
            value,
            events,
            finality,
        } = total;
        let finality = serde_json::to_value(finality).unwrap();
        format!(
            "{start} {group} {value} {events} {}",
            finality.as_str().unwrap()
        )
        .replace("  ", " ")
    };
    Ok(totals.iter().map(shown).collect())
}

const DAY: WindowSize = WindowSize::Day;
const WHOLE: WindowPart = WindowPart::Window;
const LATE: WindowPart = WindowPart::Adjustment;

#[test]
fn shorter_windows_add_up_to_longer_ones() {
    let minutes = [
        (
            WindowSize::Minute,
            "2026-11-02T10:00:00Z",
            "",
            WHOLE,
            "2",
            2,
            None,
        ),
        (
            WindowSize::Minute,
            "2026-11-02T10:59:00Z",
            "",
            WHOLE,
            "3",
            3,
            None,
        ),
        (
            WindowSize::Minute,
            "2026-11-02T11:00:00Z",
            "",
            WHOLE,
            "4",
            4,
            None,
        ),
        (
            WindowSize::Minute,
            "2026-12-01T00:00:00Z",
            "",
            WHOLE,
            "5",
            5,
            None,
        ),
        (DAY, "2026-11-02T00:00:00Z", "", WHOLE, "9", 9, None),
        (DAY, "2026-11-03T00:00:00Z", "", WHOLE, "1", 1, None),
    ];
    let calls = |size| request("api-calls", size, (&[], ""), &minutes, None).unwrap();
    assert_eq!(
        calls(WindowSize::Hour),
        [
            "2026-11-02T10:00:00Z 5 5 provisional",
            "2026-11-02T11:00:00Z 4 4 provisional"
        ]
    );
    assert_eq!(calls(WindowSize::Minute).len(), 3);
    assert_eq!(
        calls(DAY),
        [
            "2026-11-02T00:00:00Z 9 9 provisional",
            "2026-11-03T00:00:00Z 1 1 provisional"
        ]
    );
    assert_eq!(
        calls(WindowSize::Month),
        ["2026-11-01T00:00:00Z 10 10 provisional"]
    );
}

#[test]
fn each_aggregation_is_totalled_by_its_own_rule() {
    let rows = [
        (
            DAY,
            "2026-11-02T00:00:00Z",
            "",
            WHOLE,
            "2",
            2,
            Some("2026-11-02T09:00:00Z"),
        ),
        (
            DAY,
            "2026-11-02T00:00:00Z",
            "",
            LATE,
            "5",
            1,
            Some("2026-11-02T08:00:00Z"),
        ),
        (
            DAY,
            "2026-11-03T00:00:00Z",
            "",
            WHOLE,
            "1",
            1,
            Some("2026-11-03T01:00:00Z"),
        ),
    ];
    let sealed = Some("2026-11-03T00:00:00Z");
    for (meter, days, month) in [
        (
            "compute-seconds",
            ["7 3 adjusted", "1 1 provisional"],
            "8 4",
        ),
        ("storage-gb", ["5 3 adjusted", "1 1 provisional"], "5 4"),
        ("replicas-min", ["2 3 adjusted", "1 1 provisional"], "1 4"),
        (
            "response-ms",
            ["2.333333333333 3 adjusted", "1 1 provisional"],
            "2 4",
        ),
        ("seats", ["2 3 adjusted", "1 1 provisional"], "1 4"),
    ] {
        let found = request(meter, DAY, (&[], ""), &rows, sealed).unwrap();
        let expected = ["2026-11-02T00:00:00Z", "2026-11-03T00:00:00Z"]
            .iter()
            .zip(days);
        assert_eq!(
            found,
            expected
                .map(|(day, total)| format!("{day} {total}"))
                .collect::<Vec<_>>(),
            "{meter}"
        );
        let found = request(meter, WindowSize::Month, (&[], ""), &rows, sealed).unwrap();
        assert_eq!(
            found,
            [format!("2026-11-01T00:00:00Z {month} provisional")],
            "{meter}"
        );
    }
    let found = request(
        "compute-seconds",
        WindowSize::Month,
        (&[], ""),
        &rows[2..],
        Some("2026-12-01T00:00:00Z"),
    );
    assert_eq!(found.unwrap(), ["2026-11-01T00:00:00Z 1 1 sealed"]);
}

#[test]
fn totals_are_divided_and_filtered_by_dimensions() {
    let rows = [
        (
            DAY,
            "2026-11-02T00:00:00Z",
            "model=small,kind=input",
            WHOLE,
            "1",
            1,
            None,
        ),
        (
            DAY,
            "2026-11-02T00:00:00Z",
            "model=small,kind=output",
            WHOLE,
            "2",
            1,
            None,
        ),
        (
            DAY,
            "2026-11-02T00:00:00Z",
            "model=large,kind=output",
            WHOLE,
            "4",
            1,
            None,
        ),
    ];
    let tokens = |group_by: &[&str], filter: &str| {
        let found = request("tokens", DAY, (group_by, filter), &rows, None).unwrap();
        found
            .into_iter()
            .map(|row| row.replace("2026-11-02T00:00:00Z ", ""))
            .collect::<Vec<_>>()
    };
    assert_eq!(tokens(&[], ""), ["7 3 provisional"]);
    assert_eq!(
        tokens(&["kind"], ""),
        ["kind=input 1 1 provisional", "kind=output 6 2 provisional"]
    );
    assert_eq!(tokens(&[], "kind=output"), ["6 2 provisional"]);
    assert_eq!(
        tokens(&["model", "kind"], "model=large"),
        ["model=large,kind=output 4 1 provisional"]
    );
}

#[test]
fn distinct_values_are_not_added_over_windows_or_groups() {
    let unique = |size| {
        request(
            "active-users",
            size,
            (&[], ""),
            &[
                (
                    WindowSize::Hour,
                    "2026-11-02T10:00:00Z",
                    "",
                    WHOLE,
                    "2",
                    2,
                    None,
                ),
                (
                    WindowSize::Month,
                    "2026-11-01T00:00:00Z",
                    "",
                    WHOLE,
                    "3",
                    9,
                    None,
                ),
            ],
            None,
        )
    };
    assert_eq!(
        unique(WindowSize::Minute),
        Err(Unanswerable::TooShort {
            shortest: WindowSize::Hour
        })
    );
    assert_eq!(
        unique(WindowSize::Hour).unwrap(),
        ["2026-11-02T10:00:00Z 2 2 provisional"]
    );
    assert_eq!(
        unique(WindowSize::Month).unwrap(),
        ["2026-11-01T00:00:00Z 3 9 provisional"]
    );
    let hourly = request("storage-gb", WindowSize::Hour, (&[], ""), &[], None);
    assert_eq!(hourly, Err(Unanswerable::TooShort { shortest: DAY }));
}

/// A total can be wider than any single value.
#[test]
fn a_total_of_any_width_is_answered() {
    let nines = "9".repeat(38);
    let finest = format!("0.{}1", "0".repeat(339));
    let rows = [
        (
            DAY,
            "2026-11-02T00:00:00Z",
            "",
            WHOLE,
            nines.as_str(),
            1,
            None,
        ),
        (DAY, "2026-11-03T00:00:00Z", "", WHOLE, "1", 1, None),
        (
            DAY,
            "2026-11-04T00:00:00Z",
            "",
            WHOLE,
            finest.as_str(),
            2,
            None,
        ),
    ];
    let month = |meter| request(meter, WindowSize::Month, (&[], ""), &rows, None).unwrap();
    let sum = format!("1{}.{}1", "0".repeat(38), "0".repeat(339));
    assert_eq!(
        month("compute-seconds"),
        [format!("2026-11-01T00:00:00Z {sum} 4 provisional")]
    );
    assert_eq!(
        month("storage-gb"),
        [format!("2026-11-01T00:00:00Z {nines} 4 provisional")]
    );
    assert_eq!(
        month("replicas-min"),
        [format!("2026-11-01T00:00:00Z {finest} 4 provisional")]
    );
    // 10^38 / 4 is exact, and the rest of the sum is far behind the twelfth place.
    assert_eq!(
        month("response-ms"),
        [format!(
            "2026-11-01T00:00:00Z 25{} 4 provisional",
            "0".repeat(36)
        )]
    );
}
