//! A tenant's usage.

use super::*;
use catalogue::Aggregation;
use jiff::SignedDuration;
use kernel::{BillingAnchor, SegmentId};
use metering::{Correction, Segment, Usage, group, group_corrections};
use usage_store::{RollupWriter, SegmentWriter};

/// Stores and rolls up an event of a counting meter for each of so many minutes.
async fn use_up(world: &World, tenant: TenantId, from: &str, minutes: i64) {
    use_up_in_days(world, tenant, BillingAnchor::default(), from, minutes).await;
}

/// As [`use_up`], in days that begin at an anchor.
async fn use_up_in_days(
    world: &World,
    tenant: TenantId,
    anchor: BillingAnchor,
    from: &str,
    minutes: i64,
) {
    let meter = &world.region.catalogue.meters[0];
    let from = moment(from);
    let event = |n: i64| {
        let at = from + SignedDuration::from_mins(n);
        Usage::counted(meter, tenant, "source", &at.to_string(), at)
    };
    let segments = group(
        (0..minutes).map(event),
        |_| anchor,
        || SegmentId::from_uuid(runtime::new_uuid()),
    );
    store_and_roll_up(world, tenant, segments).await;
}

/// Stores segments and rolls them up.
async fn store_and_roll_up(world: &World, tenant: TenantId, segments: Vec<Segment>) {
    let Region {
        aws, usage_table, ..
    } = &world.region;
    SegmentWriter::new(&aws.config, usage_table.clone())
        .store(&segments, runtime::now())
        .await
        .unwrap();
    let rollups = rollups(world);
    for batch in metering::batches(segments) {
        rollups
            .roll_up(tenant, &batch, runtime::now())
            .await
            .unwrap();
    }
}

fn rollups(world: &World) -> RollupWriter {
    let Region {
        aws,
        usage_table,
        outbox,
        code,
        ..
    } = &world.region;
    let after = SignedDuration::from_hours(72);
    RollupWriter::new(
        &aws.config,
        usage_table.clone(),
        outbox.clone(),
        code.clone(),
        after,
        runtime::new_uuid,
    )
}

/// Seals every day to be sealed that begins before a moment, whenever it is due.
async fn seal_until(world: &World, until: &str) {
    let (rollups, until) = (rollups(world), moment(until));
    for due in rollups
        .due_seals(Timestamp::MAX, 100)
        .await
        .unwrap()
        .into_iter()
        .filter(|due| due.day < until)
    {
        rollups.seal(&due, runtime::now()).await.unwrap();
    }
}

async fn read(world: &World, token: &str, query: &str) -> Answer {
    world
        .send(token, "GET", &format!("/usage?{query}"), &Value::Null)
        .await
}

/// The starts and values of a response.
fn windows(answer: &Answer) -> Vec<(String, String)> {
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    let rows = answer.body["windows"]
        .as_array()
        .unwrap_or_else(|| panic!("{}", answer.body));
    rows.iter()
        .map(|row| (text(row, "start"), text(row, "value")))
        .collect()
}

const NOVEMBER: &str = "meter=api-calls&from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z";

