//! Reads, writes and errors on the local AWS.

use crate::error::Error;
use crate::item::{Attributes as _, GENERATION, Item, from_item, key, number, text, to_item};
use crate::retry::{Attempts, CROWD};
use crate::table::Table;
use kernel::Generation;
use std::collections::BTreeSet;

async fn table() -> Table {
    let aws = testkit::aws().await;
    Table::new(&aws.config, testkit::table(&aws, false).await)
}

fn counted(sort: impl ToString, count: u64) -> Item {
    let mut item = key("A", sort.to_string());
    item.insert("count".to_owned(), number(count));
    item
}

fn count(item: &Option<Item>) -> Option<u64> {
    item.as_ref()?.number("count")
}

#[tokio::test]
async fn of_two_who_read_the_same_generation_one_writes() {
    let table = table().await;
    let replace = async |read: Generation| {
        let mut item = key("A", "1");
        item.insert(GENERATION.to_owned(), number(read.next()));
        Error::is_written(table.send(table.put(item).if_generation(read)).await).unwrap()
    };
    assert!(!replace(Generation::FIRST).await, "there is none yet");
    assert!(replace(Generation::NONE).await);
    assert!(!replace(Generation::NONE).await);
    assert!(replace(Generation::FIRST).await);
    assert!(!replace(Generation::FIRST).await);
    let item = table.get(key("A", "1")).await.unwrap().unwrap();
    assert_eq!(item.number(GENERATION), Some(Generation::FIRST.next()));
    assert_eq!(Generation::FIRST.next().previous(), Generation::FIRST);
}

#[tokio::test]
async fn a_write_is_done_on_its_condition_only() {
    let table = table().await;
    let put = |count| table.put(counted("1", count));
    assert!(Error::is_written(table.send(put(1).if_absent()).await).unwrap());
    assert!(!Error::is_written(table.send(put(2).if_absent()).await).unwrap());
    assert!(!Error::is_written(table.send(put(2).if_counter("count", 0)).await).unwrap());
    assert!(!Error::is_written(table.send(put(2).if_counter("count", 2)).await).unwrap());
    assert!(Error::is_written(table.send(put(2).if_counter("count", 1)).await).unwrap());
    let add = table
        .update(key("A", "1"), "ADD #count :one")
        .name("#count", "count")
        .value(":one", number(1));
    table.send(add.clone().if_present()).await.unwrap();
    assert_eq!(count(&table.get(key("A", "1")).await.unwrap()), Some(3));
    table
        .send(table.delete(key("A", "1")).if_present())
        .await
        .unwrap();
    assert!(
        !Error::is_written(table.send(table.delete(key("A", "1")).if_present()).await).unwrap()
    );
    assert!(!Error::is_written(table.send(add.if_present()).await).unwrap());
    table.send(table.delete(key("A", "1"))).await.unwrap();
    assert_eq!(table.get(key("A", "1")).await.unwrap(), None);
}

#[tokio::test]
async fn a_transaction_is_committed_as_a_whole_or_names_its_failed_conditions() {
    let table = table().await;
    let other = self::table().await;
    table
        .transact(vec![
            table.put(counted("1", 1)),
            other.put(counted("2", 2)).if_absent(),
        ])
        .await
        .unwrap();
    let second = vec![
        table
            .update(key("A", "1"), "SET #count = :two")
            .name("#count", "count")
            .value(":two", number(2)),
        other.put(counted("2", 3)).if_absent(),
        table.delete(key("A", "3")).if_present(),
    ];
    let refused = table.transact(second).await.unwrap_err();
    assert!(
        matches!(&refused, Error::ConditionFailed(places) if *places == [1, 2]),
        "{refused:?}"
    );
    let found = table
        .snapshot(vec![key("A", "3"), key("A", "1")])
        .await
        .unwrap();
    assert_eq!(found.iter().map(count).collect::<Vec<_>>(), [None, Some(1)]);
    assert_eq!(count(&other.get(key("A", "2")).await.unwrap()), Some(2));
}

#[tokio::test]
async fn an_invalid_request_is_refused() {
    let table = table().await;
    let twice = table
        .transact(vec![
            table.put(counted("1", 1)),
            table.delete(key("A", "1")),
        ])
        .await
        .unwrap_err();
    assert!(matches!(twice, Error::Refused(_)), "{twice:?}");
    let nowhere = table
        .beside("no-such-table".to_owned())
        .get(key("A", "1"))
        .await
        .unwrap_err();
    assert!(matches!(nowhere, Error::Refused(_)), "{nowhere:?}");
}

#[tokio::test]
async fn no_concurrent_update_is_lost() {
    let table = table().await;
    let one = || async {
        let mut attempts = Attempts::of(CROWD);
        loop {
            let read = count(&table.get(key("A", "1")).await.unwrap()).unwrap_or_default();
            match table
                .send(table.put(counted("1", read + 1)).if_counter("count", read))
                .await
            {
                Ok(()) => return,
                Err(error) => attempts.again(error).await.unwrap(),
            }
        }
    };
    futures::future::join_all((0..12).map(|_| one())).await;
    assert_eq!(count(&table.get(key("A", "1")).await.unwrap()), Some(12));
}

