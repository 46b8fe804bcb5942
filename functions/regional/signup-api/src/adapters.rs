//! What the handlers work with, and what several of them do.

use crate::problems;
use contract::catalogue::Catalogue;
use identity::Identity;
use kernel::{EventId, Mode, RegionCode, Timestamp};
use regional_store::{Limit, Taken, TenantStore};
use runtime::http::{Problem, Source, Tokens};
use tenancy::{EmailAddress, KeyDigest, Occasion, Requirements, Settings};

const HOUR_S: i64 = 3_600;

/// What the handlers work with.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) mode: Mode,
    pub(crate) accepts_new_tenants: bool,
    pub(crate) catalogue: Catalogue,
    pub(crate) settings: Settings,
    pub(crate) requirements: Requirements,
    pub(crate) limits: Limits,
    pub(crate) tenants: TenantStore,
    pub(crate) identity: Identity,
    pub(crate) tokens: Tokens,
}

/// How much one caller may ask for in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// New sign-ups of one IP address.
    pub(crate) per_source: u64,
    /// Sign-ups of one e-mail address, and codes sent to it again. What else is known of the address does not
    /// matter, so that the refusal tells nothing of it.
    pub(crate) per_address: u64,
}

impl Adapters {
    /// The circumstances of a decision that is made now.
    pub(crate) fn occasion(&self, now: Timestamp) -> Occasion {
        Occasion { region: self.region.clone(), event: EventId::from_uuid(runtime::new_uuid()), now }
    }

    /// Counts a request of a source; `mark` is the same when the request is repeated.
    pub(crate) async fn limit_source(&self, source: &Source, mark: &KeyDigest, now: Timestamp) -> Result<(), Problem> {
        self.limit(KeyDigest::of("source", &source.0), self.limits.per_source, mark, now).await
    }

    /// Counts a mail to an address; `mark` is the same when the request is repeated.
    pub(crate) async fn limit_address(
        &self,
        email: &EmailAddress,
        mark: &KeyDigest,
        now: Timestamp,
    ) -> Result<(), Problem> {
        self.limit(KeyDigest::of("address", &email.key()), self.limits.per_address, mark, now).await
    }

    async fn limit(&self, of: KeyDigest, times_max: u64, mark: &KeyDigest, now: Timestamp) -> Result<(), Problem> {
        let limit = Limit { of, times_max, window_s: HOUR_S };
        match self.tenants.take(&limit, mark, now).await.map_err(|error| problems::store(&error))? {
            Taken::Yes => Ok(()),
            Taken::NotBefore { wait_s } => Err(problems::too_many(wait_s)),
        }
    }
}

/// A mark that no other request has.
pub(crate) fn fresh_mark() -> KeyDigest {
    KeyDigest::of("request", &runtime::new_uuid().to_string())
}
