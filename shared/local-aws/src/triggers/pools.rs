//! Finds the pool, client and user of a call to a user pool.

use std::collections::BTreeMap;
use std::sync::Mutex;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::{
    LambdaConfigType, PreventUserExistenceErrorTypes, UserPoolType,
};
use serde_json::{Map, Value, json};

/// The user pools of one region's emulator.
#[derive(Debug)]
pub(super) struct Pools {
    cognito: Client,
    by_client: Mutex<BTreeMap<String, String>>,
}

/// The pool, client and user that a call is about.
pub(super) struct Subject {
    pub(super) pool: UserPoolType,
    pub(super) pool_id: String,
    pub(super) client_id: String,
    /// The name in the call; the user's own name is in `user`.
    pub(super) username: String,
    pub(super) user: Option<User>,
}

pub(super) struct User {
    pub(super) username: String,
    pub(super) attributes: Map<String, Value>,
}

impl Pools {
    /// The pools of a region; `config` is for its emulator.
    pub(super) fn new(config: &SdkConfig) -> Self {
        Self {
            cognito: Client::new(config),
            by_client: Mutex::default(),
        }
    }

    /// The client of the Cognito API.
    pub(super) const fn client(&self) -> &Client {
        &self.cognito
    }

    /// The pool, client and user of a call; `None` if the emulator will refuse it anyway.
    pub(super) async fn subject(
        &self,
        body: &Value,
        username: Option<&str>,
    ) -> Result<Option<Subject>> {
        let Some(username) = username else {
            return Ok(None);
        };
        let client_id = body["ClientId"].as_str();
        let pool_id = match (body["UserPoolId"].as_str(), client_id) {
            (Some(pool), _) => pool.to_owned(),
            (None, Some(client)) => match self.pool_of(client).await? {
                Some(pool) => pool,
                None => return Ok(None),
            },
            (None, None) => return Ok(None),
        };
        let described = self
            .cognito
            .describe_user_pool()
            .user_pool_id(&pool_id)
            .send()
            .await;
        let Some(pool) = described.ok().and_then(|answer| answer.user_pool) else {
            return Ok(None);
        };
        Ok(Some(Subject {
            user: self.user(&pool_id, username).await,
            pool,
            pool_id,
            client_id: client_id.unwrap_or("CLIENT_ID_NOT_APPLICABLE").to_owned(),
            username: username.to_owned(),
        }))
    }

    pub(super) async fn user(&self, pool_id: &str, username: &str) -> Option<User> {
        let found = self
            .cognito
            .admin_get_user()
            .user_pool_id(pool_id)
            .username(username)
            .send()
            .await
            .ok()?;
        let mut attributes = Map::new();
        if let Some(status) = found.user_status() {
            attributes.insert("cognito:user_status".to_owned(), json!(status.as_str()));
        }
        for attribute in found.user_attributes() {
            attributes.insert(attribute.name().to_owned(), json!(attribute.value()));
        }
        Some(User {
            username: found.username().to_owned(),
            attributes,
        })
    }

    pub(super) async fn hides_unknown_users(&self, subject: &Subject) -> Result<bool> {
        let described = self
            .cognito
            .describe_user_pool_client()
            .user_pool_id(&subject.pool_id)
            .client_id(&subject.client_id)
            .send()
            .await
            .context("DescribeUserPoolClient")?;
        let client = described.user_pool_client();
        Ok(
            client.and_then(|client| client.prevent_user_existence_errors())
                == Some(&PreventUserExistenceErrorTypes::Enabled),
        )
    }

    /// The pool of a client. A client never changes its pool, so results are cached without expiry.
    async fn pool_of(&self, client_id: &str) -> Result<Option<String>> {
        if let Some(pool) = self.known_pool(client_id) {
            return Ok(Some(pool));
        }
        let pools = self
            .cognito
            .list_user_pools()
            .max_results(60)
            .send()
            .await
            .context("ListUserPools")?;
        for pool in pools.user_pools().iter().filter_map(|pool| pool.id()) {
            let clients = self
                .cognito
                .list_user_pool_clients()
                .user_pool_id(pool)
                .max_results(60);
            let clients = clients.send().await.context("ListUserPoolClients")?;
            for client in clients
                .user_pool_clients()
                .iter()
                .filter_map(|client| client.client_id())
            {
                if let Ok(mut known) = self.by_client.lock() {
                    known.insert(client.to_owned(), pool.to_owned());
                }
            }
        }
        Ok(self.known_pool(client_id))
    }

    fn known_pool(&self, client_id: &str) -> Option<String> {
        self.by_client.lock().ok()?.get(client_id).cloned()
    }
}

impl Subject {
    pub(super) fn functions(&self) -> Option<&LambdaConfigType> {
        self.pool.lambda_config()
    }

    pub(super) fn attributes(&self) -> Value {
        self.user
            .as_ref()
            .map_or_else(|| json!({}), |user| Value::Object(user.attributes.clone()))
    }
}
