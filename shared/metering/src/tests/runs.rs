use crate::run::{Run, RunId, RunRef};
use crate::*;
use jiff::Timestamp;
use uuid::Uuid;

fn entry(number: u32) -> Entry {
    Entry { identity: Identity::of("s", &number.to_string()), digest: Digest::from_bytes([1; 8]) }
}

#[test]
fn a_run_finds_its_entries_and_no_others() {
    for size in [0, 1, 2, 3, 100, 12_000] {
        for run in Run::of((0..size).map(entry).collect()) {
            let stored = Run::decode(&run.encode()).unwrap();
            assert!(stored == run);
            for number in 0..size {
                assert_eq!(stored.find(entry(number).identity), Some(entry(number).digest), "{number} of {size}");
            }
            assert!((size..size + 5_000).all(|number| stored.find(entry(number).identity).is_none()));
        }
    }
}

#[test]
fn a_run_is_found_in_however_it_is_spread() {
    let at = |prefix: u64, low: u64| {
        let bytes = (u128::from(prefix) << 64) | u128::from(low);
        Entry { identity: Identity::from_bytes(bytes.to_be_bytes()), digest: Digest::from_bytes([2; 8]) }
    };
    let clustered: Vec<Entry> = (0..5_000).map(|low| at(7, low)).collect();
    let run = Run::of(clustered.clone()).remove(0);
    assert!(clustered.iter().all(|entry| run.find(entry.identity).is_some()));
    assert!(run.find(at(7, 5_000).identity).is_none());
    assert!(run.find(at(u64::MAX, 4_999).identity).is_none());
}

#[test]
fn runs_are_split_below_an_items_size() {
    let runs = Run::of((0..25_000).map(entry).collect());
    assert_eq!(runs.iter().map(Run::len).collect::<Vec<_>>(), [12_000, 12_000, 1_000]);
    assert!(runs[0].encode().len() < 300_000);
    let merged = Run::merge(runs.iter());
    assert!(merged == runs);
}

#[test]
fn unsorted_or_broken_runs_are_refused() {
    let run = Run::of((0..3).map(entry).collect()).remove(0);
    let mut bytes = run.encode();
    assert!(Run::decode(&bytes[..50]).is_none());
    bytes.rotate_left(24);
    assert!(Run::decode(&bytes).is_none());
}

#[test]
fn references_are_read_as_written() {
    let id = RunId { attempt: Uuid::from_u128(5), ordinal: 300 };
    assert_eq!(id.to_string().parse(), Ok(id));
    let newest = Timestamp::from_second(1_700_000_000).unwrap();
    let head = Head { runs: vec![RunRef { id, entries: 12_000, newest }; 3], ..Head::default() };
    assert_eq!(Head::decode_runs(&head.encode_runs()), Some(head.runs));
}