#[tokio::test]
async fn batches_are_split_and_joined() {
    let table = table().await;
    let items: Vec<Item> = (0..130).map(|n| counted(n, n)).collect();
    table.put_all(items).await.unwrap();
    let keys: Vec<Item> = (0..140).map(|n: u64| key("A", n.to_string())).collect();
    let numbers = |found: Vec<Item>| {
        found
            .iter()
            .filter_map(|item| item.number("count"))
            .collect::<BTreeSet<u64>>()
    };
    let all: BTreeSet<u64> = (0..130).collect();
    assert_eq!(
        numbers(table.batch_get(keys.clone()).send().await.unwrap()),
        all
    );
    assert_eq!(
        numbers(
            table
                .batch_get(keys.clone())
                .of_large_items()
                .send_unchanging()
                .await
                .unwrap()
        ),
        all
    );
    let sorts = table
        .batch_get(keys)
        .attributes(&["sk"])
        .send()
        .await
        .unwrap();
    assert!(
        sorts.len() == 130
            && sorts
                .iter()
                .all(|item| item.len() == 1 && item.text("sk").is_some())
    );
    assert_eq!(table.batch_get(Vec::new()).send().await.unwrap(), []);
}

#[tokio::test]
async fn a_batch_deletes_what_is_there_and_nothing_else() {
    let table = table().await;
    let items: Vec<Item> = (0..60).map(|n| counted(n, n)).collect();
    table.put_all(items).await.unwrap();
    let keys: Vec<Item> = (3..80).map(|n: u64| key("A", n.to_string())).collect();
    table.delete_all(keys.clone()).await.unwrap();
    assert_eq!(table.query("A").consistent().count().await.unwrap(), 3);
    table.delete_all(keys).await.unwrap();
    table.delete_all(Vec::new()).await.unwrap();
    assert_eq!(table.query("A").consistent().count().await.unwrap(), 3);
}

#[tokio::test]
async fn a_partition_is_read_in_order_and_by_pages() {
    let table = table().await;
    table
        .put_all((0..5).map(|n| counted(format!("N#{n}"), n)).collect())
        .await
        .unwrap();
    table.put_all(vec![counted("M", 9)]).await.unwrap();
    let sorts = |items: &[Item]| {
        items
            .iter()
            .map(|item| item.sort().to_owned())
            .collect::<Vec<_>>()
    };
    let query = || table.query("A").consistent();
    assert_eq!(
        sorts(&query().all().await.unwrap()),
        ["M", "N#0", "N#1", "N#2", "N#3", "N#4"]
    );
    assert_eq!(
        sorts(&query().beginning_with("").all().await.unwrap()).len(),
        6
    );
    assert_eq!(
        sorts(&query().beginning_with("N#").limit(2).all().await.unwrap()).len(),
        5
    );
    assert_eq!(
        sorts(&query().before("N#1").all().await.unwrap()),
        ["M", "N#0"]
    );
    let descending = query()
        .between("N#1", "N#3")
        .descending()
        .all()
        .await
        .unwrap();
    assert_eq!(sorts(&descending), ["N#3", "N#2", "N#1"]);
    let first = query().limit(2).page().await.unwrap();
    assert_eq!(sorts(&first.items), ["M", "N#0"]);
    let second = query().limit(2).after(first.next).page().await.unwrap();
    assert_eq!(sorts(&second.items), ["N#1", "N#2"]);
    let filtered = query()
        .filter("#count > :least")
        .name("#count", "count")
        .value(":least", number(3));
    assert_eq!(sorts(&filtered.all().await.unwrap()), ["M", "N#4"]);
    assert_eq!(query().count().await.unwrap(), 6);
    let some = query()
        .attributes(&["count"])
        .limit(1)
        .page()
        .await
        .unwrap();
    assert_eq!(some.items, [Item::from([("count".to_owned(), number(9))])]);
}

#[tokio::test]
async fn attributes_with_reserved_names_can_be_read() {
    let table = table().await;
    let item = to_item(
        key("A", "1"),
        &std::collections::BTreeMap::from([("name", "n"), ("role", "r")]),
    )
    .unwrap();
    table.send(table.put(item)).await.unwrap();
    let some = table
        .get_some(key("A", "1"), &["role", "status"])
        .await
        .unwrap()
        .unwrap();
    assert_eq!(some, Item::from([("role".to_owned(), text("r"))]));
    let whole: std::collections::BTreeMap<String, String> =
        from_item(table.get(key("A", "1")).await.unwrap().unwrap()).unwrap();
    assert_eq!(whole.len(), 4);
}