#[tokio::test]
async fn a_user_reads_the_usage_of_the_own_tenant() {
    let world = World::new().await;
    let (other, ..) = world.other().await;
    use_up(&world, world.tenant(), "2026-11-10T23:30:00Z", 90).await;
    use_up(&world, other.tenant.id, "2026-11-10T23:30:00Z", 7).await;
    let token = world.token(world.charles.username).await;
    let days = read(&world, &token, NOVEMBER).await;
    let expected = json!({
        "tenant": world.tenant(), "meter": "api-calls", "aggregation": "count", "unit": "call", "window": "day",
        "windows": [
            { "start": "2026-11-10T00:00:00Z", "end": "2026-11-11T00:00:00Z", "group": "", "value": "30", "events": 30, "state": "provisional" },
            { "start": "2026-11-11T00:00:00Z", "end": "2026-11-12T00:00:00Z", "group": "", "value": "60", "events": 60, "state": "provisional" },
        ],
        "events": { "accepted": 90, "duplicates": 0, "conflicts": 0, "taken_back": 0, "unmatched": 0, "replacement_used": 0 },
    });
    assert_eq!((days.status, days.body), (200, expected));
    let hours = windows(&read(&world, &token, &format!("{NOVEMBER}&window=hour")).await);
    assert_eq!(
        hours,
        [
            ("2026-11-10T23:00:00Z".to_owned(), "30".to_owned()),
            ("2026-11-11T00:00:00Z".to_owned(), "60".to_owned())
        ]
    );
    let minutes = windows(&read(&world, &token, &format!("{NOVEMBER}&window=minute")).await);
    assert_eq!(
        (minutes.len(), minutes[0].0.as_str()),
        (90, "2026-11-10T23:30:00Z")
    );
    let month = windows(
        &read(
            &world,
            &token,
            &format!("{NOVEMBER}&window=month&tenant={}", world.tenant()),
        )
        .await,
    );
    assert_eq!(
        month,
        [("2026-11-01T00:00:00Z".to_owned(), "90".to_owned())]
    );
    let part = "meter=api-calls&window=minute&from=2026-11-10T23:58:00Z&to=2026-11-11T00:02:00Z";
    assert_eq!(windows(&read(&world, &token, part).await).len(), 4);
    let foreign = read(
        &world,
        &token,
        &format!("{NOVEMBER}&tenant={}", other.tenant.id),
    )
    .await;
    assert_eq!(slug(&foreign), (404, "unknown-tenant"));
}

/// A total beyond the range of single values is shown like any other.
#[tokio::test]
async fn a_month_of_any_total_is_shown() {
    let world = World::new().await;
    let meter = world
        .region
        .catalogue
        .meter(&"compute-seconds".parse().unwrap())
        .unwrap();
    let nines = "9".repeat(38);
    let values = ["1e-38", "86400", "1e-340", &nines, "1"];
    let events = values.iter().zip(1..).map(|(value, day)| {
        let at = moment(&format!("2026-11-{day:02}T09:00:00Z"));
        let event = Usage::counted(meter, world.tenant(), "source", value, at);
        Usage {
            measure: metering::Measure::Number(value.parse().unwrap()),
            ..event
        }
    });
    let segments = group(
        events,
        |_| BillingAnchor::default(),
        || SegmentId::from_uuid(runtime::new_uuid()),
    );
    let Region {
        aws, usage_table, ..
    } = &world.region;
    SegmentWriter::new(&aws.config, usage_table.clone())
        .store(&segments, runtime::now())
        .await
        .unwrap();
    rollups(&world)
        .roll_up(world.tenant(), &segments, runtime::now())
        .await
        .unwrap();
    let token = world.token(world.charles.username).await;
    let query =
        "meter=compute-seconds&window=month&from=2026-11-01T00:00:00Z&to=2026-12-01T00:00:00Z";
    let answer = read(&world, &token, query).await;
    let sum = format!(
        "1{}86400.{}1{}1",
        "0".repeat(33),
        "0".repeat(37),
        "0".repeat(301)
    );
    assert_eq!(
        (answer.status, windows(&answer)),
        (200, vec![("2026-11-01T00:00:00Z".to_owned(), sum)])
    );
}

