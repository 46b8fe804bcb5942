use super::*;
use std::collections::BTreeSet;

fn receive(numbers: &[u64]) -> Received {
    let step = |state: Received, number: &u64| state.mark(*number).unwrap().unwrap_or(state);
    numbers.iter().fold(Received::default(), step)
}

#[test]
fn gaps_are_known_until_they_close() {
    let open = receive(&[1, 2, 5, 9, 6]);
    assert_eq!(open.contiguous, 2);
    assert_eq!(
        open.gaps(),
        [Span { first: 3, last: 4 }, Span { first: 7, last: 8 }]
    );
    assert_eq!(open.missing(), 4);
    let closed = receive(&[1, 2, 5, 9, 6, 4, 8, 3, 7]);
    assert_eq!(
        closed,
        Received {
            contiguous: 9,
            beyond: vec![]
        }
    );
}

#[test]
fn one_gap_too_many_is_refused_and_nothing_is_lost() {
    let odd: Vec<u64> = (1..=256).map(|n| n * 2).collect();
    let full = receive(&odd);
    assert_eq!(full.mark(1_000), Err(TooManyGaps));
    assert_eq!(full.mark(513).unwrap().unwrap().beyond.len(), 256);
    let room = full.mark(1).unwrap().unwrap();
    assert!(room.mark(1_000).is_ok());
}

proptest! {
    #[test]
    fn received_numbers_form_a_set(numbers in prop::collection::vec(1_u64..60, 0..80)) {
        let received = receive(&numbers);
        let set: BTreeSet<u64> = numbers.iter().copied().collect();
        let highest = set.last().copied().unwrap_or(0);
        let missing: Vec<u64> = (1..=highest).filter(|n| !set.contains(n)).collect();
        let gaps: Vec<u64> = received.gaps().iter().flat_map(|gap| gap.first..=gap.last).collect();
        prop_assert_eq!(received.missing(), missing.len() as u64);
        prop_assert_eq!(gaps, missing);
        prop_assert_eq!(received, receive(&set.into_iter().collect::<Vec<_>>()));
    }
}
