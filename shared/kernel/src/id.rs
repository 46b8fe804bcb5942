//! Identities. Each is a UUID of its own type, so that one cannot be passed for another.

use uuid::Uuid;

/// Declares an identity: a UUID newtype with display, parsing, serde and ordering.
macro_rules! id {
    ($(#[doc = $doc:literal])* $name:ident, $kind:literal) => {
        $(#[doc = $doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Wraps a UUID made elsewhere: this crate makes no random ids.
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

            /// Accepts only the canonical form, so that one identity has one text.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let invalid = crate::Invalid { kind: $kind, rule: "a lower-case hyphenated UUID" };
                let uuid = Uuid::try_parse(text).map_err(|_| invalid)?;
                let canonical = uuid.hyphenated().to_string() == text;
                if canonical { Ok(Self(uuid)) } else { Err(invalid) }
            }
        }

        crate::text_schema!($name, concat!($($doc),*), format: "uuid");
    };
}

id!(
    /// A tenant: one customer of the provider. Pseudonymous; means nothing outside Meridian.
    TenantId,
    "tenant id"
);
id!(
    /// A sign-up operation. Unguessable: whoever holds it may read the operation.
    SignupId,
    "sign-up id"
);
id!(
    /// A central onboarding, known to home and to the region that carries it out. Unguessable: whoever
    /// holds it may read it.
    OnboardingId,
    "onboarding id"
);
id!(
    /// An invitation of a person to a tenant.
    InvitationId,
    "invitation id"
);
id!(
    /// One published event.
    EventId,
    "event id"
);
id!(
    /// A batch of usage events that one call stored for one tenant.
    SegmentId,
    "segment id"
);
id!(
    /// An invoice: a function of the tenant and the billing period.
    InvoiceId,
    "invoice id"
);

impl InvoiceId {
    /// The only invoice id that a tenant can have for a period (RFC 9562, UUID version 5).
    #[must_use]
    pub fn of(tenant: TenantId, period: crate::BillingPeriod) -> Self {
        let name = format!("invoice:{period}");
        Self(Uuid::new_v5(tenant.as_uuid(), name.as_bytes()))
    }
}
