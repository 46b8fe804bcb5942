//! Why the billing table did not do what it was asked.

use aws_sdk_dynamodb::error::BuildError;
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
        source: Box<dyn Error + Send + Sync>,
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
    /// Others changed the same items at every attempt.
    #[error("others changed the billing table at each of {attempts} attempts: {what}")]
    Contended {
        /// What was to be written.
        what: &'static str,
        /// How often it was tried.
        attempts: u32,
    },
    /// A usage report is too far ahead of those that are missing.
    #[error("a usage report must come again")]
    Gaps(#[source] TooManyGaps),
}

impl StoreError {
    pub(crate) fn read<E: Into<Box<dyn Error + Send + Sync>>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Read { what, source: source.into() }
    }

    pub(crate) fn write<E: Into<Box<dyn Error + Send + Sync>>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Write { what, source: source.into() }
    }

    pub(crate) fn malformed<E: Into<Box<dyn Error + Send + Sync>>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Malformed { what, source: source.into() }
    }

    pub(crate) fn unbuilt(what: &'static str) -> impl FnOnce(BuildError) -> Self {
        Self::write(what)
    }
}