/// A tenant sees the counts of its accepted events: of all its meters, and of no other tenant's.
#[tokio::test]
async fn the_tenant_sees_the_events_that_did_not_count() {
    let world = World::new().await;
    let (other, ..) = world.other().await;
    let tenant = world.tenant();
    let meter = |aggregation| {
        world
            .region
            .catalogue
            .meters
            .iter()
            .find(|meter| meter.aggregation == aggregation)
            .unwrap()
    };
    let (counted, unique) = (meter(Aggregation::Count), meter(Aggregation::Sum));
    let event = |meter, id: &str, at: &str| Usage::counted(meter, tenant, "source", id, moment(at));
    let (first, second) = ("2026-11-10T10:00:00Z", "2026-11-10T11:00:00Z");
    let id = || SegmentId::from_uuid(runtime::new_uuid());
    let sent = [
        event(counted, "a", first),
        event(counted, "a", first),
        event(counted, "a", second),
        event(unique, "b", first),
    ];
    let mut segments: Vec<_> = sent
        .into_iter()
        .flat_map(|event| group([event], |_| BillingAnchor::default(), id))
        .collect();
    let correction = |original, replacement| Correction {
        original,
        replacement,
    };
    for correction in [
        correction(event(counted, "b", first), None),
        correction(event(counted, "a", first), Some(event(unique, "b", first))),
        correction(event(counted, "a", first), None),
    ] {
        segments.extend(group_corrections(
            [correction],
            |_| BillingAnchor::default(),
            id,
        ));
    }
    for segment in segments {
        store_and_roll_up(&world, tenant, vec![segment]).await;
    }
    use_up(&world, other.tenant.id, first, 7).await;
    let token = world.token(world.charles.username).await;
    let expected = json!({ "accepted": 2, "duplicates": 1, "conflicts": 1, "taken_back": 1, "unmatched": 1, "replacement_used": 2 });
    for query in [NOVEMBER, "meter=tokens", "meter=logins&window=month"] {
        assert_eq!(
            read(&world, &token, query).await.body["events"],
            expected,
            "{query}"
        );
    }
}

/// Their November begins on 31 October, in UTC.
#[tokio::test]
async fn days_and_months_begin_at_the_tenants_anchor() {
    let world = World::new().await;
    let other = Newcomer {
        billing_anchor: "23:00",
        ..Newcomer::somebody()
    };
    let other = world.region.activate(&other).await.tenant;
    use_up_in_days(
        &world,
        other.id,
        other.billing_anchor,
        "2026-10-31T22:30:00Z",
        60,
    )
    .await;
    use_up_in_days(
        &world,
        other.id,
        other.billing_anchor,
        "2026-11-10T22:30:00Z",
        90,
    )
    .await;
    let service = testkit::machine_token(&world.region.aws, &world.people.pool, "usage/read").await;
    let query = |query: &str| format!("meter=api-calls&tenant={}&{query}", other.id);
    let rows = |rows: &[(&str, &str)]| -> Vec<(String, String)> {
        rows.iter()
            .map(|(start, value)| ((*start).to_owned(), (*value).to_owned()))
            .collect()
    };
    let days = windows(&read(&world, &service, &query("to=2026-12-01T00:00:00Z")).await);
    let expected = [
        ("2026-10-31T23:00:00Z", "30"),
        ("2026-11-09T23:00:00Z", "30"),
        ("2026-11-10T23:00:00Z", "60"),
    ];
    assert_eq!(
        days,
        rows(&expected),
        "from the first moment of the tenant's month on"
    );
    let months = query("window=month&from=2026-09-30T23:00:00Z&to=2026-12-01T00:00:00Z");
    let months = windows(&read(&world, &service, &months).await);
    assert_eq!(
        months,
        rows(&[
            ("2026-09-30T23:00:00Z", "30"),
            ("2026-10-31T23:00:00Z", "120")
        ])
    );
}

