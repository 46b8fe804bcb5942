//! Why single events are refused.

use contract::RejectionKind;
use serde::Serialize;
use std::fmt;

/// The reasons, by the codes that callers see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The event is no JSON object.
    NotAnObject,
    /// An attribute that it must have is absent, null or empty.
    MissingField,
    /// An attribute is there twice.
    DuplicateField,
    /// An attribute is no text.
    WrongType,
    /// A header is not encoded as an attribute's has to be.
    InvalidHeader,
    /// An attribute has too many bytes.
    TooLong,
    /// It is of another version of `CloudEvents`.
    UnsupportedVersion,
    /// Its type belongs to no meter.
    UnknownMeter,
    /// Its subject is no tenant id.
    InvalidTenant,
    /// Its tenant is not in use in this region.
    UnknownTenant,
    /// Its time is no moment.
    InvalidTime,
    /// Its time has not come yet.
    TimeInFuture,
    /// Its time is too long ago.
    TimeTooOld,
    /// Its time is before the tenant's first billing period.
    BeforeFirstPeriod,
    /// Its data is no JSON object.
    InvalidData,
    /// Its data does not hold the meter's value.
    MissingValue,
    /// The value is no number.
    InvalidValue,
    /// The value has too many digits to be exact.
    ValueTooLong,
    /// A dimension has a value that is not in its list.
    UnknownDimension,
    /// The value is negative and the meter sums.
    NegativeValue,
    /// An event of the same source and id, before it in the batch, says something else.
    Conflict,
    /// Who is said to have sent the event that is corrected is nobody who sends events.
    InvalidSender,
    /// The reason of a correction is no code.
    InvalidReason,
    /// The meter cannot take anything back.
    NotReversible,
    /// What is to replace an event is another tenant's.
    OtherTenant,
    /// The replacement has the source and id of the event that it replaces.
    SameIdentity,
    /// No event of the key that a correction names is stored.
    EventNotFound,
    /// Events of the key that a correction names say different things.
    AmbiguousKey,
    /// An event was not found among those that were looked through, and there are more.
    SearchCutShort,
}

impl Reason {
    /// What the region counts it under.
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
            | Self::SameIdentity
            | Self::EventNotFound
            | Self::AmbiguousKey
            | Self::SearchCutShort => RejectionKind::Correction,
        }
    }
}

/// One refused event. Its id goes back to whoever sent it, and nowhere else.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Where in the batch it was, from 0.
    pub index: usize,
    /// Its id, when it has one of a permitted length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Why.
    pub reason: Reason,
    /// The rule that it broke, without what it said.
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
