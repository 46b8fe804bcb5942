//! Usage events to settled window totals, as pure functions.
//!
//! [`read`] turns a request body into valid events and named refusals, [`group`] turns events into
//! [`Segment`]s that are stored as they are, [`settle`] turns segments into window totals exactly once.
//!
//! Invariants: a number is never a float; what a client wrote (ids, sources, data, extensions) ends in
//! [`read`], after which an event is two hashes, a meter, a window and a value; the same segments give
//! the same totals in any order and grouping. Imports `kernel` and `contract` only.

mod event;
mod identity;
mod json;
mod refusal;
mod run;
mod segment;
mod settle;
mod value;
mod window;

pub use event::{BODY_BYTES_MAX, BodyError, EVENTS_MAX, Form, Reading, TIME_AHEAD_MAX, TIME_BEHIND_MAX, Usage, read};
pub use identity::{Digest, Entry, Identity};
pub use refusal::{Reason, Refusal};
pub use run::{Run, RunId, RunRef};
pub use segment::{
    Malformed, SEGMENT_EVENTS_MAX, SEGMENT_WINDOWS_MAX, Segment, SegmentBody, SegmentEvent, Slot, group,
};
pub use settle::{
    Counted, Head, IDENTITY_KEPT, MissingRun, SETTLED_SEGMENTS_MAX, Settlement, State, batches, settle, touched_windows,
};
pub use value::{NumberError, Value};
pub use window::{Window, WindowKey, WindowSize};

#[cfg(test)]
mod tests;