#[tokio::test]
async fn sealed_and_adjusted_windows_are_shown() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let states = async |window: &str| -> Vec<(String, String)> {
        let days = read(&world, &token, &format!("{NOVEMBER}&window={window}")).await;
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        days.body["windows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| (text(row, "value"), text(row, "state")))
            .collect()
    };
    let state = |value: &str, state: &str| (value.to_owned(), state.to_owned());
    use_up(&world, world.tenant(), "2026-11-10T12:00:00Z", 30).await;
    assert_eq!(states("day").await, [state("30", "provisional")]);
    seal_until(&world, "2026-11-30T00:00:00Z").await;
    assert_eq!(states("day").await, [state("30", "sealed")]);
    assert_eq!(states("month").await, [state("30", "provisional")]);
    use_up(&world, world.tenant(), "2026-11-10T12:30:00Z", 2).await;
    use_up(&world, world.tenant(), "2026-11-11T13:00:00Z", 5).await;
    for window in ["day", "hour"] {
        assert_eq!(
            states(window).await,
            [state("32", "adjusted"), state("5", "provisional")],
            "{window}"
        );
    }
    let minutes = states("minute").await;
    assert_eq!(
        (minutes.len(), &minutes[29], &minutes[30]),
        (37, &state("1", "sealed"), &state("1", "adjusted"))
    );
    // The last day of the month has no usage.
    seal_until(&world, "2026-12-01T00:00:00Z").await;
    assert_eq!(
        states("day").await,
        [state("32", "adjusted"), state("5", "sealed")]
    );
    assert_eq!(states("month").await, [state("37", "adjusted")]);
}

/// Every window is on one page, and each page leads to the next.
#[tokio::test]
async fn a_long_report_has_several_pages() {
    let world = World::new().await;
    use_up(&world, world.tenant(), "2026-11-10T00:10:00Z", 60 * 60).await;
    let token = world.admin_token().await;
    let mut found = Vec::new();
    let mut from = "2026-11-01T00:00:00Z".to_owned();
    let mut pages = 0;
    loop {
        let query = format!("meter=api-calls&window=minute&from={from}&to=2026-12-01T00:00:00Z");
        let page = read(&world, &token, &query).await;
        found.extend(windows(&page));
        pages += 1;
        let Some(next) = page.body["next_from"].as_str() else {
            break;
        };
        from = next.to_owned();
    }
    assert!(pages >= 4, "{pages} pages");
    let expected: Vec<_> = (0..60 * 60)
        .map(|n| {
            (
                (moment("2026-11-10T00:10:00Z") + SignedDuration::from_mins(n)).to_string(),
                "1".to_owned(),
            )
        })
        .collect();
    assert_eq!(found, expected);
    let hours = windows(&read(&world, &token, &format!("{NOVEMBER}&window=hour")).await);
    let sum: u32 = hours
        .iter()
        .map(|(_, value)| value.parse::<u32>().unwrap())
        .sum();
    assert!(
        hours.len() < 49 && sum <= 60 * 60,
        "whole hours, up to where it was read"
    );
}

#[tokio::test]
async fn csv_is_returned_on_request() {
    let world = World::new().await;
    use_up(&world, world.tenant(), "2026-11-10T23:30:00Z", 90).await;
    let token = world.admin_token().await;
    let answer = world
        .send_with(
            &token,
            "GET",
            &format!("/usage?{NOVEMBER}"),
            &[("accept", "text/csv")],
        )
        .await;
    let expected = "meter,window,start,end,group,value,events,state\r\n\
                    api-calls,day,2026-11-10T00:00:00Z,2026-11-11T00:00:00Z,,30,30,provisional\r\n\
                    api-calls,day,2026-11-11T00:00:00Z,2026-11-12T00:00:00Z,,60,60,provisional\r\n";
    assert_eq!(
        (
            answer.headers["content-type"].to_str().unwrap(),
            answer.text.as_str()
        ),
        ("text/csv; charset=utf-8", expected)
    );
    assert_eq!(
        answer.headers["usage-events"],
        "accepted=90, duplicates=0, conflicts=0, taken_back=0, unmatched=0, replacement_used=0"
    );
    use_up(&world, world.tenant(), "2026-11-12T00:00:00Z", 60 * 20).await;
    let long = format!("/usage?{NOVEMBER}&window=minute");
    let answer = world
        .send_with(&token, "GET", &long, &[("accept", "text/csv")])
        .await;
    let link = answer.headers["link"].to_str().unwrap();
    assert!(
        link.starts_with("</usage?from=2026-11-12T")
            && link.contains("window=minute")
            && link.ends_with("rel=\"next\""),
        "{link}"
    );
}

