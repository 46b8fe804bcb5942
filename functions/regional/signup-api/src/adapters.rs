//! The adapters of the handlers, and operations that several handlers share.

use crate::problems;
use aws_types::SdkConfig;
use catalogue::Catalogue;
use identity::Identity;
use kernel::{EventId, Mode, RegionCode, SignupId, Timestamp};
use outbox::Outbox;
use runtime::env;
use runtime::handover::Seal;
use runtime::http::{Problem, Source, Tokens};
use tenancy::{
    Addresses, Asker, Context, Documents, EmailAddress, KeyDigest, OwedMail, Requirements,
    Settings, Username, Voucher,
};
use tenant_store::{Limit, MailTally, Taken, TenantStore};

/// The interval of automatic repetitions of a code mail, in seconds: concurrent repetitions of a
/// sign-up mail one code.
const MAILED_AGAIN_S: i64 = 60;

/// The adapters of the handlers.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) mode: Mode,
    pub(crate) accepts_new_tenants: bool,
    pub(crate) catalogue: Catalogue,
    pub(crate) settings: Settings,
    pub(crate) requirements: Requirements,
    pub(crate) addresses: Addresses,
    pub(crate) limits: Limits,
    pub(crate) mails: MailTally,
    pub(crate) tenants: TenantStore,
    pub(crate) identity: Identity,
    pub(crate) tokens: Tokens,
    pub(crate) seal: Seal,
}

/// The limits of one caller in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// New sign-ups from one IP address.
    pub(crate) per_source: u64,
}

impl Adapters {
    /// The adapters as the template configures them.
    pub(crate) fn from_env(aws: &SdkConfig) -> Result<Self, runtime::Error> {
        let (pool, client) = (env::<String>("USER_POOL_ID")?, env::<String>("CLIENT_ID")?);
        let tenants = TenantStore::new(
            aws,
            env("REGIONAL_TABLE")?,
            Outbox::new(aws, env("OUTBOX_TABLE")?),
        );
        Ok(Self {
            region: env("AWS_REGION")?,
            mode: env("REGION_MODE")?,
            accepts_new_tenants: env("ACCEPTS_NEW_TENANTS")?,
            catalogue: Catalogue::bundled()?,
            settings: env("TENANT_SETTINGS")?,
            requirements: Requirements {
                documents: Documents {
                    terms: env("TERMS_VERSION")?,
                    data_processing: env("DATA_PROCESSING_VERSION")?,
                },
                disposable: env("DISPOSABLE_DOMAINS")?,
            },
            addresses: env("TENANT_ADDRESS")?,
            limits: Limits {
                per_source: env("SIGNUPS_PER_SOURCE")?,
            },
            mails: MailTally::new(tenants.reader().clone(), env("MAILS_PER_ADDRESS")?),
            tenants,
            tokens: Tokens::new(aws, &pool, client.clone())?,
            identity: Identity::new(aws, pool, client),
            seal: Seal::new(&env::<String>("HANDOVER_SECRET")?),
        })
    }

    /// The context of a decision that is made now.
    pub(crate) fn context(&self, now: Timestamp) -> Context {
        Context {
            region: self.region.clone(),
            event: EventId::from_uuid(runtime::new_uuid()),
            now,
        }
    }

    /// Creates the voucher for an account that is created next: the pool's trigger rejects accounts
    /// without one.
    pub(crate) async fn vouch(
        &self,
        username: Username,
        now: Timestamp,
    ) -> Result<Voucher, Problem> {
        let voucher = Voucher::from_random(
            runtime::random_bytes().map_err(|error| Problem::internal(&*error))?,
        );
        self.tenants
            .vouch(username, &voucher, now)
            .await
            .map_err(|error| problems::store(&error))?;
        Ok(voucher)
    }

    /// Counts a request of a source. A repeated request has the same `mark`.
    pub(crate) async fn limit_source(
        &self,
        source: &Source,
        mark: &KeyDigest,
        now: Timestamp,
    ) -> Result<(), Problem> {
        match self
            .take(
                KeyDigest::of("source", source.expose()),
                self.limits.per_source,
                mark,
                now,
            )
            .await?
        {
            Taken::Yes => Ok(()),
            Taken::NotBefore { wait_s } => Err(problems::too_many(wait_s)),
        }
    }

    /// Counts a mail to an address. Returns an owed mail where the address has reached its limit. A
    /// repeated request has the same `mark`. The caller must not see the result: a refusal would
    /// disclose that somebody else requested mails to the address.
    pub(crate) async fn take_mail(
        &self,
        email: &EmailAddress,
        asker: Asker,
        mark: &KeyDigest,
        now: Timestamp,
    ) -> Result<Option<OwedMail>, Problem> {
        let taken = self
            .mails
            .take(email, &asker, mark, now)
            .await
            .map_err(|error| problems::store(&error))?;
        Ok(match taken {
            Taken::Yes => None,
            Taken::NotBefore { wait_s } => Some(OwedMail::until(asker, now, wait_s)),
        })
    }

    /// Whether the code of a sign-up may be mailed again without a request of the person: once in
    /// [`MAILED_AGAIN_S`].
    pub(crate) async fn may_mail_again(
        &self,
        signup: SignupId,
        now: Timestamp,
    ) -> Result<bool, Problem> {
        let of = KeyDigest::of("mailed again", &signup.to_string());
        let limit = Limit {
            of,
            times_max: 1,
            window_s: MAILED_AGAIN_S,
        };
        let taken = self
            .tenants
            .take(&limit, &fresh_mark(), now)
            .await
            .map_err(|error| problems::store(&error))?;
        Ok(taken == Taken::Yes)
    }

    async fn take(
        &self,
        of: KeyDigest,
        times_max: u64,
        mark: &KeyDigest,
        now: Timestamp,
    ) -> Result<Taken, Problem> {
        let limit = Limit::hourly(of, times_max);
        self.tenants
            .take(&limit, mark, now)
            .await
            .map_err(|error| problems::store(&error))
    }
}

/// A mark that no other request has, so that every request counts.
pub(crate) fn fresh_mark() -> KeyDigest {
    KeyDigest::of("request", &runtime::new_uuid().to_string())
}
