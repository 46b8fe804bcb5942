//! The region and its stored state.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use catalogue::Catalogue;
use identity::Identity;
use kernel::{RegionCode, TenantId, Timestamp};
use outbox::Outbox;
use serde_json::Value;
use tenancy::{Context, Settings, Signup, Tenant};
use tenant_store::TenantStore;
use testkit::{LocalAws, Pool};

/// A region with fresh tables. Its settings and code may be changed before tenants are added.
#[derive(Debug, Clone)]
pub struct Region {
    /// The local AWS.
    pub aws: LocalAws,
    /// The region's code: `eu-central-1`, as in the files of `events/`.
    pub code: RegionCode,
    /// The table of tenants.
    pub regional_table: String,
    /// The table of usage.
    pub usage_table: String,
    /// The table of events to publish.
    pub outbox_table: String,
    /// The outbox.
    pub outbox: Outbox,
    /// The store of tenants.
    pub tenants: TenantStore,
    /// The catalogue that ships with the code.
    pub catalogue: Catalogue,
    /// The deadlines and modes.
    pub settings: Settings,
}

/// The people of a region: a user pool without triggers.
#[derive(Debug, Clone)]
pub struct People {
    /// The user pool.
    pub pool: Pool,
    /// Its adapter.
    pub identity: Identity,
}

/// Starts a region in which a confirmed tenant is active at once. The application has an hour for
/// its answers, a person has a day for the confirmation, and grace period and retention are 30 days
/// each.
///
/// # Panics
/// When the local AWS does not start.
pub async fn region() -> Region {
    let aws = testkit::aws().await;
    let regional_table = testkit::table(&aws, false).await;
    let usage_table = testkit::table(&aws, false).await;
    let outbox_table = testkit::table(&aws, false).await;
    let outbox = Outbox::new(&aws.config, outbox_table.clone());
    let settings = "provisioning=auto builder_toolkit=false answer_minutes=60 confirm_hours=24 grace_days=30 \
                    retention_days=30 hosted_zone=";
    Region {
        code: "eu-central-1".parse().unwrap(),
        tenants: TenantStore::new(&aws.config, regional_table.clone(), outbox.clone()),
        regional_table,
        usage_table,
        outbox_table,
        outbox,
        catalogue: Catalogue::bundled().unwrap(),
        settings: settings.parse().unwrap(),
        aws,
    }
}

impl Region {
    /// The same region with provisioning by the application.
    #[must_use]
    pub fn with_application(mut self) -> Self {
        self.settings.provisioning = tenancy::ProvisioningMode::External;
        self
    }

    /// The same region with events for AWS SaaS Builder Toolkit.
    #[must_use]
    pub fn with_builder_toolkit(mut self) -> Self {
        self.settings.builder_toolkit = true;
        self
    }

    /// Creates a fresh user pool.
    ///
    /// # Panics
    /// When the local AWS refuses.
    pub async fn people(&self) -> People {
        let pool = testkit::user_pool(
            &self.aws,
            &[
                "usage/write",
                "usage/read",
                "tenant/read",
                "tenant/administrators.write",
            ],
        )
        .await;
        let identity = Identity::new(&self.aws.config, pool.id.clone(), pool.client_id.clone());
        People { pool, identity }
    }

    /// The context of a decision, with a fresh event id.
    #[must_use]
    pub fn context(&self, now: Timestamp) -> Context {
        crate::newcomer::context(&self.code, now)
    }

    /// Loads a tenant.
    ///
    /// # Panics
    /// When it does not exist.
    pub async fn tenant(&self, id: TenantId) -> Tenant {
        self.tenants
            .reader()
            .load_tenant(id)
            .await
            .unwrap()
            .unwrap()
    }

    /// Loads the sign-up of a tenant, if it is still stored.
    ///
    /// # Panics
    /// When the tenant does not exist.
    pub async fn signup(&self, tenant: TenantId) -> Option<Signup> {
        let signup = self.tenant(tenant).await.signup;
        self.tenants.reader().load_signup(signup).await.unwrap()
    }

    /// The details of all events of a type that are not relayed yet, in order of time and sequence.
    /// For an event of the contract, the detail is the envelope.
    ///
    /// # Panics
    /// When the outbox cannot be read.
    pub async fn published(&self, detail_type: &str) -> Vec<Value> {
        let rows = self
            .outbox
            .unpublished(Timestamp::MAX, 1_000)
            .await
            .unwrap();
        let of_type = rows.iter().filter(|row| row.detail_type == detail_type);
        let mut details: Vec<(Timestamp, Value)> = of_type
            .map(|row| (row.occurred_at, serde_json::from_str(&row.detail).unwrap()))
            .collect();
        details.sort_by_key(|(at, detail)| (*at, detail["sequence"].as_u64()));
        details.into_iter().map(|(_, detail)| detail).collect()
    }
}
