//! People who sign up.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use kernel::{Alias, EventId, OnboardingId, RegionCode, SignupId, TenantId, Timestamp};
use serde_json::json;
use tenancy::{
    Context, Documents, Fingerprint, IdempotencyKey, Identifiers, KeyDigest, Registration,
    Requirements, SignUp, SignUpRequest, decide_sign_up,
};

use crate::region::Region;

/// Parses a time, as in `moment("2026-11-20T09:00:00Z")`.
///
/// # Panics
/// When the text is not a valid time.
#[must_use]
pub fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A person who signs up an organisation. [`Newcomer::ada`] has the ids of the files in `events/`.
#[derive(Debug, Clone)]
pub struct Newcomer {
    /// The organisation.
    pub organisation: String,
    /// The person's name.
    pub name: String,
    /// The person's address.
    pub email: String,
    /// The person's password.
    pub password: String,
    /// The plan.
    pub plan: String,
    /// The operation's id.
    pub signup: SignupId,
    /// The tenant's id.
    pub tenant: TenantId,
    /// The tenant's alias.
    pub alias: Alias,
    /// The time of day at which its days begin.
    pub billing_anchor: &'static str,
    /// Home's operation, if home hands the sign-up over.
    pub onboarding: Option<OnboardingId>,
    /// The idempotency key of the request.
    pub idempotency_key: String,
    /// When the person signs up.
    pub at: Timestamp,
}

impl Newcomer {
    /// Ada Lovelace, who signs up for the plan `starter` an hour before the events of the files.
    #[must_use]
    pub fn ada() -> Self {
        Self {
            organisation: "Analytical Engines Ltd".to_owned(),
            name: "Ada Lovelace".to_owned(),
            email: "ada@engines.example".to_owned(),
            password: "Difference-Engine-2".to_owned(),
            plan: "starter".to_owned(),
            signup: "7d4f2f0e-6d53-4a7e-9a55-0c8f3a1b2c3d".parse().unwrap(),
            tenant: "01935f6e-7b10-7c3a-8f21-5a6b7c8d9e0f".parse().unwrap(),
            alias: "23456789abcd".parse().unwrap(),
            billing_anchor: "00:00",
            onboarding: None,
            idempotency_key: "a-key-of-the-tests-own".to_owned(),
            at: moment("2026-11-20T09:00:00Z"),
        }
    }

    /// Another person, with an organisation and fresh ids.
    #[must_use]
    pub fn somebody() -> Self {
        let tenant = runtime::new_uuid();
        let number = tenant.simple();
        Self {
            organisation: format!("Organisation {number}"),
            name: format!("Person {number}"),
            email: format!("person-{number}@elsewhere.example"),
            signup: SignupId::from_uuid(runtime::new_uuid()),
            tenant: TenantId::from_uuid(tenant),
            alias: Alias::from_random(runtime::random_bytes().unwrap()),
            idempotency_key: format!("key-{number}"),
            ..Self::ada()
        }
    }

    /// The body of the request.
    #[must_use]
    pub fn request(&self) -> serde_json::Value {
        json!({
            "organisation": self.organisation,
            "name": self.name,
            "email": self.email,
            "password": self.password,
            "plan": self.plan,
            "billing_anchor": self.billing_anchor,
            "terms": "1",
            "data_processing": "1",
        })
    }

    /// The registration of the request.
    ///
    /// # Panics
    /// When it is invalid.
    #[must_use]
    pub fn registration(&self, region: &Region) -> Registration {
        let request: SignUpRequest = serde_json::from_value(self.request()).unwrap();
        let requirements = Requirements {
            documents: documents(),
            disposable: "".parse().unwrap(),
        };
        request.validate(&region.catalogue, &requirements).unwrap()
    }

    /// The records that the sign-up creates.
    #[must_use]
    pub fn sign_up(&self, region: &Region) -> SignUp {
        let context = context(&region.code, self.at);
        let ids = Identifiers {
            signup: self.signup,
            tenant: self.tenant,
            alias: self.alias.clone(),
            onboarding: self.onboarding,
        };
        let registration = self.registration(region);
        decide_sign_up(
            &registration,
            &region.catalogue,
            &documents(),
            ids,
            &region.settings,
            &context,
        )
    }

    /// The digest and the fingerprint by which a repeated request is recognised.
    #[must_use]
    pub fn key(&self, region: &Region) -> (KeyDigest, Fingerprint) {
        let key: IdempotencyKey = self.idempotency_key.parse().unwrap();
        (
            key.digest(),
            key.fingerprint(&self.registration(region), self.onboarding),
        )
    }
}

/// The versions of the documents that the requests agree to.
pub(crate) fn documents() -> Documents {
    Documents {
        terms: "1".parse().unwrap(),
        data_processing: "1".parse().unwrap(),
    }
}

pub(crate) fn context(region: &RegionCode, now: Timestamp) -> Context {
    Context {
        region: region.clone(),
        event: EventId::from_uuid(runtime::new_uuid()),
        now,
    }
}
