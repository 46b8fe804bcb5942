//! The adapters of the handlers, and operations that several handlers share.

use crate::accounts::PoolChecks;
use crate::notices::NoticeQueue;
use crate::problems;
use crate::subdomains::SubdomainKey;
use aws_types::SdkConfig;
use catalogue::Catalogue;
use identity::Identity;
use kernel::{EventId, RegionCode, TenantId, Timestamp};
use mail::Mailer;
use outbox::Outbox;
use runtime::http::{Problem, Source, Tokens};
use runtime::{Service, env};
use tenancy::{
    Actor, Addresses, AuditAction, AuditEntry, ChangeSet, Context, KeyDigest, Refusal, Settings,
    State, Tenant,
};
use tenant_access::TenantAccess;
use tenant_store::{
    Limit, LoadOptions, MailTally, Taken, TenantReader, TenantStore, TenantStoreError, TenantView,
};
use usage_store::UsageReader;

/// The services that the first request calls. Init opens a connection to each; the others (Cognito,
/// SES, SQS) are called by few requests, and a connection costs a handshake.
pub(crate) const SERVICES: [Service; 2] = [Service::DynamoDb, Service::Sts];

/// The adapters of the handlers.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) catalogue: Catalogue,
    pub(crate) settings: Settings,
    /// The store under the function's own credentials: resolves memberships and counts requests by
    /// source. All else goes through [`TenantScopes`].
    pub(crate) own: TenantStore,
    pub(crate) scopes: TenantScopes,
    pub(crate) identity: Identity,
    /// When the pool was last compared with a tenant's users.
    pub(crate) checks: PoolChecks,
    pub(crate) tokens: Tokens,
    /// Verifies operators' tokens, which may appoint administrators and do nothing else here.
    pub(crate) operators: Tokens,
    pub(crate) notices: NoticeQueue,
    pub(crate) mailer: Mailer,
    pub(crate) mails: MailTally,
    pub(crate) addresses: Addresses,
    /// Computes the digests of custom subdomains.
    pub(crate) subdomains: SubdomainKey,
    /// The base URL of the user pool's sign-in pages.
    pub(crate) auth_url: String,
    /// Whether an identity provider may be on this machine; only with a local AWS.
    pub(crate) with_loopback: bool,
}

/// Creates the credentials and clients of each tenant's requests.
pub(crate) struct TenantScopes {
    pub(crate) access: TenantAccess,
    pub(crate) regional_table: String,
    pub(crate) outbox_table: String,
    pub(crate) usage_table: String,
}

/// The adapters of a request for one tenant: their credentials options no other tenant's items.
#[derive(Debug, Clone)]
pub(crate) struct TenantScope {
    tenant: TenantId,
    tenants: TenantStore,
}

/// An audit entry of an action that changed nothing.
#[derive(Debug, Clone)]
pub(crate) struct AuditNote {
    pub(crate) actor: Actor,
    pub(crate) action: AuditAction,
    pub(crate) target: Option<String>,
    /// The problem's slug, if the action was refused.
    pub(crate) refused: Option<&'static str>,
}

