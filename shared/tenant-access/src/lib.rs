//! The STS adapter: credentials for one tenant's items, and no other tenant's.
//!
//! Invariant: credentials for a tenant carry that tenant's id as a session tag. The role's policy
//! compares the tag with the leading keys of every request, so a handler's code cannot widen what
//! it may read. Source: the AWS guide "Using IAM policy conditions for fine-grained access control"
//! of Amazon DynamoDB.

use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_sts::Client;
use aws_sdk_sts::types::Tag;
use aws_types::SdkConfig;
use kernel::{TenantId, Timestamp};
use std::collections::HashMap;
use std::time::SystemTime;
use tokio::sync::Mutex;

/// The session tag with the tenant's id.
const TAG: &str = "tenant";
/// The lifetime of credentials, in seconds: the minimum that STS allows.
const VALID_S: i32 = 900;
/// Credentials that expire sooner are not used any more, in seconds: a request has to finish with
/// them.
const REMAINING_S: i64 = 60;
/// The largest number of tenants whose credentials a process caches.
const CACHED_MAX: usize = 256;

/// Provides credentials for one tenant at a time, by assuming a role.
#[derive(Debug)]
pub struct TenantAccess {
    client: Client,
    config: SdkConfig,
    role_arn: String,
    cached: Mutex<HashMap<TenantId, Narrowed>>,
}

#[derive(Debug, Clone)]
struct Narrowed {
    config: SdkConfig,
    ends_at: Timestamp,
}

/// The reason why there are no credentials for a tenant.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// STS refused, or was not reached.
    #[error("the role for one tenant could not be assumed")]
    NotAssumed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// STS responded without credentials.
    #[error("the role for one tenant came without credentials")]
    Empty,
}

impl TenantAccess {
    /// Assumes this role. The credentials of `config` may assume it, and set its session tags.
    #[must_use]
    pub fn new(config: &SdkConfig, role_arn: String) -> Self {
        Self {
            client: Client::new(config),
            config: config.clone(),
            role_arn,
            cached: Mutex::default(),
        }
    }

    /// The configuration of clients that can access the items of this tenant only. Calls STS once
    /// in a quarter of an hour per tenant.
    ///
    /// # Errors
    /// When STS refuses or was not reached.
    pub async fn narrowed(
        &self,
        tenant: TenantId,
        now: Timestamp,
    ) -> Result<SdkConfig, AccessError> {
        if let Some(narrowed) = self
            .cached
            .lock()
            .await
            .get(&tenant)
            .filter(|narrowed| narrowed.is_usable(now))
        {
            return Ok(narrowed.config.clone());
        }
        // Concurrent requests may each call STS; all of them get valid credentials.
        let narrowed = self.assume(tenant).await?;
        let mut cached = self.cached.lock().await;
        cached.retain(|_, narrowed| narrowed.is_usable(now));
        if cached.len() >= CACHED_MAX {
            let oldest = cached
                .iter()
                .min_by_key(|(_, narrowed)| narrowed.ends_at)
                .map(|(tenant, _)| *tenant);
            oldest.and_then(|tenant| cached.remove(&tenant));
        }
        cached.insert(tenant, narrowed.clone());
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
    fn is_usable(&self, now: Timestamp) -> bool {
        self.ends_at.as_second() - now.as_second() > REMAINING_S
    }
}

#[cfg(test)]
mod tests;
