//! Errors of the central table.

use std::error::Error;

/// An error of the central table.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Items could not be read.
    #[error("the central table could not be read: {what}")]
    Read {
        /// The items to read.
        what: &'static str,
        /// The service's answer.
        #[source]
        source: dynamo::Error,
    },
    /// Items could not be written.
    #[error("the central table could not be written: {what}")]
    Write {
        /// The items to write.
        what: &'static str,
        /// The service's answer.
        #[source]
        source: dynamo::Error,
    },
    /// An item does not have the form that this release writes.
    #[error("an item of the central table is malformed: {what}")]
    Malformed {
        /// The expected kind of item.
        what: &'static str,
        /// The error of the decoder.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl StoreError {
    pub(crate) fn read(what: &'static str) -> impl FnOnce(dynamo::Error) -> Self {
        move |source| Self::Read { what, source }
    }

    pub(crate) fn write(what: &'static str) -> impl FnOnce(dynamo::Error) -> Self {
        move |source| Self::Write { what, source }
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

/// The reason for which a record was not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The change is not allowed.
    #[error("the change is refused")]
    Refused(#[source] fleet::Refusal),
    /// The change was not stored.
    #[error("the change was not stored")]
    Store(#[source] StoreError),
}

impl UpdateError {
    pub(crate) fn write(what: &'static str) -> impl FnOnce(dynamo::Error) -> Self {
        move |source| Self::Store(StoreError::Write { what, source })
    }
}
