//! Values that every part of Meridian agrees on: ids, regions, residency, money, quantities, periods.
//!
//! Invariant: a value of these types is valid. Each is parsed once, at the edge, and no type here can
//! hold free text that a person typed. Imports nothing local, does no I/O, reads no clock.

mod code;
mod decimal;
mod id;
mod money;
mod period;
mod region;
mod status;

pub use code::{Alias, EntitlementCode, LegalEntity, MeterCode, PlanCode};
pub use decimal::Quantity;
pub use id::{EventId, InvoiceId, SegmentId, SignupId, TenantId};
pub use jiff::Timestamp;
pub use money::{Currency, Money};
pub use period::BillingPeriod;
pub use region::{Jurisdiction, Mode, RegionCode};
pub use status::{Role, StatusReason, TenantStatus};

/// Why a text is not a value of a type. The rejected text itself is not kept: it may be personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be {rule}")]
pub struct Invalid {
    /// What was being parsed, such as `alias`.
    pub kind: &'static str,
    /// The rule that it broke, in words that a caller may see.
    pub rule: &'static str,
}

/// Gives a text newtype its parsing, display, serde and schema, all through `FromStr`.
macro_rules! text_value {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::Invalid;

            fn try_from(text: String) -> Result<Self, $crate::Invalid> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}
pub(crate) use text_value;

#[cfg(test)]
mod tests;
