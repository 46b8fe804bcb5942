use super::{now, tenant};
use crate::checkpoint::Checkpoint;
use crate::stream::report_end;
use kernel::Generation;

fn generation(changes: usize) -> Generation {
    (0..changes).fold(Generation::NONE, |before, _| before.next())
}

#[test]
fn the_end_of_a_stream_is_published_under_its_next_number() {
    let before = Checkpoint {
        generation: generation(7),
        sequence: 4,
        sealed_until: Some(now()),
        ..Checkpoint::default()
    };
    let (checkpoint, published) = report_end(&before, tenant(1)).unwrap();
    assert_eq!(
        checkpoint,
        Checkpoint {
            generation: generation(8),
            sequence: 5,
            ..before.clone()
        },
        "nothing else changes"
    );
    assert_eq!(
        (published.tenant, published.sealed_until),
        (tenant(1), Some(now()))
    );
}

#[test]
fn a_stream_without_events_has_no_end() {
    assert_eq!(
        report_end(&Checkpoint::default(), tenant(1)),
        None,
        "nothing was used, or all of it was erased"
    );
    assert_eq!(
        report_end(
            &Checkpoint {
                generation: generation(3),
                ..Checkpoint::default()
            },
            tenant(1)
        ),
        None,
        "nothing that was sent counted"
    );
}
