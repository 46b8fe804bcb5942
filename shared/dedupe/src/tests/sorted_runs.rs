use crate::bloom::BloomHash;
use crate::*;
use jiff::Timestamp;
use kernel::SegmentId;
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

fn entry(number: u32) -> Entry {
    Entry {
        key: DedupeKey::hash([&number.to_be_bytes()]),
        content: ContentHash::from_bytes([1; 4]),
    }
}

#[test]
fn a_run_finds_exactly_its_entries() {
    for size in [0, 1, 2, 3, 100, 12_000] {
        let run = SortedRun::of((0..size).map(entry).collect());
        let stored = SortedRun::decode(&run.encode()).unwrap();
        assert!(stored == run);
        let passes_filter = |number: u32| stored.may_hold(BloomHash::of(entry(number).key));
        assert!(
            (0..size).all(passes_filter),
            "every entry passes the filter"
        );
        assert!(
            (size..size + 5_000)
                .filter(|number| passes_filter(*number))
                .count()
                < 50,
            "few other keys pass the filter"
        );
        for number in 0..size {
            let found = stored.find(entry(number).key);
            assert_eq!(
                found,
                Known {
                    counted: Some(entry(number).content),
                    voided: None
                },
                "{number} of {size}"
            );
        }
        assert!(
            (size..size + 5_000).all(|number| stored.find(entry(number).key) == Known::default())
        );
    }
}

#[test]
fn a_run_distinguishes_an_event_from_its_void() {
    let void = |number: u32| Entry {
        key: entry(number).key.void(),
        content: ContentHash::from_bytes([2; 4]),
    };
    let run = SortedRun::of(
        (0..500)
            .flat_map(|n| [void(2 * n), void(2 * n + 1), entry(2 * n)])
            .collect(),
    );
    for number in 0..1_000 {
        let counted = (number % 2 == 0).then_some(entry(number).content);
        let known = Known {
            counted,
            voided: Some(void(number).content),
        };
        assert_eq!(run.find(entry(number).key), known);
        assert_eq!(run.find(void(number).key), known);
    }
    assert!((0..5_000).all(|n| !entry(n).key.is_void() && void(n).key.event() == entry(n).key));
}

#[test]
fn a_search_succeeds_for_any_distribution_of_keys() {
    let at = |prefix: u64, low: u32| {
        let [a, b, c, d, e, f, g, h] = prefix.to_be_bytes();
        let [i, j, k, l] = (low * 2).to_be_bytes();
        let key = DedupeKey::from_bytes([a, b, c, d, e, f, g, h, i, j, k, l]);
        Entry {
            key,
            content: ContentHash::from_bytes([2; 4]),
        }
    };
    let clustered: Vec<Entry> = (0..5_000).map(|low| at(7, low)).collect();
    let run = SortedRun::of(clustered.clone());
    assert!(
        clustered
            .iter()
            .all(|entry| run.find(entry.key).counted.is_some())
    );
    assert_eq!(run.find(at(7, 5_000).key), Known::default());
    assert_eq!(run.find(at(u64::MAX, 4_999).key), Known::default());
}

#[test]
fn runs_are_split_below_an_items_size() {
    let runs = SortedRun::merge([SortedRun::of((0..50_000).map(entry).collect())].iter());
    assert_eq!(
        runs.iter().map(SortedRun::len).collect::<Vec<_>>(),
        [16_667, 16_667, 16_666]
    );
    assert!(runs[0].encode().len() < 385_000);
    let merged = SortedRun::merge(runs.iter());
    assert!(merged == runs);
    let full = SortedRun::merge([SortedRun::of((0..24_000).map(entry).collect())].iter());
    assert_eq!((full.len(), full[0].encode().len()), (1, 384_000));
}

#[test]
fn unsorted_or_broken_runs_are_refused() {
    let run = SortedRun::of((0..3).map(entry).collect());
    let mut bytes = run.encode();
    assert!(SortedRun::decode(&bytes[..40]).is_none());
    bytes.rotate_left(16);
    assert!(SortedRun::decode(&bytes).is_none());
}

