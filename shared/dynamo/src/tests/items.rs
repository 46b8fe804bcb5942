//! Items, attributes and shards.

use crate::item::{Attributes as _, bytes, from_item, has_key, key, number, text, to_item};
use crate::shard::Shards;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Counter {
    name: String,
    count: u64,
}

#[test]
fn a_value_is_decoded_as_it_was_encoded() {
    let counter = Counter {
        name: "one".to_owned(),
        count: u64::MAX,
    };
    let item = to_item(key("COUNTER", "1"), &counter).unwrap();
    assert!(has_key(&item, &key("COUNTER", "1")));
    assert!(!has_key(&item, &key("COUNTER", "2")));
    assert_eq!(from_item::<Counter>(item).unwrap(), counter);
    assert!(from_item::<Counter>(key("COUNTER", "1")).is_err());
}

#[test]
fn an_attribute_is_read_by_its_type() {
    let mut item = key("A", "1");
    item.insert("count".to_owned(), number(7));
    item.insert("blob".to_owned(), bytes(vec![1, 2]));
    item.insert("far".to_owned(), text("many"));
    assert_eq!((item.text("pk"), item.sort()), (Some("A"), "1"));
    assert_eq!(
        (
            item.number::<u8>("count"),
            item.number::<u8>("sk"),
            item.number::<u8>("none")
        ),
        (Some(7), None, None)
    );
    assert_eq!(
        (
            item.parsed::<u8>("sk"),
            item.parsed::<u8>("far"),
            item.parsed::<u8>("count")
        ),
        (Some(1), None, None)
    );
    assert_eq!(
        (item.bytes("blob"), item.bytes("far")),
        (Some([1, 2].as_slice()), None)
    );
    item.remove("sk");
    assert_eq!(item.sort(), "");
}

#[test]
fn the_shard_of_an_id_never_changes() {
    const EIGHT: Shards = Shards::new(8);
    let check = |last: u128, shards: Shards, expected: u8| {
        assert_eq!(shards.of(&Uuid::from_u128(last)), expected)
    };
    check(0, EIGHT, 0);
    check(13, EIGHT, 5);
    check(0x1_00ff, EIGHT, 7);
    check(255, Shards::new(96), 63);
    check(255, Shards::new(1), 0);
    assert_eq!((EIGHT.at(9), EIGHT.count(), EIGHT.all().count()), (1, 8, 8));
    let parts: Vec<u8> = (0..10)
        .map(|part| EIGHT.of_part(&Uuid::from_u128(6), part))
        .collect();
    assert_eq!(parts, [6, 7, 0, 1, 2, 3, 4, 5, 6, 7]);
    assert_eq!(EIGHT.of_part(&Uuid::from_u128(255), u16::MAX), 6);
}
