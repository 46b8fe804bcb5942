//! The local stack: one local AWS per region, with the real template and the real functions.
//!
//! One emulator process per region stands for AWS. This crate adds the parts of AWS that the
//! emulator lacks, in one place and never in functions or template: [`routes`] of HTTP APIs,
//! [`links`] between regions, Cognito [`triggers`], the DNS [`names`] that all regions share, and
//! the conditions of [`narrowed`] credentials. The serve process ([`serve`]) is a proxy in front of
//! every region, so that tests can cut, delay, duplicate and reorder the traffic between and to
//! regions ([`control`]).
//!
//! Only the command line and tests use this crate; functions deployed to AWS do not depend on it.
//! Code that holds on AWS too, such as the addresses and clients of a region, is in `deployment`.
//!
//! All files are below `.meridian/` of the checkout. The search for free ports starts at a number
//! derived from the checkout's path, so that several checkouts run side by side.

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
