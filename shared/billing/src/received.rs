//! The received sequence numbers of a stream, and the gaps between them. Events may arrive in any
//! order.

use serde::{Deserialize, Serialize};

/// The sequence numbers of a stream that have been received.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Received {
    /// Every number up to this one has been received.
    pub contiguous: u64,
    /// The spans received beyond `contiguous`, in rising order with gaps between them, at most
    /// [`Received::SPANS_MAX`].
    pub beyond: Vec<Span>,
}

/// A range of sequence numbers without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first number, inclusive.
    pub first: u64,
    /// The last number, inclusive.
    pub last: u64,
}

/// The event would open more gaps than are stored. It must be delivered again once gaps have
/// closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the stream has more than {} gaps", Received::SPANS_MAX)]
pub struct TooManyGaps;

impl Received {
    /// The most spans beyond the contiguous numbers. It bounds the size of the stored item.
    pub const SPANS_MAX: usize = 256;

    /// Adds a number. Returns nothing when the number was received before.
    ///
    /// # Errors
    /// [`TooManyGaps`] when the number would open one gap too many. Dropping a number instead would
    /// leave a gap that never closes.
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

    /// The missing numbers below the highest received one.
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

    /// Closes all gaps: the missing numbers below the highest one are no longer expected.
    #[must_use]
    pub fn without_gaps(&self) -> Self {
        let contiguous = self.beyond.last().map_or(self.contiguous, |span| span.last);
        Self {
            contiguous,
            beyond: Vec::new(),
        }
    }

    /// The number of missing events below the highest received number.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.gaps()
            .iter()
            .fold(0, |sum, gap| sum.saturating_add(gap.last - gap.first + 1))
    }
}

/// Merges spans without a gap between them, and merges the first into the contiguous numbers if it
/// follows them.
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