#[test]
fn run_entries_of_a_manifest_are_decoded_as_they_were_encoded() {
    let id = RunId {
        attempt: Uuid::from_u128(5),
        ordinal: 300,
    };
    assert_eq!(id.to_string().parse(), Ok(id));
    let newest = Timestamp::from_second(1_700_000_000).unwrap();
    let run = RunMeta {
        id,
        entries: 12_000,
        newest,
        blocks: None,
    };
    let whole = vec![run; 3];
    assert_eq!(
        Manifest::decode(&Manifest::encode(&whole), None),
        Some(whole)
    );
    let of_list = |filter_words| RunMeta {
        blocks: Some(BlockMeta {
            list: 7,
            filter_words,
        }),
        ..run
    };
    let listed: Vec<RunMeta> = [[0; 4], [1, 0, 3, 0], [1, 2, 3, u32::MAX]]
        .map(of_list)
        .to_vec();
    let bytes = Manifest::encode(&listed);
    assert_eq!(
        (bytes.len(), Manifest::decode(&bytes, Some(7))),
        (3 * 31 + 6 * 4, Some(listed))
    );
    assert!(Manifest::decode(&bytes[..bytes.len() - 1], Some(7)).is_none());
    let segment = SegmentId::from_uuid(Uuid::from_u128(6));
    assert_eq!(
        (id.segment(), RunId::of_segment(segment).segment()),
        (None, Some(segment))
    );
}

#[test]
fn keys_and_hashes_are_shown_in_hexadecimal_digits() {
    let key = DedupeKey::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0xaa, 0xbb]);
    assert_eq!(key.to_string(), "00010203040506070809aabb");
    assert_eq!(format!("{key:?}"), "DedupeKey(00010203040506070809aabb)");
    assert_eq!(
        format!("{:?}", ContentHash::from_bytes([0, 0x1f, 2, 3])),
        "ContentHash(001f0203)"
    );
    assert!(key.is_void() && !key.event().is_void() && key.event().void() == key);
}

/// Each part follows its length, so the boundary between two parts is hashed too.
#[test]
fn different_lists_of_parts_have_different_hashes() {
    let lists: [[&[u8]; 2]; 4] = [[b"ab", b"c"], [b"a", b"bc"], [b"abc", b""], [b"", b"abc"]];
    let keys: std::collections::BTreeSet<_> = lists.map(DedupeKey::hash).into();
    assert_eq!(keys.len(), lists.len());
}

/// However parts are put together on the way: stored hashes depend on it.
#[test]
fn parts_of_any_length_are_hashed_after_their_lengths() {
    let lengths = [0, 1, 120, 239, 240, 241, 248, 255, 256, 257, 1_024];
    let bytes: Vec<u8> = (0..=u8::MAX).cycle().take(1_024).collect();
    for (first, second, third) in lengths.iter().flat_map(|first| {
        lengths
            .iter()
            .map(move |second| (*first, *second, first / 2))
    }) {
        let parts = [&bytes[..first], &bytes[..second], &bytes[..third]];
        let mut input = Vec::new();
        for part in parts {
            input.extend_from_slice(&(part.len() as u64).to_be_bytes());
            input.extend_from_slice(part);
        }
        let whole: [u8; 32] = Sha256::digest(&input).into();
        let mut key = [0; DedupeKey::BYTES];
        key.copy_from_slice(&whole[..DedupeKey::BYTES]);
        let expected = DedupeKey::from_bytes(key).event();
        assert_eq!(DedupeKey::hash(parts), expected, "{first} {second} {third}");
    }
}

proptest! {
    #[test]
    fn invalid_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = SortedRun::decode(&bytes);
        let _ = Manifest::decode(&bytes, None).is_some() || Manifest::decode(&bytes, Some(1)).is_some();
        let _ = Entry::read(&bytes);
    }
}