#[tokio::test]
async fn invalid_queries_are_refused_with_the_field() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let rows = [
        ("", (422, "invalid-fields"), Some("meter")),
        ("meter=nothing", (422, "invalid-fields"), Some("meter")),
        (
            "meter=api-calls&window=week",
            (422, "invalid-fields"),
            Some("window"),
        ),
        (
            "meter=api-calls&from=yesterday",
            (422, "invalid-fields"),
            Some("from"),
        ),
        (
            "meter=api-calls&to=2026-11-01",
            (422, "invalid-fields"),
            Some("to"),
        ),
        (
            "meter=api-calls&from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z",
            (422, "invalid-fields"),
            Some("to"),
        ),
        (
            "meter=api-calls&group_by=model",
            (422, "invalid-fields"),
            Some("group_by"),
        ),
        (
            "meter=tokens&filter=model=huge",
            (422, "invalid-fields"),
            Some("filter"),
        ),
        (
            "meter=tokens&filter=color=red",
            (422, "invalid-fields"),
            Some("filter"),
        ),
        (
            "meter=storage-gb&window=hour",
            (422, "not-answerable"),
            None,
        ),
    ];
    for (query, expected, field) in rows {
        let answer = read(&world, &token, query).await;
        assert_eq!(slug(&answer), expected, "{query}");
        assert_eq!(answer.body["fields"][0]["field"].as_str(), field, "{query}");
    }
    for query in [
        "meter=tokens&group_by=&filter=model=large",
        "meter=tokens&group_by=kind",
        "meter=seats",
    ] {
        assert_eq!(windows(&read(&world, &token, query).await), [], "{query}");
    }
}

/// The calendar has a first and a last moment.
#[tokio::test]
async fn any_moment_can_be_queried() {
    let world = World::new().await;
    let token = world.admin_token().await;
    let moments = [
        "0000-01-01T00:00:00%2B23:59",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "1969-12-31T23:59:59.999999999Z",
        "1970-01-01T00:00:00Z",
        "2026-11-10T00:00:00Z",
        "9998-12-15T00:00:00Z",
        "9999-11-30T23:59:59Z",
        "9999-12-15T00:00:00Z",
        "9999-12-30T21:59:59.999999999Z",
    ];
    for (at, from) in moments.into_iter().enumerate() {
        for to in &moments[at..] {
            for meter in [
                "meter=api-calls&window=minute",
                "meter=api-calls&window=month",
                "meter=seats&window=month",
            ] {
                let answer = read(&world, &token, &format!("{meter}&from={from}&to={to}")).await;
                assert_eq!(
                    answer.status, 200,
                    "{meter} from {from} to {to}: {}",
                    answer.text
                );
            }
        }
    }
}

#[tokio::test]
async fn machines_read_with_the_scope_usage_read() {
    let world = World::new().await;
    let service =
        |scope: &'static str| testkit::machine_token(&world.region.aws, &world.people.pool, scope);
    let own = format!("{NOVEMBER}&tenant={}", world.tenant());
    assert_eq!(
        read(&world, &service("usage/read").await, &own)
            .await
            .status,
        200
    );
    assert_eq!(
        slug(&read(&world, &service("usage/read").await, NOVEMBER).await),
        (404, "unknown-tenant")
    );
    assert_eq!(
        slug(&read(&world, &service("tenant/read").await, &own).await),
        (403, "missing-scope")
    );
    for (key, scope, expected) in [
        ("a-key-for-usage-reader", "usage/read", 200),
        ("a-key-for-tenant-reader", "tenant/read", 403),
    ] {
        let made = world
            .keyed(
                Without::Nothing,
                "/clients",
                key,
                &json!({ "scopes": [scope] }),
            )
            .await
            .body;
        assert_eq!(
            read(&world, &world.token_of(&made, scope).await, NOVEMBER)
                .await
                .status,
            expected,
            "{scope}"
        );
    }
    assert_eq!(
        slug(&read(&world, "", NOVEMBER).await),
        (401, "unauthorized")
    );
}
