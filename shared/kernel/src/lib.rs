//! The value types of the whole workspace: ids, regions, residency, money, quantities, periods.
//!
//! Invariant: a value of these types is valid. It is parsed once, at the edge, and no type can hold
//! free text that a person typed. The crate imports no other crate of the workspace, does no I/O
//! and reads no clock.

mod code;
mod decimal;
mod generation;
mod host;
mod id;
mod language;
mod moment;
mod money;
mod period;
mod place;
mod region;
mod status;
mod subdomain;
mod window;

pub use code::{
    Alias, DimensionCode, EntitlementCode, KnownReason, LegalEntity, MeterCode, PlanCode,
    ReasonCode,
};
pub use decimal::{
    Amount, PlanDecimal, Quantity, VALUE_DECIMALS_MAX, VALUE_DIGITS_MAX, mean_of, parse_exact,
};
pub use generation::Generation;
pub use host::{DomainName, is_host_name, is_readable_subdomain};
pub use id::{
    EventId, InvitationId, InvoiceId, OnboardingId, SegmentId, SignupId, TenantId, canonical_uuid,
    deserialize_text,
};
pub use jiff::Timestamp;
pub use language::Language;
pub use moment::parse_moment;
pub use money::{Currency, Money};
pub use period::BillingPeriod;
pub use place::{Location, PublicUrl, RegionName};
pub use region::{Jurisdiction, Mode, RegionCode};
pub use status::{MachineScope, Role, StatusReason, Suspension, TenantStatus, Tier};
pub use subdomain::SubdomainDigest;
pub use window::{BillingAnchor, UsageGroup, WindowSize};

/// The reason for which a text is not a value of a type. It does not contain the text, which may be
/// personal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{kind} must be {rule}")]
pub struct Invalid {
    /// The kind of value, such as `alias`.
    pub kind: &'static str,
    /// The rule that the text broke, worded to follow "must be", for callers to see.
    pub rule: &'static str,
}

/// Implements `Display` for a text newtype. Serde writes it, and `FromStr` parses it.
macro_rules! text_value {
    ($name:ident) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(crate) use text_value;

/// Implements the schema of a value that is written as text, for events and OpenAPI documents
/// alike.
macro_rules! text_schema {
    ($name:ident, $description:expr, $keyword:ident: $form:literal $(, $length:ident: $length_max:literal)?) => {
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string", (stringify!($keyword)): $form $(, (stringify!($length)): $length_max)?
                })
            }
        }

        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                use utoipa::openapi::schema::{Object, Type};
                let mut schema = Object::with_type(Type::String);
                schema.description = Some($description.trim().to_owned());
                $crate::keyword!(schema, $keyword, $form);
                $($crate::keyword!(schema, $length, $length_max);)?
                schema.into()
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
        }
    };
}
pub(crate) use text_schema;

/// Sets one keyword of an OpenAPI schema.
macro_rules! keyword {
    ($schema:ident, pattern, $form:literal) => {
        $schema.pattern = Some($form.to_owned())
    };
    ($schema:ident, format, $form:literal) => {
        $schema.format = Some(utoipa::openapi::SchemaFormat::Custom($form.to_owned()))
    };
    ($schema:ident, maxLength, $length_max:literal) => {
        $schema.max_length = Some($length_max)
    };
}
pub(crate) use keyword;

#[cfg(test)]
mod tests;
