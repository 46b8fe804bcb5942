//! Writing. State, its counts and the fact that tells of it are one transaction.

use super::rows::{self, Item, number, text};
use super::{Remembered, TenantReader, TenantStoreError};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, Put, TransactWriteItem, Update};
use contract::{Envelope, Fact, TenantPolicy};
use kernel::{SignupId, TenantId, TenantStatus, Timestamp};
use outbox::{Outbox, Row, Target};
use serde::Serialize;
use std::time::Duration;
use tenancy::{
    Fingerprint, IdentityFailure, KeyDigest, Occasion, PolicyOutcome, SignUp, Tenant, Transition, decide_confirmation,
    decide_policy,
};

/// How long an idempotency key is remembered.
const KEY_REMEMBERED_S: i64 = 7 * 24 * 60 * 60;
/// How often a transaction that met another one on the same items is tried.
const ATTEMPTS_MAX: u32 = 12;
const BACKOFF_MS_MAX: u64 = 320;

/// The tenants of a region, with the outbox that tells of their changes.
#[derive(Debug, Clone)]
pub struct TenantStore {
    reader: TenantReader,
    outbox: Outbox,
}

/// What came of storing a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// It is stored.
    Stored,
    /// Another request with the same key came first. Nothing was written.
    Repeated(Remembered),
}

#[derive(Serialize)]
struct KeyRow<'a> {
    signup: SignupId,
    fingerprint: &'a Fingerprint,
    expires_at: i64,
}

#[derive(Serialize)]
struct AliasRow {
    tenant: TenantId,
}

/// Why a transaction was not committed.
enum Cancelled {
    /// The condition of this item, by its place in the transaction, did not hold.
    Condition(usize),
    /// Another transaction was on the same items, or there was too much to do.
    Contention,
    /// Something else.
    Failed(TenantStoreError),
}

impl TenantStore {
    /// The tenants in a table, with the outbox beside it.
    #[must_use]
    pub fn new(config: &aws_types::SdkConfig, table: String, outbox: Outbox) -> Self {
        Self { reader: TenantReader::new(config, table), outbox }
    }

    /// Reads of the same table.
    #[must_use]
    pub const fn reader(&self) -> &TenantReader {
        &self.reader
    }

    /// Stores all that a sign-up creates, unless a request with the same key did so before.
    ///
    /// # Errors
    /// When the table fails, or the alias is taken; then nothing was written.
    pub async fn register(
        &self,
        made: &SignUp,
        key: &KeyDigest,
        fingerprint: &Fingerprint,
    ) -> Result<Registered, TenantStoreError> {
        const ACTION: &str = "store a registration";
        const KEY: usize = 0;
        const ALIAS: usize = 1;
        let SignUp { signup, tenant, fact, .. } = made;
        let expires_at = fact.occurred_at.as_second() + KEY_REMEMBERED_S;
        let writes = vec![
            self.insert(rows::item(
                rows::idempotency_key(key),
                &KeyRow { signup: signup.id, fingerprint, expires_at },
            )?)?,
            self.insert(rows::item(rows::alias_key(&tenant.alias), &AliasRow { tenant: tenant.id })?)?,
            self.insert(rows::item(rows::signup_key(signup.id), signup)?)?,
            self.insert(rows::tenant_item(made)?)?,
            self.insert(rows::user_item(made))?,
            self.count(tenant.id, None, tenant.status)?,
            self.state(fact)?,
        ];
        for attempt in 0..ATTEMPTS_MAX {
            match self.transact(ACTION, writes.clone()).await {
                Ok(()) => return Ok(Registered::Stored),
                Err(Cancelled::Condition(KEY)) => {
                    // Gone only if it expired in between: then the next attempt can have it.
                    if let Some(first) = self.reader.load_remembered(key).await? {
                        return Ok(Registered::Repeated(first));
                    }
                }
                Err(Cancelled::Condition(ALIAS)) => return Err(TenantStoreError::AliasTaken),
                Err(Cancelled::Condition(_) | Cancelled::Contention) => {}
                Err(Cancelled::Failed(error)) => return Err(error),
            }
            back_off(attempt, tenant.id).await;
        }
        Err(TenantStoreError::Busy { action: ACTION })
    }

