//! Central onboardings: each found by its handle, and by the digest of its idempotency key.

use crate::item::{from_item, onboarding_key, repetition_key, to_item};
use crate::{CentralStore, StoreError};
use contract::OnboardingProgressed;
use dynamo::{Error, Item, Write, number, text, to_value};
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
    pub async fn load_onboarding(
        &self,
        id: OnboardingId,
    ) -> Result<Option<Onboarding>, StoreError> {
        let what = "an onboarding";
        let found = self.load_item(what, onboarding_key(id)).await?;
        found.map(|item| from_item(what, item)).transpose()
    }

    /// The onboarding that a key stands for, unless the key is forgotten by now: its item may still
    /// be there.
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

    /// Keeps an onboarding and what its key stands for. False when the key stands for another one,
    /// or is just being given to one.
    ///
    /// # Errors
    /// When the table cannot be written; nothing is kept then.
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

    /// Notes which tenant the region makes of an onboarding, the first time that it says so.
    /// Returns whether it is.
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

    /// Keeps how far a region is with an onboarding, if that is news. False when it is not, and
    /// when that region was never given such an onboarding, or makes another tenant of it.
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

    /// Sends a write; whether its condition held.
    pub(crate) async fn send(&self, what: &'static str, write: Write) -> Result<bool, StoreError> {
        Error::is_written(self.table.send(write).await).map_err(StoreError::write(what))
    }

    /// Writes an item where there is none, or one that only waits for its removal.
    fn put_unless_kept(&self, item: Item, now: i64) -> Write {
        let put = self
            .table
            .put(item)
            .when("attribute_not_exists(pk) OR #expires_at <= :now");
        put.name("#expires_at", EXPIRES_AT)
            .value(":now", number(now))
    }
}
