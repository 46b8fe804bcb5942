//! Why the billing table did not do what it was asked.

use billing::TooManyGaps;
use std::error::Error;

/// Why the billing table did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Items could not be read.
    #[error("the billing table could not be read: {what}")]
    Read {
        /// What was to be read.
        what: &'static str,
        /// The service's answer.
        #[source]
        source: dynamo::Error,
    },
    /// Items could not be written.
    #[error("the billing table could not be written: {what}")]
    Write {
        /// What was to be written.
        what: &'static str,
        /// The service's answer.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// An item does not have the form that this release writes.
    #[error("an item of the billing table is malformed: {what}")]
    Malformed {
        /// What the item should be.
        what: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// A usage report is too far ahead of those that are missing.
    #[error("a usage report must come again")]
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
