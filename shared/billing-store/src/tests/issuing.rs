use super::*;
use futures::future::join_all;
use kernel::InvoiceId;

#[tokio::test]
async fn two_hundred_invoices_of_two_periods_at_once_have_gapless_numbers() {
    let store = store().await;
    let periods = [period(), period().next()];
    for period in periods {
        start_run(&store, period, 100).await;
    }
    let all = periods
        .into_iter()
        .flat_map(|period| (0..100).map(move |n| (n, period)));
    let numbers = join_all(all.map(|(n, period)| issue(&store, n, period))).await;
    let mut numbers: Vec<u64> = numbers.into_iter().map(Option::unwrap).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=200).collect::<Vec<_>>());
    for period in periods {
        let run = store.load_run(period).await.unwrap().unwrap().run;
        assert!(run.is_complete() && run.completed);
        let usd = run.tallies.values().next().unwrap();
        assert_eq!(
            (usd.invoices, usd.total.to_string()),
            (100, "1900.00 USD".to_owned())
        );
        assert_eq!(store.load_invoiced(period).await.unwrap().len(), 100);
    }
}

#[tokio::test]
async fn eight_concurrent_requests_for_a_tenant_make_one_invoice() {
    let store = store().await;
    start_run(&store, period(), 2).await;
    let numbers = join_all((0..8).map(|_| issue(&store, 7, period()))).await;
    assert_eq!(numbers.into_iter().flatten().collect::<Vec<_>>(), [1]);
    assert_eq!(issue(&store, 8, period()).await, Some(2));
    assert_eq!(store.load_run(period()).await.unwrap().unwrap().run.done, 2);
}

#[tokio::test]
async fn an_invoice_is_found_by_tenant_by_id_and_in_the_list() {
    let store = store().await;
    let next = period().next();
    start_run(&store, period(), 3).await;
    start_run(&store, next, 1).await;
    for n in 1..=3 {
        issue(&store, n, period()).await.unwrap();
    }
    assert_eq!(issue(&store, 1, next).await, Some(4));

    let invoice = store
        .load_invoice(tenant(2), period())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        store.load_invoice_by_id(invoice.id).await.unwrap(),
        Some(invoice.clone())
    );
    assert_eq!(
        store
            .load_invoice_by_id(InvoiceId::of(tenant(2), next))
            .await
            .unwrap(),
        None
    );

    let first = store.load_invoices(period(), None, 2).await.unwrap();
    assert_eq!(first.invoices[1], invoice.summary());
    let second = store
        .load_invoices(period(), first.next.as_ref(), 2)
        .await
        .unwrap();
    assert_eq!(
        second
            .invoices
            .iter()
            .map(|invoice| invoice.number.number)
            .collect::<Vec<_>>(),
        [3]
    );
    assert_eq!(second.next, None);
}

#[tokio::test]
async fn a_run_that_changed_since_it_was_read_is_not_overwritten() {
    let store = store().await;
    start_run(&store, period(), 1).await;
    let stale = store.load_run(period()).await.unwrap().unwrap();
    issue(&store, 1, period()).await.unwrap();
    let widened = Run {
        expected: 2,
        ..stale.run.clone()
    };
    assert!(!store.record_run(Some(&stale), &widened).await.unwrap());
    assert!(!store.record_run(None, &widened).await.unwrap());
    assert_eq!(store.load_run(period()).await.unwrap().unwrap().run.done, 1);
}
