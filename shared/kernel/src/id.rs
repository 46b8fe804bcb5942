//! Ids. Each is a UUID of its own type, so that one cannot be passed for another.
//!
//! Invariant: an id has one text. A UUID from outside is parsed only by [`canonical_uuid`], since
//! the parser of the uuid crate accepts five spellings.

use crate::Invalid;
use serde::de::{Deserializer, Error, Visitor};
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;
use uuid::Uuid;

/// Parses a UUID in its canonical text: 32 lower-case hexadecimal digits with hyphens (RFC 9562,
/// section 4). Other spellings are refused: digits without hyphens, braces, `urn:uuid:`, upper case
/// and blanks.
#[must_use]
pub fn canonical_uuid(text: &str) -> Option<Uuid> {
    let uuid = Uuid::try_parse(text).ok()?;
    let mut buffer = Uuid::encode_buffer();
    (uuid.hyphenated().encode_lower(&mut buffer) == text).then_some(uuid)
}

/// Deserializes a value by its `FromStr`, so that documents accept the same texts as paths and
/// headers.
///
/// # Errors
/// When the value is not a string, or the parser refuses it.
pub fn deserialize_text<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err = Invalid>,
    D: Deserializer<'de>,
{
    struct Text<T>(PhantomData<T>);

    impl<T: FromStr<Err = Invalid>> Visitor<'_> for Text<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
            text.parse().map_err(E::custom)
        }
    }

    deserializer.deserialize_str(Text(PhantomData))
}

/// Declares an id: a UUID newtype with display, parsing, serde and ordering.
macro_rules! id {
    ($(#[doc = $doc:literal])* $name:ident, $kind:literal) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID. This crate makes no random ids.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID itself.
            #[must_use]
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }

        impl std::str::FromStr for $name {
            type Err = crate::Invalid;

            /// Accepts only the canonical form, so that an id has one text.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let rule = "a lower-case hyphenated UUID";
                canonical_uuid(text).map(Self).ok_or(crate::Invalid { kind: $kind, rule })
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserialize_text(deserializer)
            }
        }

        crate::text_schema!($name, concat!($($doc),*), format: "uuid");
    };
}

id!(
    /// A tenant: one customer of the provider. The id is pseudonymous and means nothing outside
    /// Meridian.
    TenantId,
    "tenant id"
);
id!(
    /// A sign-up operation. The id is unguessable, and its holder may read the operation.
    SignupId,
    "sign-up id"
);
id!(
    /// A central onboarding, known to home and to the region that carries it out. The id is
    /// unguessable, and its holder may read the onboarding.
    OnboardingId,
    "onboarding id"
);
id!(
    /// An invitation of a person to a tenant.
    InvitationId,
    "invitation id"
);
id!(
    /// A published event.
    EventId,
    "event id"
);
id!(
    /// A batch of usage events that one call stored for one tenant.
    SegmentId,
    "segment id"
);
id!(
    /// An invoice. The id is derived from the tenant and the billing period.
    InvoiceId,
    "invoice id"
);

impl InvoiceId {
    /// Derives the only invoice id of a tenant and period (RFC 9562, UUID version 5).
    #[must_use]
    pub fn of(tenant: TenantId, period: crate::BillingPeriod) -> Self {
        let name = format!("invoice:{period}");
        Self(Uuid::new_v5(tenant.as_uuid(), name.as_bytes()))
    }
}
