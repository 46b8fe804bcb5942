//! The resources of a tenant: an item with its settings, in the table that all tenants of the pool
//! tier share, or in a table of the tenant's own for the silo tier.

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

/// A new table is there within seconds. Together less than the function's timeout.
const LOOKS_MAX: u32 = 40;
const BETWEEN_LOOKS: Duration = Duration::from_millis(500);

/// Where tenants' resources are.
pub(crate) struct Resources {
    /// Makes and removes tables.
    client: Client,
    shared_table: Table,
    own_table_prefix: String,
}

/// Why resources are not made, or not removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResourceError {
    #[error("the account has as many tables as it may have, or too many are being made")]
    QuotaExceeded,
    #[error("the table is not there yet")]
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

    /// Makes what the tenant's tier asks for. Made twice, it is made once.
    pub(crate) async fn make(
        &self,
        request: &TenantProvisioningRequested,
    ) -> Result<(), ResourceError> {
        let table = match request.tier {
            Tier::Pool => self.shared_table.clone(),
            Tier::Silo => self
                .shared_table
                .beside(self.make_table(request.tenant).await?),
        };
        let mut settings = settings_key(request.tenant);
        settings.insert("alias".to_owned(), text(request.alias.to_string()));
        settings.insert("plan".to_owned(), text(request.plan.to_string()));
        table
            .send(table.put(settings))
            .await
            .map_err(ResourceError::unavailable("store the tenant's settings"))
    }

    /// Removes what the tenant has, of either tier: its plan may have changed since. Removed twice,
    /// it is gone once.
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

    /// Makes the tenant's own table, and waits until it can be used.
    async fn make_table(&self, tenant: TenantId) -> Result<String, ResourceError> {
        const ACTION: &str = "make a table";
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
            Err(error) if is(&error, CreateTableError::is_resource_in_use_exception) => {}
            Err(error) if is(&error, CreateTableError::is_limit_exceeded_exception) => {
                return Err(ResourceError::QuotaExceeded);
            }
            Err(error) => return Err(ResourceError::unavailable(ACTION)(error)),
        }
        for _ in 0..LOOKS_MAX {
            let found = self.client.describe_table().table_name(&name).send().await;
            let found = found.map_err(ResourceError::unavailable("look at a table"))?;
            if found.table().and_then(|table| table.table_status()) == Some(&TableStatus::Active) {
                return Ok(name);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
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
