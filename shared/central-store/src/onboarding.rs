//! Central onboardings: each found by its handle, and by the digest of its idempotency key.

use crate::item::{Item, from_item, number, onboarding_key, repetition_key, text, to_item};
use crate::{CentralStore, StoreError};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, Put, TransactWriteItem};
use contract::OnboardingProgressed;
use fleet::Onboarding;
use kernel::{Alias, OnboardingId, RegionCode, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

const EXPIRES_AT: &str = "expires_at";

/// What an idempotency key stands for.
#[derive(Serialize, Deserialize)]
struct Repetition {
    onboarding: OnboardingId,
    expires_at: i64,
}

impl CentralStore {
    /// The onboarding of a handle.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_onboarding(&self, id: OnboardingId) -> Result<Option<Onboarding>, StoreError> {
        let what = "an onboarding";
        let found = self.load_item(what, onboarding_key(id)).await?;
        found.map(|item| from_item(what, item)).transpose()
    }

    /// The onboarding that a key stands for, unless the key is forgotten by now: its item may still be there.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_onboarding_by_key(&self, digest: &str, now: Timestamp) -> Result<Option<Onboarding>, StoreError> {
        let what = "an onboarding's key";
        let Some(item) = self.load_item(what, repetition_key(digest)).await? else {
            return Ok(None);
        };
        let Repetition { onboarding, expires_at } = from_item(what, item)?;
        if expires_at <= now.as_second() {
            return Ok(None);
        }
        self.load_onboarding(onboarding).await
    }

    /// Keeps an onboarding and what its key stands for. False when the key stands for another one, or is
    /// just being given to one.
    ///
    /// # Errors
    /// When the table cannot be written; nothing is kept then.
    pub async fn record_onboarding(&self, digest: &str, onboarding: &Onboarding) -> Result<bool, StoreError> {
        let what = "an onboarding";
        let mut item = to_item(what, onboarding_key(onboarding.id), onboarding)?;
        item.insert(EXPIRES_AT.to_owned(), number(onboarding.expires_at().as_second()));
        let expires_at = onboarding.key_expires_at().as_second();
        let repetition = Repetition { onboarding: onboarding.id, expires_at };
        let repetition = to_item(what, repetition_key(digest), &repetition)?;
        let now = onboarding.created_at.as_second();
        let writes = vec![self.put_unless_kept(what, item, now)?, self.put_unless_kept(what, repetition, now)?];
        match self.client.transact_write_items().set_transact_items(Some(writes)).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_kept(&error) => Ok(false),
            Err(error) => Err(StoreError::write(what)(error.into())),
        }
    }

    /// Notes which tenant the region makes of an onboarding, the first time that it says so. Returns whether
    /// it is.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn record_handover(&self, id: OnboardingId, tenant: TenantId, alias: &Alias) -> Result<bool, StoreError> {
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(onboarding_key(id)))
            .update_expression("SET #tenant = :tenant, #alias = :alias")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(#tenant)")
            .expression_attribute_names("#tenant", "tenant")
            .expression_attribute_names("#alias", "alias")
            .expression_attribute_values(":tenant", text(tenant.to_string()))
            .expression_attribute_values(":alias", text(alias.as_str()));
        is_updated("an onboarding", update.send().await)
    }

    /// Keeps how far a region is with an onboarding, if that is news. False when it is not, and when that
    /// region was never given such an onboarding, or makes another tenant of it.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn record_progress(
        &self,
        region: &RegionCode,
        progressed: &OnboardingProgressed,
    ) -> Result<bool, StoreError> {
        let what = "an onboarding's steps";
        let steps: AttributeValue = serde_dynamo::to_attribute_value(&progressed.steps)
            .map_err(|error| StoreError::malformed(what)(error.into()))?;
        let condition = "#region = :region AND #revision < :revision \
                         AND (attribute_not_exists(#tenant) OR #tenant = :tenant)";
        let update = self
            .client
            .update_item()
            .table_name(&self.table)
            .set_key(Some(onboarding_key(progressed.onboarding)))
            .update_expression("SET #tenant = :tenant, #alias = :alias, #steps = :steps, #revision = :revision")
            .condition_expression(condition)
            .expression_attribute_names("#region", "region")
            .expression_attribute_names("#tenant", "tenant")
            .expression_attribute_names("#alias", "alias")
            .expression_attribute_names("#steps", "steps")
            .expression_attribute_names("#revision", "revision")
            .expression_attribute_values(":region", text(region.as_str()))
            .expression_attribute_values(":tenant", text(progressed.tenant.to_string()))
            .expression_attribute_values(":alias", text(progressed.alias.as_str()))
            .expression_attribute_values(":steps", steps)
            .expression_attribute_values(":revision", number(progressed.revision));
        is_updated(what, update.send().await)
    }

    pub(crate) async fn load_item(&self, what: &'static str, key: Item) -> Result<Option<Item>, StoreError> {
        let get = self.client.get_item().table_name(&self.table).set_key(Some(key)).consistent_read(true);
        get.send().await.map(|found| found.item).map_err(|error| StoreError::read(what)(error.into()))
    }

    /// Writes an item where there is none, or one that only waits for its removal.
    fn put_unless_kept(&self, what: &'static str, item: Item, now: i64) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(&self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk) OR #expires_at <= :now")
            .expression_attribute_names("#expires_at", EXPIRES_AT)
            .expression_attribute_values(":now", number(now))
            .build()
            .map_err(StoreError::unbuilt(what))?;
        Ok(TransactWriteItem::builder().put(put).build())
    }
}

/// Whether a conditional update was done; that its condition failed is an answer and no error.
fn is_updated<T>(what: &'static str, updated: Result<T, SdkError<UpdateItemError>>) -> Result<bool, StoreError> {
    match updated {
        Ok(_) => Ok(true),
        Err(error) if error.as_service_error().is_some_and(UpdateItemError::is_conditional_check_failed_exception) => {
            Ok(false)
        }
        Err(error) => Err(StoreError::write(what)(error.into())),
    }
}

/// Whether somebody else's item stood, or stands this moment, in the way.
fn is_kept(error: &SdkError<TransactWriteItemsError>) -> bool {
    let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) = error.as_service_error() else {
        return false;
    };
    let codes = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
    codes.into_iter().any(|code| matches!(code, "ConditionalCheckFailed" | "TransactionConflict"))
}