impl Adapters {
    /// Reads the variables that the template sets.
    ///
    /// # Errors
    /// When a variable of the environment is missing or not a value of its type.
    pub(crate) fn from_env(aws: &SdkConfig) -> Result<Self, runtime::Error> {
        let (pool, client): (String, String) = (env("USER_POOL_ID")?, env("CLIENT_ID")?);
        let regional_table: String = env("REGIONAL_TABLE")?;
        let own = TenantStore::new(
            aws,
            regional_table.clone(),
            Outbox::new(aws, env("OUTBOX_TABLE")?),
        );
        Ok(Self {
            region: env("AWS_REGION")?,
            catalogue: Catalogue::bundled()?,
            settings: env("TENANT_SETTINGS")?,
            mails: MailTally::new(own.reader().clone(), env("MAILS_PER_ADDRESS")?),
            own,
            scopes: TenantScopes {
                access: TenantAccess::new(aws, env("TENANT_ROLE_ARN")?),
                regional_table,
                outbox_table: env("OUTBOX_TABLE")?,
                usage_table: env("USAGE_TABLE")?,
            },
            tokens: Tokens::new(aws, &pool, client.clone())?.and(env("SERVICE_CLIENT_ID")?),
            operators: Tokens::new(aws, &pool, env("TENANT_OPERATOR_CLIENT_ID")?)?,
            identity: Identity::new(aws, pool, client),
            checks: PoolChecks::default(),
            notices: NoticeQueue::new(aws, env("WORKSPACES_QUEUE_URL")?),
            mailer: Mailer::new(aws, env("MAIL_FROM")?),
            addresses: env("TENANT_ADDRESS")?,
            subdomains: env("SUBDOMAIN_SECRET")?,
            auth_url: env("AUTH_URL")?,
            with_loopback: aws.endpoint_url().is_some(),
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

    /// Counts an attempt from a source that has not authenticated.
    pub(crate) async fn limit_source(
        &self,
        source: &Source,
        times_max: u64,
        now: Timestamp,
    ) -> Result<(), Problem> {
        let limit = Limit::hourly(KeyDigest::of("source of codes", source.expose()), times_max);
        taken(self.own.take(&limit, &fresh_mark(), now).await)
    }

    /// The adapters of a request for this tenant.
    pub(crate) async fn scope(
        &self,
        tenant: TenantId,
        now: Timestamp,
    ) -> Result<TenantScope, Problem> {
        let TenantScopes {
            regional_table,
            outbox_table,
            ..
        } = &self.scopes;
        let narrowed = self.narrowed(tenant, now).await?;
        let outbox = Outbox::new(&narrowed, outbox_table.clone());
        Ok(TenantScope {
            tenant,
            tenants: TenantStore::new(&narrowed, regional_table.clone(), outbox),
        })
    }

    /// The reader of this tenant's usage.
    pub(crate) async fn usage_of(
        &self,
        tenant: TenantId,
        now: Timestamp,
    ) -> Result<UsageReader, Problem> {
        Ok(UsageReader::new(
            &self.narrowed(tenant, now).await?,
            self.scopes.usage_table.clone(),
        ))
    }

    /// The SDK configuration whose credentials options this tenant's items only.
    async fn narrowed(&self, tenant: TenantId, now: Timestamp) -> Result<SdkConfig, Problem> {
        self.scopes
            .access
            .narrowed(tenant, now)
            .await
            .map_err(|error| Problem::internal(&error))
    }
}

impl TenantScope {
    /// The reader of the tenant's items.
    pub(crate) const fn reader(&self) -> &TenantReader {
        self.tenants.reader()
    }

    /// Loads the current tenant.
    pub(crate) async fn load_tenant(&self) -> Result<Option<Tenant>, Problem> {
        self.reader().load_tenant(self.tenant).await.map_err(store)
    }

    /// Changes the tenant by a decision.
    pub(crate) async fn change(
        &self,
        options: LoadOptions,
        decide: impl Fn(&TenantView) -> Result<Option<ChangeSet>, Refusal>,
    ) -> Result<State, TenantStoreError> {
        self.tenants.change(self.tenant, options, decide).await
    }

    /// Adds an entry to the tenant's audit trail.
    pub(crate) async fn note(&self, note: AuditNote, now: Timestamp) -> Result<(), Problem> {
        let entry = AuditEntry {
            id: EventId::from_uuid(runtime::new_uuid()),
            at: now,
            actor: note.actor,
            action: note.action,
            target: note.target,
            refused: note.refused.map(str::to_owned),
        };
        self.tenants
            .record_audit(self.tenant, &entry)
            .await
            .map_err(store)
    }

    /// Counts against a limit. Requests with the same mark count once.
    pub(crate) async fn limit(
        &self,
        limit: &Limit,
        mark: &KeyDigest,
        now: Timestamp,
    ) -> Result<(), Problem> {
        taken(self.tenants.take(limit, mark, now).await)
    }
}

/// A mark that no other request has, so that every attempt counts.
pub(crate) fn fresh_mark() -> KeyDigest {
    KeyDigest::of("request", &runtime::new_uuid().to_string())
}

fn taken(taken: Result<Taken, TenantStoreError>) -> Result<(), Problem> {
    match taken.map_err(store)? {
        Taken::Yes => Ok(()),
        Taken::NotBefore { wait_s } => Err(problems::too_many(wait_s)),
    }
}

/// Maps the store's error to a problem.
pub(crate) fn store(error: TenantStoreError) -> Problem {
    problems::store(&error)
}