    /// Notes whether the identity provider has the account of a sign-up. What was noted as done stays.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn record_identity(
        &self,
        signup: SignupId,
        outcome: Result<(), IdentityFailure>,
        now: Timestamp,
    ) -> Result<(), TenantStoreError> {
        let update =
            self.reader.client.update_item().table_name(&self.reader.table).set_key(Some(rows::signup_key(signup)));
        let update = match outcome {
            Ok(()) => update
                .update_expression("SET identity_at = if_not_exists(identity_at, :now) REMOVE identity_failure")
                .condition_expression("attribute_exists(pk)")
                .expression_attribute_values(":now", text(now.to_string())),
            Err(failure) => update
                .update_expression("SET identity_failure = :failure")
                .condition_expression("attribute_exists(pk) AND attribute_not_exists(identity_at)")
                .expression_attribute_values(
                    ":failure",
                    serde_dynamo::to_attribute_value(failure).map_err(TenantStoreError::unwritable)?,
                ),
        };
        match update.send().await {
            Ok(_) => Ok(()),
            Err(error) if error.as_service_error().is_some_and(|e| e.is_conditional_check_failed_exception()) => Ok(()),
            Err(error) => Err(TenantStoreError::Unavailable { action: "note the identity step", source: error.into() }),
        }
    }

    /// Makes the tenant of a confirmed administrator active, however often it is asked to.
    ///
    /// # Errors
    /// When the tenant is unknown or closed, or the table fails.
    pub async fn confirm(
        &self,
        tenant: TenantId,
        signup: SignupId,
        occasion: &Occasion,
    ) -> Result<Tenant, TenantStoreError> {
        const ACTION: &str = "activate a tenant";
        const SIGNUP: usize = 1;
        for attempt in 0..ATTEMPTS_MAX {
            let loaded = self.reader.load_tenant(tenant).await?.ok_or(TenantStoreError::UnknownTenant)?;
            let Some(transition) = decide_confirmation(&loaded, occasion).map_err(TenantStoreError::Refused)? else {
                return Ok(loaded);
            };
            let writes = vec![
                self.change_status(&transition)?,
                self.note_confirmation(signup, occasion.now)?,
                self.count(tenant, Some(transition.from), transition.to)?,
                self.state(&transition.fact)?,
            ];
            match self.transact(ACTION, writes).await {
                Ok(()) => {
                    return Ok(Tenant { status: transition.to, version: transition.fact.data.revision, ..loaded });
                }
                Err(Cancelled::Condition(SIGNUP)) => {
                    return Err(TenantStoreError::Malformed { entity: "sign-up" });
                }
                Err(Cancelled::Condition(_) | Cancelled::Contention) => back_off(attempt, tenant).await,
                Err(Cancelled::Failed(error)) => return Err(error),
            }
        }
        Err(TenantStoreError::Busy { action: ACTION })
    }

    /// Applies a published policy if it is newer than what holds, and tells home what holds.
    ///
    /// # Errors
    /// When the tenant is unknown, or the table fails.
    pub async fn apply_policy(
        &self,
        tenant: TenantId,
        published: &TenantPolicy,
        occasion: &Occasion,
    ) -> Result<PolicyOutcome, TenantStoreError> {
        const ACTION: &str = "apply a policy";
        for attempt in 0..ATTEMPTS_MAX {
            let loaded = self.reader.load_tenant(tenant).await?.ok_or(TenantStoreError::UnknownTenant)?;
            let outcome = decide_policy(&loaded, published, occasion);
            let writes = match &outcome {
                PolicyOutcome::Apply { plan, policy, fact } => {
                    let policy = serde_dynamo::to_attribute_value(policy).map_err(TenantStoreError::unwritable)?;
                    let update = Update::builder()
                        .table_name(&self.reader.table)
                        .set_key(Some(rows::tenant_key(tenant)))
                        .update_expression("SET #plan = :plan, #policy = :policy")
                        .condition_expression("#policy.#version < :version")
                        .expression_attribute_names("#plan", "plan")
                        .expression_attribute_names("#policy", "policy")
                        .expression_attribute_names("#version", "version")
                        .expression_attribute_values(":plan", text(plan.as_str()))
                        .expression_attribute_values(":policy", policy)
                        .expression_attribute_values(":version", number(published.version))
                        .build()?;
                    vec![TransactWriteItem::builder().update(update).build(), self.state(fact)?]
                }
                PolicyOutcome::Acknowledge { fact } => vec![self.state(fact)?],
            };
            match self.transact(ACTION, writes).await {
                Ok(()) => return Ok(outcome),
                Err(Cancelled::Condition(_) | Cancelled::Contention) => back_off(attempt, tenant).await,
                Err(Cancelled::Failed(error)) => return Err(error),
            }
        }
        Err(TenantStoreError::Busy { action: ACTION })
    }

    /// Puts an item that may not be there yet.
    fn insert(&self, item: Item) -> Result<TransactWriteItem, TenantStoreError> {
        let put = Put::builder()
            .table_name(&self.reader.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Changes a tenant's status on condition that nobody else has.
    fn change_status(&self, transition: &Transition) -> Result<TransactWriteItem, TenantStoreError> {
        let update = Update::builder()
            .table_name(&self.reader.table)
            .set_key(Some(rows::tenant_key(transition.tenant)))
            .update_expression("SET #status = :to, #version = :next")
            .condition_expression("#version = :from_version")
            .expression_attribute_names("#status", "status")
            .expression_attribute_names("#version", "version")
            .expression_attribute_values(":to", rows::status(transition.to))
            .expression_attribute_values(":next", number(transition.fact.data.revision))
            .expression_attribute_values(":from_version", number(transition.from_version))
            .build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Notes on the sign-up that the address is confirmed, which an account precedes.
    fn note_confirmation(&self, signup: SignupId, now: Timestamp) -> Result<TransactWriteItem, TenantStoreError> {
        let update = Update::builder()
            .table_name(&self.reader.table)
            .set_key(Some(rows::signup_key(signup)))
            .update_expression(
                "SET confirmed_at = if_not_exists(confirmed_at, :now), identity_at = if_not_exists(identity_at, :now) \
                 REMOVE identity_failure",
            )
            .condition_expression("attribute_exists(pk)")
            .expression_attribute_values(":now", text(now.to_string()))
            .build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// Moves one tenant from one count to another.
    fn count(
        &self,
        tenant: TenantId,
        from: Option<TenantStatus>,
        to: TenantStatus,
    ) -> Result<TransactWriteItem, TenantStoreError> {
        let update = Update::builder()
            .table_name(&self.reader.table)
            .set_key(Some(rows::stats_key(rows::stats_shard(tenant))))
            .expression_attribute_names("#to", to.as_str())
            .expression_attribute_values(":one", number(1));
        let update = match from {
            None => update.update_expression("ADD #to :one"),
            Some(from) => update
                .update_expression("ADD #to :one, #from :less")
                .expression_attribute_names("#from", from.as_str())
                .expression_attribute_values(":less", AttributeValue::N("-1".to_owned())),
        };
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }

    /// States a fact.
    fn state<T: Fact>(&self, fact: &Envelope<T>) -> Result<TransactWriteItem, TenantStoreError> {
        let row = Row::new(Target::Regional, fact).map_err(TenantStoreError::unwritable)?;
        Ok(self.outbox.put(&row)?)
    }

    async fn transact(&self, action: &'static str, writes: Vec<TransactWriteItem>) -> Result<(), Cancelled> {
        let sent = self.reader.client.transact_write_items().set_transact_items(Some(writes)).send().await;
        sent.map(|_| ()).map_err(|error| classify(action, error))
    }
}

fn classify(action: &'static str, error: SdkError<TransactWriteItemsError>) -> Cancelled {
    let reasons = match error.as_service_error() {
        Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => cancelled.cancellation_reasons(),
        Some(TransactWriteItemsError::TransactionInProgressException(_)) => {
            return Cancelled::Contention;
        }
        _ => &[],
    };
    let is = |reason: &CancellationReason, code: &str| reason.code() == Some(code);
    if let Some(place) = reasons.iter().position(|reason| is(reason, "ConditionalCheckFailed")) {
        return Cancelled::Condition(place);
    }
    let passing = ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"];
    if reasons.iter().any(|reason| passing.iter().any(|code| is(reason, code))) {
        return Cancelled::Contention;
    }
    Cancelled::Failed(TenantStoreError::Unavailable { action, source: error.into() })
}

/// Waits longer from attempt to attempt, and each tenant for another time: its random id is the jitter.
async fn back_off(attempt: u32, tenant: TenantId) {
    let most_ms = (10_u64 << attempt.min(16)).min(BACKOFF_MS_MAX);
    let random = u64::from(tenant.as_uuid().as_bytes()[15 - (attempt % 8) as usize]);
    tokio::time::sleep(Duration::from_millis(most_ms / 2 + most_ms * random / 512)).await;
}
