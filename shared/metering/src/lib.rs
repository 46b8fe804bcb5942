//! From usage events to window totals, as pure functions.
//!
//! [`read`] turns a request body into valid events and named refusals. [`group`] turns events into
//! [`Segment`]s, which are stored unchanged. A [`Rollup`] turns segments into window totals exactly
//! once.
//!
//! Invariants: a number is never a float. Text that a client wrote (ids, sources, data, extensions)
//! does not get past [`read`]: behind it, an event is two hashes, a meter, a window and a value.
//! The same segments give the same totals in any order and grouping. Imports `kernel`, `catalogue`,
//! `contract` and `dedupe` only.

mod aggregate;
mod batch;
mod binary;
mod bytes;
mod checkpoint;
mod correction;
mod counting;
mod data;
mod event;
mod event_key;
mod grouping;
mod json;
mod lookup;
mod page;
mod refusal;
mod report;
mod rollup;
mod seal;
mod segment;
mod stream;
mod value;
mod window;

pub use aggregate::Aggregate;
pub use batch::{ROLLUP_SEGMENTS_MAX, batches, touched_pages};
pub use binary::Attributes;
pub use checkpoint::{Checkpoint, Counted, DISTINCT_VALUES_KEPT, EVENT_KEYS_KEPT};
pub use correction::{CORRECTIONS_MAX, ParsedCorrections, ValidCorrection, read_corrections};
pub use event::{
    BODY_BYTES_MAX, BodyError, EVENTS_MAX, Form, ParsedBatch, TIME_AHEAD_MAX, TIME_BEHIND_MAX,
    Usage, read,
};
pub use event_key::{Sender, content_hash, distinct_key, event_key};
pub use grouping::{Correction, group, group_corrections};
pub use lookup::{KEYED_CORRECTIONS_MAX, KeyedCorrection, Sightings};
pub use page::{Page, PageKey};
pub use refusal::{Reason, Refusal};
pub use report::{Finality, Question, Total, Unanswerable};
pub use rollup::{Rollup, RollupChanges, Snapshot};
pub use seal::{DayPublication, republish, seal};
pub use segment::{
    Malformed, Purpose, SEGMENT_EVENTS_MAX, SEGMENT_TOTALS_MAX, SEGMENT_WINDOWS_MAX, Segment,
    SegmentBody, SegmentEvent, Slot,
};
pub use stream::report_end;
pub use value::{NumberError, Value};
pub use window::{Measure, Window, WindowKey};

#[cfg(test)]
mod tests;
