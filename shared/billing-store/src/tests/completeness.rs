use super::*;
use billing::{IncidentKind, Subject};
use contract::{Envelope, SealDigest, Stream, UsageSealed, UsageStreamEndReported};
use dynamo::{Attributes as _, Write, key, text};
use jiff::SignedDuration;

fn day(day: u8) -> Timestamp {
    moment(&format!("2026-10-{day:02}T00:00:00Z"))
}

fn noon() -> Timestamp {
    moment("2026-11-03T12:00:00Z")
}

fn sealed(of: u8, sequence: u64, totals: &[UsageWindow]) -> Envelope<UsageSealed> {
    Envelope {
        id: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
        region: region(),
        stream: Stream::Usage(tenant(1)),
        sequence,
        occurred_at: noon(),
        data: UsageSealed {
            tenant: tenant(1),
            day: day(of),
            totals: totals.len() as u64,
            digest: SealDigest::of(totals),
        },
    }
}

async fn record(store: &BillingStore, windows: &[UsageWindow]) {
    let usage = UsageWindowUpdated {
        tenant: tenant(1),
        windows: windows.to_vec(),
    };
    store.record_windows(&usage).await.unwrap();
}

/// Stands for the outbox row of a request, which another crate writes.
fn request(store: &BillingStore) -> impl Fn(&Resend) -> Result<Write, StoreError> {
    let table = store.table.clone();
    move |resend| {
        Ok(table.put(key(
            "REQUESTED",
            format!("{}#{}", resend.day, resend.number),
        )))
    }
}

#[tokio::test]
async fn the_totals_of_a_day_include_all_that_are_sealed_with_it() {
    let store = store().await;
    let of = |meter: &str, on: u8, value: &str| window(meter, on, value, 1);
    let group = UsageWindow {
        group: "direction=out".parse().unwrap(),
        ..of("transfer-gb", 31, "2")
    };
    let late = UsageWindow {
        part: WindowPart::Adjustment,
        ..of("api-calls", 31, "1")
    };
    let period = UsageWindow {
        size: WindowSize::Month,
        ..of("active-users", 1, "40")
    };
    let all = [
        of("api-calls", 30, "5"),
        of("api-calls", 31, "6"),
        group.clone(),
        late.clone(),
        period.clone(),
    ];
    record(&store, &all).await;
    let last = store.load_day(tenant(1), day(31)).await.unwrap();
    assert_eq!(last.len(), 3);
    assert!(
        [&all[1], &group, &period]
            .iter()
            .all(|total| last.contains(total)),
        "{last:?}"
    );
    assert_eq!(
        store.load_day(tenant(1), day(30)).await.unwrap(),
        [all[0].clone()]
    );
    assert_eq!(
        store
            .load_windows(tenant(1), super::period())
            .await
            .unwrap()
            .len(),
        5
    );
    assert_eq!(store.load_day(tenant(2), day(31)).await.unwrap(), []);
}

#[tokio::test]
async fn a_day_is_listed_until_the_ledger_agrees_with_its_seal() {
    let store = store().await;
    let totals = [window("api-calls", 5, "6", 1)];
    store
        .record_sealed(&sealed(5, 9, &totals), noon())
        .await
        .unwrap();
    let subject = Subject::Day(tenant(1), day(5));
    let [unreconciled] = &store.load_unreconciled().await.unwrap()[..] else {
        panic!("exactly one subject is unreconciled")
    };
    assert_eq!(
        (&unreconciled.subject, &unreconciled.incident),
        (&subject, &None)
    );

    let result = store
        .reconcile(&subject, unreconciled.due_at, request(&store))
        .await
        .unwrap();
    let resend = Resend {
        tenant: tenant(1),
        region: region(),
        day: day(5),
        number: 1,
    };
    assert_eq!(result.resends, [resend]);
    assert_eq!(
        store
            .reconcile(&subject, unreconciled.due_at, request(&store))
            .await
            .unwrap(),
        Reconciled::default(),
        "requested just now"
    );
    assert_eq!(
        store.sort_keys("REQUESTED").await,
        ["2026-10-05T00:00:00Z#1"],
        "published in the same transaction"
    );

    record(&store, &totals).await;
    let later = noon() + SignedDuration::from_hours(24);
    assert_eq!(
        store
            .reconcile(&subject, later, request(&store))
            .await
            .unwrap(),
        Reconciled::default()
    );
    assert_eq!(store.load_unreconciled().await.unwrap(), []);
    assert_eq!(
        store.load_seals(tenant(1), period()).await.unwrap()[0].retry,
        None
    );
}

