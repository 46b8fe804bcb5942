//! The DynamoDB adapter of the billing set.
//!
//! Invariant: an invoice, its number, its place in the period's list and the run's progress are
//! written in one transaction or not at all, so a number is never skipped and no invoice is counted
//! twice. Nothing is ever scanned: a question that billing asks has a partition that answers it.
//!
//! | partition | sort | what |
//! |---|---|---|
//! | `TENANT#<tenant>` | `ACCOUNT` | what billing knows of the tenant, guarded by a generation |
//! | | `RECEIVED#<region>` | which of its usage reports have arrived, and what is done about gaps; guarded by a generation |
//! | `ACCOUNTS#<0..15>` | `<tenant>` | the account again, for the run to list |
//! | `LEDGER#<tenant>#<period>` | `WINDOW#<size>#<start>#<meter>#<part>#<group>` | a total, guarded by its revision |
//! | | `SEAL#<day>` | what was sealed of the day, guarded by a generation |
//! | `WATCH#<0..15>` | `<subject>` | a day or a stream of reports that does not hold, written with what it is about |
//! | `INVOICE#<tenant>` | `<period>` | the invoice, written once |
//! | `INVOICE_ID#<invoice id>` | `INVOICE` | whose invoice that is, and of which period |
//! | `PERIOD#<period>` | `RUN` | the run and its progress, guarded by a generation |
//! | | `INVOICE#<legal entity>#<number>` | what a list shows of an invoice, in order of numbers |
//! | `NUMBER#<legal entity>` | `NUMBER` | the last number given, guarded by itself |
//! | `STATEMENTS` | `SEQUENCE` | how many totals the region has published, guarded by itself |

mod account;
mod completeness;
mod error;
mod invoice;
mod issue;
mod item;
mod ledger;
mod run;
mod slot;

pub use account::TenantRecord;
pub use completeness::{Looked, Resend, Unreconciled};
pub use error::StoreError;
pub use invoice::InvoicePage;
pub use issue::{IssueContext, Recorded};
pub use run::HeldRun;
pub use slot::TimeSlot;

use dynamo::Table;

/// The billing table.
#[derive(Debug, Clone)]
pub struct BillingStore {
    table: Table,
}

impl BillingStore {
    /// The store in a table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
        }
    }
}

#[cfg(test)]
mod tests;
