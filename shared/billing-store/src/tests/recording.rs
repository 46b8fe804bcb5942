use super::*;
use billing::Span;
use std::collections::BTreeSet;

fn noon() -> Timestamp {
    moment("2026-10-09T12:00:00Z")
}

fn report(windows: Vec<UsageWindow>) -> UsageWindowUpdated {
    UsageWindowUpdated {
        tenant: tenant(1),
        windows,
    }
}

#[tokio::test]
async fn the_highest_revision_of_a_window_is_stored() {
    let store = store().await;
    let exact = "12345678901234567890.123456789012345678";
    for revision in [2, 3, 1, 3, 2] {
        let value = if revision == 3 { exact } else { "1" };
        store
            .record_windows(&report(vec![window("transfer-gb", 5, value, revision)]))
            .await
            .unwrap();
    }
    let windows = store.load_windows(tenant(1), period()).await.unwrap();
    assert_eq!(windows, [window("transfer-gb", 5, exact, 3)]);
}

#[tokio::test]
async fn a_report_may_hold_windows_of_several_periods() {
    let store = store().await;
    let mut windows: Vec<_> = (1..31)
        .flat_map(|day| {
            [
                window("api-calls", day, "1", 1),
                window("storage-gb", day, "2", 1),
            ]
        })
        .collect();
    windows[0].start = moment("2026-09-30T00:00:00Z");
    // The days of this tenant begin in the evening before.
    windows[1].start = moment("2026-10-30T23:00:00Z");
    windows[2].start = moment("2026-10-31T23:00:00Z");
    store.record_windows(&report(windows)).await.unwrap();
    assert_eq!(
        store.load_windows(tenant(1), period()).await.unwrap().len(),
        58
    );
    assert_eq!(
        store
            .load_windows(tenant(1), period().previous())
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(
        store
            .load_windows(tenant(1), period().next())
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(store.load_windows(tenant(2), period()).await.unwrap(), []);
}

#[tokio::test]
async fn gaps_among_reports_are_known() {
    let store = store().await;
    for number in [2, 5, 5, 4] {
        store
            .record_received(tenant(1), &region(), number, noon())
            .await
            .unwrap();
    }
    let record = store.load_tenant(tenant(1)).await.unwrap();
    assert_eq!(
        record.received[0].received.gaps(),
        [Span { first: 1, last: 1 }, Span { first: 3, last: 3 }]
    );
    assert_eq!(record.missing_reports(), 2);
    for number in [1, 3] {
        store
            .record_received(tenant(1), &region(), number, noon())
            .await
            .unwrap();
    }
    assert_eq!(
        store
            .load_tenant(tenant(1))
            .await
            .unwrap()
            .missing_reports(),
        0
    );
}

#[tokio::test]
async fn concurrent_reports_are_all_recorded() {
    let store = store().await;
    let region = region();
    let marks = (1..=20).map(|number| store.record_received(tenant(1), &region, number, noon()));
    for marked in futures::future::join_all(marks).await {
        marked.unwrap();
    }
    let record = store.load_tenant(tenant(1)).await.unwrap();
    assert_eq!(
        (
            record.received[0].received.contiguous,
            record.missing_reports()
        ),
        (20, 0)
    );
}

#[tokio::test]
async fn an_account_is_the_same_whatever_the_order() {
    let store = store().await;
    let at = moment("2026-10-02T00:00:00Z");
    for (revision, change) in [
        (3, TenantStatus::Suspended),
        (1, TenantStatus::Pending),
        (2, TenantStatus::Active),
        (1, TenantStatus::Pending),
    ] {
        store
            .record_status(&status(1, revision, change), &region(), at)
            .await
            .unwrap();
    }
    let account = store.load_tenant(tenant(1)).await.unwrap().account.unwrap();
    assert_eq!(
        account
            .changes
            .iter()
            .map(|change| change.revision)
            .collect::<Vec<_>>(),
        [1, 2, 3]
    );
    assert_eq!(account.status(), Some(TenantStatus::Suspended));
    assert_eq!(
        store
            .load_accounts(|listed| Some(listed.clone()))
            .await
            .unwrap(),
        [account]
    );
}

#[tokio::test]
async fn every_account_is_listed_once() {
    let store = store().await;
    let at = moment("2026-10-02T00:00:00Z");
    for n in 0..40 {
        store
            .record_status(&status(n, 1, TenantStatus::Active), &region(), at)
            .await
            .unwrap();
    }
    let listed = store
        .load_accounts(|account| Some(account.tenant))
        .await
        .unwrap();
    assert_eq!(listed.len(), 40);
    assert_eq!(
        listed.into_iter().collect::<BTreeSet<_>>(),
        (0..40).map(tenant).collect()
    );
}
