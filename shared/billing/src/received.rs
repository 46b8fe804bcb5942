//! Which events of a stream have been received: known gaps, whatever the order of arrival.

use serde::{Deserialize, Serialize};

/// The sequence numbers of a stream that have been received.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Every number up to this one has been received.
    pub contiguous: u64,
    /// What has been received beyond it: rising, apart from each other, at most
    /// [`Received::SPANS_MAX`].
    pub beyond: Vec<Span>,
}

/// An unbroken run of sequence numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Its first number.
    pub first: u64,
    /// Its last number.
    pub last: u64,
}

/// More gaps at once than are kept: the event must come again, when some of them have closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream has more than {} gaps", Received::SPANS_MAX)]
pub struct TooManyGaps;

impl Received {
    /// How many spans beyond the contiguous numbers are kept.
    pub const SPANS_MAX: usize = 256;

    /// The state with one more number, or nothing when it had been received before.
    ///
    /// # Errors
    /// When it would open one gap too many: forgetting a number would be a gap that never closes.
    pub fn mark(&self, number: u64) -> Result<Option<Self>, TooManyGaps> {
        let seen = |span: &Span| span.first <= number && number <= span.last;
        if number <= self.contiguous || self.beyond.iter().any(seen) {
            return Ok(None);
        }
        let mut beyond = self.beyond.clone();
        let place = beyond.partition_point(|span| span.last < number);
        beyond.insert(
            place,
            Span {
                first: number,
                last: number,
            },
        );
        let joined = join(self.contiguous, beyond);
        if joined.beyond.len() > Self::SPANS_MAX {
            Err(TooManyGaps)
        } else {
            Ok(Some(joined))
        }
    }

    /// The numbers that are missing below the highest one received.
    #[must_use]
    pub fn gaps(&self) -> Vec<Span> {
        let mut below = self.contiguous;
        let gap = |span: &Span| {
            let gap = Span {
                first: below.saturating_add(1),
                last: span.first.saturating_sub(1),
            };
            below = span.last;
            gap
        };
        self.beyond.iter().map(gap).collect()
    }

    /// The state in which what is missing below the highest number is no longer expected.
    #[must_use]
    pub fn without_gaps(&self) -> Self {
        let contiguous = self.beyond.last().map_or(self.contiguous, |span| span.last);
        Self {
            contiguous,
            beyond: Vec::new(),
        }
    }

    /// How many numbers are missing below the highest one received.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.gaps()
            .iter()
            .fold(0, |sum, gap| sum.saturating_add(gap.last - gap.first + 1))
    }
}

/// Joins spans that touch, and moves what touches the contiguous numbers into them.
fn join(contiguous: u64, spans: Vec<Span>) -> Received {
    let mut received = Received {
        contiguous,
        beyond: Vec::with_capacity(spans.len()),
    };
    for span in spans {
        let touches = |last: u64| last.saturating_add(1) >= span.first;
        match received.beyond.last_mut() {
            Some(before) if touches(before.last) => before.last = span.last,
            None if touches(received.contiguous) => received.contiguous = span.last,
            _ => received.beyond.push(span),
        }
    }
    received
}
