//! The adapters of the handlers, and operations that several handlers share.

use crate::lookups::LookupQueue;
use crate::problems;
use crate::provider::Provider;
use aws_types::SdkConfig;
use kernel::Timestamp;
use runtime::env;
use runtime::http::{PagePolicy, Problem, Source};
use tenancy::{Addresses, KeyDigest};
use tenant_store::{Limit, Resolved, Taken, Tally, TenantReader};

/// The adapters of the handlers.
pub(crate) struct Adapters {
    pub(crate) provider: Provider,
    pub(crate) policy: PagePolicy,
    pub(crate) addresses: Addresses,
    pub(crate) limits: Limits,
    pub(crate) tenants: TenantReader,
    pub(crate) tally: Tally,
    pub(crate) lookups: LookupQueue,
}

/// The limits of one source in an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Different unknown addresses.
    pub(crate) unknown_per_source: u64,
    /// Lists of workspaces.
    pub(crate) lookups_per_source: u64,
}

impl Adapters {
    /// Reads the variables that the template sets.
    pub(crate) fn from_env(aws: &SdkConfig) -> Result<Self, runtime::Error> {
        let (pool, client, auth_url) = (
            env("USER_POOL_ID")?,
            env("CLIENT_ID")?,
            env::<String>("AUTH_URL")?,
        );
        let provider = Provider::new(
            env("AWS_REGION")?,
            pool,
            client,
            &auth_url,
            aws.endpoint_url(),
        );
        let tenants = TenantReader::new(aws, env("REGIONAL_TABLE")?);
        Ok(Self {
            policy: provider.page_policy(),
            provider,
            addresses: env("TENANT_ADDRESS")?,
            limits: Limits {
                unknown_per_source: env("UNKNOWN_ADDRESSES_PER_SOURCE")?,
                lookups_per_source: env("LOOKUPS_PER_SOURCE")?,
            },
            tally: Tally::new(tenants.clone()),
            tenants,
            lookups: LookupQueue::new(aws, env("WORKSPACES_QUEUE_URL")?),
        })
    }

    /// Resolves a subdomain, unless the source has requested too many unknown ones.
    pub(crate) async fn resolve(
        &self,
        subdomain: &str,
        source: &Source,
        now: Timestamp,
    ) -> Result<Resolved, Problem> {
        let resolved = self
            .tally
            .resolve(subdomain, &self.unknown(source), now)
            .await;
        let resolved = resolved.map_err(|error| Problem::internal(&error))?;
        resolved
            .wait_s
            .map_or(Ok(resolved), |wait_s| Err(problems::too_many(wait_s)))
    }

    /// Counts an unknown address. The same one counts once: an old bookmark of a whole office does
    /// not block the office from its own address.
    pub(crate) async fn miss(&self, requested: &str, source: &Source, now: Timestamp) -> Problem {
        let taken = self
            .tally
            .take(
                &self.unknown(source),
                &KeyDigest::of("subdomain", requested),
                now,
            )
            .await;
        match taken {
            Ok(Taken::Yes) => problems::unknown_address(),
            Ok(Taken::NotBefore { wait_s }) => problems::too_many(wait_s),
            Err(error) => Problem::internal(&error),
        }
    }

    /// Counts a request for a list of workspaces.
    pub(crate) async fn limit_lookups(
        &self,
        source: &Source,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let of = KeyDigest::of("lookup-source", source.expose());
        let limit = Limit::hourly(of, self.limits.lookups_per_source);
        let mark = KeyDigest::of("request", &runtime::new_uuid().to_string());
        match self
            .tally
            .take(&limit, &mark, now)
            .await
            .map_err(|error| Problem::internal(&error))?
        {
            Taken::Yes => Ok(()),
            Taken::NotBefore { wait_s } => Err(problems::too_many(wait_s)),
        }
    }

    fn unknown(&self, source: &Source) -> Limit {
        let of = KeyDigest::of("unknown-address-source", source.expose());
        Limit::hourly(of, self.limits.unknown_per_source)
    }
}
