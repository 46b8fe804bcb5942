//! Creates and removes the resources of a tenant: an item with its settings, in the shared table of
//! the pool tier, or in the tenant's own table for the silo tier.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::create_table::CreateTableError;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
};
use contract::application::TenantProvisioningRequested;
use dynamo::{Table, key, text};
use kernel::{TenantId, Tier};
use std::time::Duration;

/// How often the status of a new table is checked. A table is active within seconds; all checks
/// together take less than the function's timeout.
const CHECKS_MAX: u32 = 40;
/// The wait between two checks.
const CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// The tables with tenants' resources.
pub(crate) struct Resources {
    /// Creates and removes tables, which the table client cannot.
    client: Client,
    shared_table: Table,
    own_table_prefix: String,
}

/// A failure to create or remove resources.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResourceError {
    #[error("the account's quota of tables, or of tables being created, is exceeded")]
    QuotaExceeded,
    #[error("the table is not active yet")]
    NotReady,
    #[error("DynamoDB failed to {action}")]
    Unavailable {
        action: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl ResourceError {
    fn unavailable<E: Into<Box<dyn std::error::Error + Send + Sync>>>(
        action: &'static str,
    ) -> impl Fn(E) -> Self {
        move |source| Self::Unavailable {
            action,
            source: source.into(),
        }
    }
}

impl Resources {
    pub(crate) fn new(
        config: &aws_types::SdkConfig,
        shared_table: String,
        own_table_prefix: String,
    ) -> Self {
        Self {
            client: Client::new(config),
            shared_table: Table::new(config, shared_table),
            own_table_prefix,
        }
    }

    /// Creates the resources of the tenant's tier. Idempotent.
    pub(crate) async fn create(
        &self,
        request: &TenantProvisioningRequested,
    ) -> Result<(), ResourceError> {
        let table = match request.tier {
            Tier::Pool => self.shared_table.clone(),
            Tier::Silo => self
                .shared_table
                .beside(self.create_table(request.tenant).await?),
        };
        let mut settings = settings_key(request.tenant);
        settings.insert("alias".to_owned(), text(request.alias.to_string()));
        settings.insert("plan".to_owned(), text(request.plan.to_string()));
        table
            .send(table.put(settings))
            .await
            .map_err(ResourceError::unavailable("store the tenant's settings"))
    }

    /// Removes the tenant's resources of either tier, since its plan may have changed. Idempotent.
    pub(crate) async fn remove(&self, tenant: TenantId) -> Result<(), ResourceError> {
        let removed = self
            .shared_table
            .send(self.shared_table.delete(settings_key(tenant)))
            .await;
        removed.map_err(ResourceError::unavailable("remove the tenant's settings"))?;
        match self
            .client
            .delete_table()
            .table_name(self.own_table(tenant))
            .send()
            .await
        {
            Ok(_) => Ok(()),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_resource_not_found_exception()) =>
            {
                Ok(())
            }
            Err(error) => Err(ResourceError::unavailable("remove a table")(error)),
        }
    }

    /// Creates the tenant's own table, and waits until it is active.
    async fn create_table(&self, tenant: TenantId) -> Result<String, ResourceError> {
        const ACTION: &str = "create a table";
        let name = self.own_table(tenant);
        let mut create = self
            .client
            .create_table()
            .table_name(&name)
            .billing_mode(BillingMode::PayPerRequest);
        for (attribute, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
            let part = KeySchemaElement::builder()
                .attribute_name(attribute)
                .key_type(kind)
                .build();
            let text = AttributeDefinition::builder().attribute_name(attribute);
            let text = text.attribute_type(ScalarAttributeType::S).build();
            create = create
                .key_schema(part.map_err(ResourceError::unavailable(ACTION))?)
                .attribute_definitions(text.map_err(ResourceError::unavailable(ACTION))?);
        }
        match create.send().await {
            Ok(_) => {}
            // An earlier delivery of the request has created it.
            Err(error) if is(&error, CreateTableError::is_resource_in_use_exception) => {}
            Err(error) if is(&error, CreateTableError::is_limit_exceeded_exception) => {
                return Err(ResourceError::QuotaExceeded);
            }
            Err(error) => return Err(ResourceError::unavailable(ACTION)(error)),
        }
        for _ in 0..CHECKS_MAX {
            let found = self.client.describe_table().table_name(&name).send().await;
            let found = found.map_err(ResourceError::unavailable("describe a table"))?;
            if found.table().and_then(|table| table.table_status()) == Some(&TableStatus::Active) {
                return Ok(name);
            }
            tokio::time::sleep(CHECK_INTERVAL).await;
        }
        Err(ResourceError::NotReady)
    }

    fn own_table(&self, tenant: TenantId) -> String {
        format!("{}{tenant}", self.own_table_prefix)
    }
}

fn is(error: &SdkError<CreateTableError>, kind: fn(&CreateTableError) -> bool) -> bool {
    error.as_service_error().is_some_and(kind)
}

fn settings_key(tenant: TenantId) -> dynamo::Item {
    key(tenant.to_string(), "SETTINGS")
}
