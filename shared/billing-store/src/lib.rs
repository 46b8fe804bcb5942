//! The DynamoDB adapter of the billing set.
//!
//! Invariant: an invoice, its number, its entry in the period's list and the run's progress are
//! written in one transaction, so that no number is skipped and no invoice is counted twice.
//! Nothing is scanned: every query reads the partition that answers it.
//!
//! | partition | sort | what |
//! |---|---|---|
//! | `TENANT#<tenant>` | `ACCOUNT` | the tenant's account, guarded by a version |
//! | | `RECEIVED#<region>` | the received usage reports and the retries of gaps, guarded by a version |
//! | `ACCOUNTS#<0..15>` | `<tenant>` | a copy of the account, for runs to list |
//! | `LEDGER#<tenant>#<period>` | `WINDOW#<size>#<start>#<meter>#<part>#<group>` | a total, guarded by its revision |
//! | | `SEAL#<day>` | the seal of a day, guarded by a version |
//! | `WATCH#<0..15>` | `<subject>` | an unreconciled day or stream of reports, written together with the seal or the reports |
//! | `INVOICE#<tenant>` | `<period>` | the invoice, written once |
//! | `INVOICE_ID#<invoice id>` | `INVOICE` | the tenant and the period of the invoice |
//! | `PERIOD#<period>` | `RUN` | the run and its progress, guarded by a version |
//! | | `INVOICE#<legal entity>#<number>` | the entry of an invoice in the list, in the order of numbers |
//! | `NUMBER#<legal entity>` | `NUMBER` | the last number, guarded by itself |
//! | `STATEMENTS` | `SEQUENCE` | the number of the region's last published totals, guarded by itself |

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
pub use completeness::{Reconciled, Resend, Unreconciled};
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
    /// Makes the store of a table.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String) -> Self {
        Self {
            table: Table::new(config, table),
        }
    }
}

#[cfg(test)]
mod tests;
