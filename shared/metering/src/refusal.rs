//! The reasons why single events are refused.

use contract::RejectionKind;
use serde::Serialize;
use std::fmt;

/// The reason of a refusal. Callers see its name in kebab case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The event is not a JSON object.
    NotAnObject,
    /// A required attribute is absent, null or empty.
    MissingField,
    /// An attribute appears twice.
    DuplicateField,
    /// An attribute is not a text.
    WrongType,
    /// A header is not encoded as the HTTP binding of `CloudEvents` requires.
    InvalidHeader,
    /// An attribute has too many bytes.
    TooLong,
    /// The event is of another version of `CloudEvents`.
    UnsupportedVersion,
    /// The type belongs to no meter.
    UnknownMeter,
    /// The subject is not a tenant id.
    InvalidTenant,
    /// The tenant is not in use in this region.
    UnknownTenant,
    /// The time is not a date and time.
    InvalidTime,
    /// The time is too far in the future.
    TimeInFuture,
    /// The time is too long ago.
    TimeTooOld,
    /// The time is before the tenant's first billing period.
    BeforeFirstPeriod,
    /// The data is not a JSON object.
    InvalidData,
    /// The data does not hold the meter's value.
    MissingValue,
    /// The value is not a number.
    InvalidValue,
    /// The value has too many digits.
    ValueTooLong,
    /// A dimension has a value that is not in its list.
    UnknownDimension,
    /// The value is negative and the meter is a sum.
    NegativeValue,
    /// An earlier event of the batch has the same source and id and other content.
    Conflict,
    /// The sender of the event to correct is unknown.
    InvalidSender,
    /// The reason of a correction is not a code.
    InvalidReason,
    /// The meter cannot subtract an event.
    NotReversible,
    /// The replacement is of another tenant than the event.
    OtherTenant,
    /// The replacement has the source and id of the event that it replaces.
    SameEventKey,
    /// No event is stored under the key of a correction.
    EventNotFound,
    /// Several events with different content are stored under the key of a correction.
    AmbiguousKey,
    /// The event was not found within the bounds of the search, and there are more segments.
    SearchCutShort,
}

impl Reason {
    /// The kind under which the region counts the reason.
    #[must_use]
    pub const fn kind(self) -> RejectionKind {
        match self {
            Self::NotAnObject
            | Self::MissingField
            | Self::DuplicateField
            | Self::WrongType
            | Self::InvalidHeader
            | Self::TooLong
            | Self::UnsupportedVersion
            | Self::InvalidTenant
            | Self::InvalidTime => RejectionKind::Malformed,
            Self::UnknownMeter => RejectionKind::UnknownMeter,
            Self::UnknownTenant => RejectionKind::UnknownTenant,
            Self::TimeInFuture | Self::TimeTooOld | Self::BeforeFirstPeriod => {
                RejectionKind::OutOfTime
            }
            Self::InvalidData
            | Self::MissingValue
            | Self::InvalidValue
            | Self::ValueTooLong
            | Self::UnknownDimension
            | Self::NegativeValue => RejectionKind::InvalidValue,
            Self::Conflict => RejectionKind::Conflict,
            Self::InvalidSender
            | Self::InvalidReason
            | Self::NotReversible
            | Self::OtherTenant
            | Self::SameEventKey
            | Self::EventNotFound
            | Self::AmbiguousKey
            | Self::SearchCutShort => RejectionKind::Correction,
        }
    }
}

/// A refused event. Its id is returned to the sender, and is not logged.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The position in the batch, from 0.
    pub index: usize,
    /// The event's id, if it has one of a permitted length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The reason.
    pub reason: Reason,
    /// The rule that the event breaks, without the event's content.
    pub detail: String,
}

impl fmt::Debug for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Refusal({}: {:?}, {})",
            self.index, self.reason, self.detail
        )
    }
}
