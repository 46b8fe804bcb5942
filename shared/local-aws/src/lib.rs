//! The local stack: one local AWS per region, with the real template and the real functions.
//!
//! One emulator process per region stands for AWS. What it leaves out is added here, in one place,
//! and never in functions or template: [`routes`] of HTTP APIs, [`links`] between regions, the
//! Cognito [`triggers`] that it does not run, the [`names`] that are one world for all regions, the
//! conditions of [`narrowed`] credentials. The serve process ([`serve`]) stands before every
//! region, so that tests can cut, slow, duplicate and reorder what goes between and to them
//! ([`control`]).
//!
//! Functions deployed to AWS know nothing of this crate: it is for the command line and for tests.
//! What is true of AWS too, such as the addresses and clients of a region, is in `deployment`.
//!
//! Everything lies below `.meridian/` of the checkout, and every port is searched from a starting
//! point of the checkout's own, so that several checkouts run side by side.

pub mod canary;
mod cloudformation;
pub mod conditions;
pub mod control;
pub mod deploy;
pub mod emulator;
pub mod faults;
pub mod layout;
pub mod links;
pub mod local_json;
pub mod logs;
pub mod names;
pub mod narrowed;
pub mod packages;
pub mod ports;
pub mod process;
pub mod progress;
mod quiet;
pub mod routes;
pub mod sdk;
pub mod serve;
pub mod stack;
pub mod template;
pub mod triggers;
mod upload;
pub mod upstream;
mod xml;

pub use control::{Action, Calls, Control, Fault, Knobs, LinkChange};
pub use local_json::{LocalRegion, LocalStack};
pub use progress::{Progress, Step};
pub use sdk::Mail;
pub use stack::{RegionStatus, Stack, Status, UpOptions};
