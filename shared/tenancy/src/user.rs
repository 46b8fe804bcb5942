//! Users, and their names at the identity provider.

use crate::federation::AccountName;
use crate::idempotency::KeyDigest;
use crate::personal::{EmailAddress, PersonName};
use kernel::{
    Alias, Invalid, InvitationId, Role, SignupId, TenantId, Timestamp, canonical_uuid,
    deserialize_text,
};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;
use uuid::Uuid;

/// A user's name at the identity provider, derived from the tenant's alias and the user's address.
/// So a sign-in page needs no look-up, and one person can be in several tenants.
///
/// It has one spelling. The user pool treats another spelling as another account, so it must not be
/// parsed as this user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(transparent)]
#[schema(
    value_type = String,
    format = "uuid",
    description = "A user's name at the identity provider."
)]
pub struct Username(Uuid);

impl Username {
    /// Derives the name: UUID version 5 (RFC 9562) of `meridian:user:<alias>:<lower-case address>`
    /// in the namespace of URLs.
    #[must_use]
    pub fn of(alias: &Alias, email: &EmailAddress) -> Self {
        let name = format!("meridian:user:{alias}:{}", email.key());
        Self(Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()))
    }

    /// The user of an account, by the account's name at the identity provider. Accounts of a
    /// tenant's own provider are named `<provider>_<subject>`, and their user is UUID version 5 of
    /// `meridian:account:<name>`. Case counts, since a subject is case-sensitive (OpenID Connect
    /// Core 1.0, section 2). Spelling counts too: another spelling of a user's UUID is hashed like
    /// any other name, and so belongs to no user.
    #[must_use]
    pub fn of_account(name: &str) -> Self {
        name.parse().unwrap_or_else(|_| {
            let name = format!("meridian:account:{name}");
            Self(Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()))
        })
    }

    /// The user for whom an invitation is.
    #[must_use]
    pub const fn of_invitation(invitation: InvitationId) -> Self {
        Self(*invitation.as_uuid())
    }

    /// The id of the invitation to the same address and tenant. There is at most one.
    #[must_use]
    pub const fn invitation(self) -> InvitationId {
        InvitationId::from_uuid(self.0)
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for Username {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rule = "a lower-case hyphenated UUID";
        canonical_uuid(text).map(Self).ok_or(Invalid {
            kind: "username",
            rule,
        })
    }
}

impl<'de> Deserialize<'de> for Username {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize_text(deserializer)
    }
}

/// A user of a tenant. Personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// The user's name at the identity provider.
    pub username: Username,
    /// The tenant that the user belongs to.
    pub tenant: TenantId,
    /// The user's role.
    pub role: Role,
    /// The person's name.
    pub name: PersonName,
    /// The person's address.
    pub email: EmailAddress,
    /// How the user joined.
    pub origin: Origin,
    /// The account's name at the identity provider, if it is not the username.
    pub account: Option<AccountName>,
    /// The documents that the person agreed to.
    pub consents: Vec<Consent>,
    /// When the user was stored.
    pub created_at: Timestamp,
    /// When the person proved that they read mail to the address; absent before.
    pub confirmed_at: Option<Timestamp>,
}

impl User {
    /// The account's name at the identity provider. Personal for accounts of a tenant's own
    /// provider.
    #[must_use]
    pub fn account_name(&self) -> String {
        self.account.as_ref().map_or_else(
            || self.username.to_string(),
            |account| account.expose().to_owned(),
        )
    }
}

/// How a user joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The sign-up that created the tenant.
    Signup(SignupId),
    /// An invitation, by the digest of its code. A person who has the code reads mail to the
    /// address.
    Invitation(KeyDigest),
    /// The tenant's own identity provider.
    Federation,
}

/// A document that a person agreed to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Consent {
    /// The document.
    pub document: Document,
    /// Its version.
    pub version: DocumentVersion,
    /// When the person agreed, in UTC.
    pub at: Timestamp,
}

/// The documents that a person has to agree to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Document {
    /// The terms of service.
    Terms,
    /// The agreement on the processing of personal data.
    DataProcessing,
}

/// The version of a document, as the provider names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[A-Za-z0-9._-]{1,32}$")]
pub struct DocumentVersion(String);

impl DocumentVersion {
    /// The version as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DocumentVersion {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b".-_".contains(&b);
        if (1..=32).contains(&text.len()) && text.bytes().all(inner) {
            Ok(Self(text.to_owned()))
        } else {
            Err(Invalid {
                kind: "document version",
                rule: "1 to 32 ASCII letters, digits, '.', '-' and '_'",
            })
        }
    }
}

impl TryFrom<String> for DocumentVersion {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<DocumentVersion> for String {
    fn from(version: DocumentVersion) -> Self {
        version.0
    }
}

/// The current versions of the documents. Nobody can agree to other ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Documents {
    /// The version of the terms of service.
    pub terms: DocumentVersion,
    /// The version of the data-processing agreement.
    pub data_processing: DocumentVersion,
}

impl Documents {
    /// Whether a person agreed to exactly these versions.
    #[must_use]
    pub fn are_agreed(&self, consents: &[Consent]) -> bool {
        let holds = |document: Document, version: &DocumentVersion| {
            consents
                .iter()
                .any(|c| c.document == document && c.version == *version)
        };
        holds(Document::Terms, &self.terms)
            && holds(Document::DataProcessing, &self.data_processing)
    }

    /// The consents of a person who agrees to all documents at this time.
    #[must_use]
    pub fn agreed_at(&self, at: Timestamp) -> Vec<Consent> {
        let consent = |document, version: &DocumentVersion| Consent {
            document,
            version: version.clone(),
            at,
        };
        vec![
            consent(Document::Terms, &self.terms),
            consent(Document::DataProcessing, &self.data_processing),
        ]
    }
}
