//! Usage events to settled window totals, as pure functions.
//!
//! [`read`] turns a request body into valid events and named refusals, [`group`] turns events into
//! [`Segment`]s that are stored as they are, [`settle`] turns segments into window totals exactly once.
//!
//! Invariants: a number is never a float; what a client wrote (ids, sources, data, extensions) ends in
//! [`read`], after which an event is two hashes, a meter, a window and a value; the same segments give
//! the same totals in any order and grouping. Imports `kernel` and `contract` only.

mod aggregate;
mod binary;
mod blocks;
mod bytes;
mod correction;
mod event;
mod filter;
mod grouped;
mod identity;
mod index;
mod json;
mod lookup;
mod page;
mod refusal;
mod report;
mod run;
mod seal;
mod segment;
mod settle;
mod stream;
mod value;
mod window;

pub use aggregate::Aggregate;
pub use binary::Attributes;
pub use blocks::{BlockFilter, BlockRun};
pub use correction::{CORRECTIONS_MAX, CorrectionReading, ValidCorrection, read_corrections};
pub use event::{BODY_BYTES_MAX, BodyError, EVENTS_MAX, Form, Reading, TIME_AHEAD_MAX, TIME_BEHIND_MAX, Usage, read};
pub use grouped::{GROUP_LEVELS, GroupId, PartId, Parts};
pub use identity::{Digest, Entry, Identity, Sender};
pub use index::{MEMBERS_KEPT, StoredPart};
pub use lookup::{KEYED_CORRECTIONS_MAX, KeyedCorrection, Sightings};
pub use page::{Page, PageKey};
pub use refusal::{Reason, Refusal};
pub use report::{Finality, Question, Total, Unanswerable};
pub use run::{Blocks, Known, Run, RunId, RunRef};
pub use seal::{Statement, restate, seal};
pub use segment::{
    Correction, Malformed, Purpose, SEGMENT_EVENTS_MAX, SEGMENT_TOTALS_MAX, SEGMENT_WINDOWS_MAX, Segment, SegmentBody,
    SegmentEvent, Slot, group, group_corrections,
};
pub use settle::{
    Counted, Head, IDENTITY_KEPT, Lacking, SETTLED_SEGMENTS_MAX, Settlement, State, batches, settle, touched_pages,
};
pub use stream::state_end;
pub use value::{NumberError, Value};
pub use window::{Measure, Window, WindowKey};

#[cfg(test)]
mod tests;
