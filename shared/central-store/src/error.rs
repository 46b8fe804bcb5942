//! Why the central table did not do what it was asked.

use std::error::Error;

/// Why the central table did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Items could not be read.
    #[error("the central table could not be read: {what}")]
    Read {
        /// What was to be read.
        what: &'static str,
        /// The service's answer.
        #[source]
        source: dynamo::Error,
    },
    /// Items could not be written.
    #[error("the central table could not be written: {what}")]
    Write {
        /// What was to be written.
        what: &'static str,
        /// The service's answer.
        #[source]
        source: dynamo::Error,
    },
    /// An item does not have the form that this release writes.
    #[error("an item of the central table is malformed: {what}")]
    Malformed {
        /// What the item should be.
        what: &'static str,
        /// What is wrong with it.
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

/// Why a tenant was not changed.
#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    /// The change is not allowed.
    #[error("the change of a tenant is refused")]
    Refused(#[source] fleet::Refusal),
    /// The table did not do it.
    #[error("the change of a tenant was not stored")]
    Store(#[source] StoreError),
}

impl UpdateError {
    pub(crate) fn write(what: &'static str) -> impl FnOnce(dynamo::Error) -> Self {
        move |source| Self::Store(StoreError::Write { what, source })
    }
}
