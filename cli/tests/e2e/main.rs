//! End-to-end journeys on local regions of every mode, with the real template, the real binaries
//! and the real services.
//!
//! One stack serves all journeys. It is stopped at the end, also after a failure. `#[journey]`
//! registers a journey, and says why one has to run alone.

mod accounts;
mod alerts;
mod billing;
mod books;
mod boundaries;
mod browser;
mod chromium;
mod clients;
mod completeness;
mod connect;
mod costs;
mod days;
mod dead_letters;
mod documents;
mod exactly_once;
mod faults;
mod federation;
mod former_pool;
mod harness;
mod isolation;
mod kills;
mod life;
mod listener;
mod load;
mod machines;
mod onboarding;
mod outage;
mod poison;
mod provisioning;
mod quiet;
mod redelivery;
mod refusals;
mod residency;
mod routing;
mod runtime_interface;
mod signin;
mod streams;
mod subdomains;
mod usage_clients;
mod widths;

use std::process::ExitCode;

fn main() -> ExitCode {
    harness::run()
}