#[tokio::test]
async fn an_unreconciled_subject_is_decoded_as_it_was_encoded() {
    let store = store().await;
    store
        .record_sealed(&sealed(5, 9, &[window("api-calls", 5, "6", 1)]), noon())
        .await
        .unwrap();
    let subject = Subject::Day(tenant(1), day(5));
    let item = store
        .get("unreconciled subjects", crate::item::retry_key(&subject))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        item["subject"],
        text(format!("{}/day/2026-10-05T00:00:00Z", tenant(1)))
    );
}

#[tokio::test]
async fn another_seal_of_a_day_is_an_incident_at_once() {
    let store = store().await;
    let totals = [window("api-calls", 5, "6", 1)];
    record(&store, &totals).await;
    store
        .record_sealed(&sealed(5, 9, &totals), noon())
        .await
        .unwrap();
    assert_eq!(store.load_unreconciled().await.unwrap(), []);
    store
        .record_sealed(&sealed(5, 10, &[]), noon())
        .await
        .unwrap();
    let [unreconciled] = &store.load_unreconciled().await.unwrap()[..] else {
        panic!("exactly one subject is unreconciled")
    };
    assert_eq!(
        unreconciled.incident.as_ref().unwrap().kind,
        IncidentKind::SealDisputed
    );
}

fn end(sequence: u64, sealed_until: Option<Timestamp>) -> Envelope<UsageStreamEndReported> {
    let Envelope {
        id,
        region,
        stream,
        occurred_at,
        ..
    } = sealed(1, sequence, &[]);
    let data = UsageStreamEndReported {
        tenant: tenant(1),
        sealed_until,
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

#[tokio::test]
async fn a_report_lost_before_the_end_is_listed_and_requested() {
    let store = store().await;
    store
        .record_end(&end(3, Some(day(7))), noon())
        .await
        .unwrap();
    store
        .record_end(&end(3, Some(day(7))), noon())
        .await
        .unwrap();
    let subject = Subject::Reports(tenant(1), region());
    let [unreconciled] = &store.load_unreconciled().await.unwrap()[..] else {
        panic!("exactly one subject is unreconciled")
    };
    assert_eq!(unreconciled.subject, subject);
    let result = store
        .reconcile(&subject, unreconciled.due_at, request(&store))
        .await
        .unwrap();
    assert!(
        result.resends.iter().any(|resend| resend.day == day(6)),
        "days begin as the region reported: {result:?}"
    );

    store
        .record_end(&end(4, Some(day(8))), noon())
        .await
        .unwrap();
    for number in [1, 2] {
        store
            .record_received(tenant(1), &region(), number, noon())
            .await
            .unwrap();
    }
    assert_eq!(store.load_unreconciled().await.unwrap(), []);
    let received = store.load_tenant(tenant(1)).await.unwrap().received;
    assert_eq!(
        (received[0].received.contiguous, received[0].sealed_until),
        (4, Some(day(8)))
    );
}

#[tokio::test]
async fn concurrent_seals_and_reports_are_all_recorded() {
    let store = store().await;
    let (store, region) = (&store, &region());
    let noted = (1..=12_u8).rev().map(async |number| {
        store
            .record_sealed(&sealed(number, number.into(), &[]), noon())
            .await
            .unwrap();
        store
            .record_received(tenant(1), region, number.into(), noon())
            .await
            .unwrap();
    });
    futures::future::join_all(noted).await;
    assert_eq!(
        store.load_seals(tenant(1), period()).await.unwrap().len(),
        12
    );
    assert_eq!(
        store
            .load_tenant(tenant(1))
            .await
            .unwrap()
            .missing_reports(),
        0
    );
    assert_eq!(
        store.load_unreconciled().await.unwrap(),
        [],
        "the gaps have closed"
    );
}

impl BillingStore {
    /// The sort keys of a partition.
    async fn sort_keys(&self, partition: &str) -> Vec<String> {
        let found = self.table.query(partition).all().await.unwrap();
        found.iter().map(|item| item.sort().to_owned()).collect()
    }
}
