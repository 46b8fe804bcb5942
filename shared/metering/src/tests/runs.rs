use crate::filter::Mark;
use crate::run::{Run, RunId, RunRef};
use crate::*;
use jiff::Timestamp;
use kernel::SegmentId;
use uuid::Uuid;

fn entry(number: u32) -> Entry {
    Entry { identity: Identity::of(Sender::Provider, "s", &number.to_string()), digest: Digest::from_bytes([1; 4]) }
}

#[test]
fn a_run_finds_its_entries_and_no_others() {
    for size in [0, 1, 2, 3, 100, 12_000] {
        let run = Run::of((0..size).map(entry).collect());
        let stored = Run::decode(&run.encode()).unwrap();
        assert!(stored == run);
        let is_marked = |number: u32| stored.may_hold(Mark::of(entry(number).identity));
        assert!((0..size).all(is_marked), "one that is not marked is not looked for");
        assert!((size..size + 5_000).filter(|number| is_marked(*number)).count() < 50, "few others are");
        for number in 0..size {
            let found = stored.find(entry(number).identity);
            assert_eq!(found, Known { counted: Some(entry(number).digest), voided: None }, "{number} of {size}");
        }
        assert!((size..size + 5_000).all(|number| stored.find(entry(number).identity) == Known::default()));
    }
}

#[test]
fn a_run_tells_an_event_from_what_takes_it_back() {
    let void = |number: u32| Entry { identity: entry(number).identity.void(), digest: Digest::from_bytes([2; 4]) };
    let run = Run::of((0..500).flat_map(|n| [void(2 * n), void(2 * n + 1), entry(2 * n)]).collect());
    for number in 0..1_000 {
        let counted = (number % 2 == 0).then_some(entry(number).digest);
        let known = Known { counted, voided: Some(void(number).digest) };
        assert_eq!(run.find(entry(number).identity), known);
        assert_eq!(run.find(void(number).identity), known);
    }
    assert!((0..5_000).all(|n| !entry(n).identity.is_void() && void(n).identity.event() == entry(n).identity));
}

#[test]
fn a_run_is_found_in_however_it_is_spread() {
    let at = |prefix: u64, low: u32| {
        let [a, b, c, d, e, f, g, h] = prefix.to_be_bytes();
        let [i, j, k, l] = (low * 2).to_be_bytes();
        let identity = Identity::from_bytes([a, b, c, d, e, f, g, h, i, j, k, l]);
        Entry { identity, digest: Digest::from_bytes([2; 4]) }
    };
    let clustered: Vec<Entry> = (0..5_000).map(|low| at(7, low)).collect();
    let run = Run::of(clustered.clone());
    assert!(clustered.iter().all(|entry| run.find(entry.identity).counted.is_some()));
    assert_eq!(run.find(at(7, 5_000).identity), Known::default());
    assert_eq!(run.find(at(u64::MAX, 4_999).identity), Known::default());
}

#[test]
fn runs_are_split_below_an_items_size() {
    let runs = Run::merge([Run::of((0..50_000).map(entry).collect())].iter());
    assert_eq!(runs.iter().map(Run::len).collect::<Vec<_>>(), [16_667, 16_667, 16_666]);
    assert!(runs[0].encode().len() < 385_000);
    let merged = Run::merge(runs.iter());
    assert!(merged == runs);
    let full = Run::merge([Run::of((0..24_000).map(entry).collect())].iter());
    assert_eq!((full.len(), full[0].encode().len()), (1, 384_000));
}

#[test]
fn unsorted_or_broken_runs_are_refused() {
    let run = Run::of((0..3).map(entry).collect());
    let mut bytes = run.encode();
    assert!(Run::decode(&bytes[..40]).is_none());
    bytes.rotate_left(16);
    assert!(Run::decode(&bytes).is_none());
}

#[test]
fn references_are_read_as_written() {
    let id = RunId { attempt: Uuid::from_u128(5), ordinal: 300 };
    assert_eq!(id.to_string().parse(), Ok(id));
    let newest = Timestamp::from_second(1_700_000_000).unwrap();
    let run = RunRef { id, entries: 12_000, newest, blocks: None };
    let whole = vec![run; 3];
    assert_eq!(Head::decode_runs(&Head::encode_runs(&whole), None), Some(whole));
    let of_list = |filter_words| RunRef { blocks: Some(Blocks { list: 7, filter_words }), ..run };
    let listed: Vec<RunRef> = [[0; 4], [1, 0, 3, 0], [1, 2, 3, u32::MAX]].map(of_list).to_vec();
    let bytes = Head::encode_runs(&listed);
    assert_eq!((bytes.len(), Head::decode_runs(&bytes, Some(7))), (3 * 31 + 6 * 4, Some(listed)));
    assert!(Head::decode_runs(&bytes[..bytes.len() - 1], Some(7)).is_none());
    let segment = SegmentId::from_uuid(Uuid::from_u128(6));
    assert_eq!((id.segment(), RunId::of_segment(segment).segment()), (None, Some(segment)));
}
