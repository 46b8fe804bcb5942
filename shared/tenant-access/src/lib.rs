//! The STS adapter: credentials that reach one tenant's items, and no other tenant's.
//!
//! Invariant: what is handed out for a tenant carries that tenant as a session tag. The role's
//! policy compares the tag with the leading keys of every request, so that what a handler may read
//! is not up to the handler. Source: the AWS guide "Using IAM policy conditions for fine-grained
//! access control" of Amazon DynamoDB.

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::Client;
use aws_sdk_sts::types::Tag;
use aws_types::SdkConfig;
use kernel::{TenantId, Timestamp};
use std::collections::HashMap;
use std::time::SystemTime;
use tokio::sync::Mutex;

/// The session tag that names the tenant.
const TAG: &str = "tenant";
/// How long credentials hold: the least that STS gives.
const VALID_S: i32 = 900;
/// Credentials that end sooner than this are not used any more: a request has to be done with them.
const REMAINING_S: i64 = 60;
/// How many tenants' credentials a process keeps.
const KEPT_MAX: usize = 256;

/// Gives credentials for one tenant at a time, by assuming a role.
#[derive(Debug)]
pub struct TenantAccess {
    client: Client,
    config: SdkConfig,
    role_arn: String,
    kept: Mutex<HashMap<TenantId, Narrowed>>,
}

#[derive(Debug, Clone)]
struct Narrowed {
    config: SdkConfig,
    ends_at: Timestamp,
}

/// Why there are no credentials for a tenant.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// STS refused, or was not reached.
    #[error("the role for one tenant could not be assumed")]
    NotAssumed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// STS answered without credentials.
    #[error("the role for one tenant came without credentials")]
    Empty,
}

impl TenantAccess {
    /// Assumes this role, which the credentials of `config` may assume and tag.
    #[must_use]
    pub fn new(config: &SdkConfig, role_arn: String) -> Self {
        Self {
            client: Client::new(config),
            config: config.clone(),
            role_arn,
            kept: Mutex::default(),
        }
    }

    /// The configuration for clients that reach the items of this tenant only. Asks STS once in a
    /// quarter of an hour for each tenant.
    ///
    /// # Errors
    /// When STS refuses or was not reached.
    pub async fn narrowed(
        &self,
        tenant: TenantId,
        now: Timestamp,
    ) -> Result<SdkConfig, AccessError> {
        if let Some(narrowed) = self
            .kept
            .lock()
            .await
            .get(&tenant)
            .filter(|narrowed| narrowed.holds(now))
        {
            return Ok(narrowed.config.clone());
        }
        // Two requests at once may both ask: each gets credentials that hold.
        let narrowed = self.assume(tenant).await?;
        let mut kept = self.kept.lock().await;
        kept.retain(|_, narrowed| narrowed.holds(now));
        if kept.len() >= KEPT_MAX {
            let oldest = kept
                .iter()
                .min_by_key(|(_, narrowed)| narrowed.ends_at)
                .map(|(tenant, _)| *tenant);
            oldest.and_then(|tenant| kept.remove(&tenant));
        }
        kept.insert(tenant, narrowed.clone());
        Ok(narrowed.config)
    }

    async fn assume(&self, tenant: TenantId) -> Result<Narrowed, AccessError> {
        let tag = Tag::builder().key(TAG).value(tenant.to_string()).build();
        let assumed = self
            .client
            .assume_role()
            .role_arn(&self.role_arn)
            .role_session_name(format!("tenant-{tenant}"))
            .duration_seconds(VALID_S)
            .tags(tag.map_err(|error| AccessError::NotAssumed(error.into()))?)
            .send()
            .await
            .map_err(|error| AccessError::NotAssumed(error.into()))?;
        let given = assumed.credentials.ok_or(AccessError::Empty)?;
        let ends_at =
            Timestamp::from_second(given.expiration.secs()).map_err(|_| AccessError::Empty)?;
        let credentials = Credentials::new(
            given.access_key_id,
            given.secret_access_key,
            Some(given.session_token),
            SystemTime::try_from(given.expiration).ok(),
            "tenant access",
        );
        let provider = SharedCredentialsProvider::new(credentials);
        Ok(Narrowed {
            config: self
                .config
                .to_builder()
                .credentials_provider(provider)
                .build(),
            ends_at,
        })
    }
}

impl Narrowed {
    fn holds(&self, now: Timestamp) -> bool {
        self.ends_at.as_second() - now.as_second() > REMAINING_S
    }
}

#[cfg(test)]
mod tests;
