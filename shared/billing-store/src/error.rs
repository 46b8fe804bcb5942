//! Errors of the billing table.

use billing::TooManyGaps;
use std::error::Error;

/// Errors of the billing table.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Items could not be read.
    #[error("the billing table could not be read: {what}")]
    Read {
        /// The kind of item.
        what: &'static str,
        /// The error of the service.
        #[source]
        source: dynamo::Error,
    },
    /// Items could not be written.
    #[error("the billing table could not be written: {what}")]
    Write {
        /// The kind of item.
        what: &'static str,
        /// The error of the service.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// An item does not have the form that this release writes.
    #[error("an item of the billing table is malformed: {what}")]
    Malformed {
        /// The expected kind of item.
        what: &'static str,
        /// The fault.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A usage report would open too many gaps. It must be delivered again.
    #[error("a usage report must be delivered again")]
    Gaps(#[source] TooManyGaps),
}

impl StoreError {
    pub(crate) fn read(what: &'static str) -> impl FnOnce(dynamo::Error) -> Self {
        move |source| Self::Read { what, source }
    }

    pub(crate) fn write(what: &'static str) -> impl FnOnce(dynamo::Error) -> Self {
        move |source| Self::Write {
            what,
            source: source.into(),
        }
    }

    pub(crate) fn malformed<E: Into<Box<dyn Error + Send + Sync>>>(
        what: &'static str,
    ) -> impl FnOnce(E) -> Self {
        move |source| Self::Malformed {
            what,
            source: source.into(),
        }
    }
}
