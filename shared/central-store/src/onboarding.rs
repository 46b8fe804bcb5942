//! Central onboardings, found by their handle or by the digest of their idempotency key.

use crate::CentralStore;
use crate::error::StoreError;
use crate::item::{from_item, onboarding_key, repetition_key, to_item};
use contract::OnboardingProgressed;
use dynamo::{Error, Item, Write, number, text, to_value};
use fleet::Onboarding;
use kernel::{Alias, OnboardingId, RegionCode, TenantId, Timestamp};
use serde::{Deserialize, Serialize};

const EXPIRES_AT: &str = "expires_at";

/// The item of an idempotency key.
#[derive(Serialize, Deserialize)]
struct Repetition {
    onboarding: OnboardingId,
    expires_at: i64,
}

impl CentralStore {
    /// Loads the onboarding with a handle.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_onboarding(
        &self,
        id: OnboardingId,
    ) -> Result<Option<Onboarding>, StoreError> {
        let what = "an onboarding";
        let found = self.load_item(what, onboarding_key(id)).await?;
        found.map(|item| from_item(what, item)).transpose()
    }

    /// Loads the onboarding of a key. An expired key counts as absent, although its item may still
    /// exist.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn load_onboarding_by_key(
        &self,
        digest: &str,
        now: Timestamp,
    ) -> Result<Option<Onboarding>, StoreError> {
        let what = "an onboarding's key";
        let Some(item) = self.load_item(what, repetition_key(digest)).await? else {
            return Ok(None);
        };
        let Repetition {
            onboarding,
            expires_at,
        } = from_item(what, item)?;
        if expires_at <= now.as_second() {
            return Ok(None);
        }
        self.load_onboarding(onboarding).await
    }

    /// Stores an onboarding and its key. `false` if the key stands for another onboarding, or
    /// another request is storing it at the same time.
    ///
    /// # Errors
    /// When the table cannot be written. Nothing is stored then.
    pub async fn record_onboarding(
        &self,
        digest: &str,
        onboarding: &Onboarding,
    ) -> Result<bool, StoreError> {
        let what = "an onboarding";
        let mut item = to_item(what, onboarding_key(onboarding.id), onboarding)?;
        item.insert(
            EXPIRES_AT.to_owned(),
            number(onboarding.expires_at().as_second()),
        );
        let expires_at = onboarding.key_expires_at().as_second();
        let repetition = Repetition {
            onboarding: onboarding.id,
            expires_at,
        };
        let repetition = to_item(what, repetition_key(digest), &repetition)?;
        let now = onboarding.created_at.as_second();
        match self
            .table
            .transact(vec![
                self.put_unless_kept(item, now),
                self.put_unless_kept(repetition, now),
            ])
            .await
        {
            Ok(()) => Ok(true),
            Err(error) if error.is_lost() => Ok(false),
            Err(error) => Err(StoreError::write(what)(error)),
        }
    }

    /// Records the tenant that the region creates for an onboarding. Only the first report counts:
    /// returns whether this one was recorded.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn record_handover(
        &self,
        id: OnboardingId,
        tenant: TenantId,
        alias: &Alias,
    ) -> Result<bool, StoreError> {
        let update = self
            .table
            .update(onboarding_key(id), "SET #tenant = :tenant, #alias = :alias")
            .when("attribute_exists(pk) AND attribute_not_exists(#tenant)")
            .name("#tenant", "tenant")
            .name("#alias", "alias")
            .value(":tenant", text(tenant.to_string()))
            .value(":alias", text(alias.as_str()));
        self.send("an onboarding", update).await
    }

    /// Records the progress of an onboarding. Returns `false` if it is not newer than the stored
    /// one, if home never handed this onboarding to that region, or if the region reports another
    /// tenant for it.
    ///
    /// # Errors
    /// When the table cannot be written.
    pub async fn record_progress(
        &self,
        region: &RegionCode,
        progressed: &OnboardingProgressed,
    ) -> Result<bool, StoreError> {
        let what = "an onboarding's steps";
        let steps = to_value(&progressed.steps).map_err(StoreError::malformed(what))?;
        let change =
            "SET #tenant = :tenant, #alias = :alias, #steps = :steps, #revision = :revision";
        let condition = "#region = :region AND #revision < :revision \
                         AND (attribute_not_exists(#tenant) OR #tenant = :tenant)";
        let update = self
            .table
            .update(onboarding_key(progressed.onboarding), change)
            .when(condition)
            .name("#region", "region")
            .name("#tenant", "tenant")
            .name("#alias", "alias")
            .name("#steps", "steps")
            .name("#revision", "revision")
            .value(":region", text(region.as_str()))
            .value(":tenant", text(progressed.tenant.to_string()))
            .value(":alias", text(progressed.alias.as_str()))
            .value(":steps", steps)
            .value(":revision", number(progressed.revision));
        self.send(what, update).await
    }

    pub(crate) async fn load_item(
        &self,
        what: &'static str,
        key: Item,
    ) -> Result<Option<Item>, StoreError> {
        self.table.get(key).await.map_err(StoreError::read(what))
    }

    /// Sends a write. Returns whether its condition held.
    pub(crate) async fn send(&self, what: &'static str, write: Write) -> Result<bool, StoreError> {
        Error::is_written(self.table.send(write).await).map_err(StoreError::write(what))
    }

    /// Writes an item if there is none, or only an expired one that the table has not removed yet.
    fn put_unless_kept(&self, item: Item, now: i64) -> Write {
        let put = self
            .table
            .put(item)
            .when("attribute_not_exists(pk) OR #expires_at <= :now");
        put.name("#expires_at", EXPIRES_AT)
            .value(":now", number(now))
    }
}
