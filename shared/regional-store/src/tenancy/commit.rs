//! The parts of a transaction that an outcome is stored by.

use super::rows::{self, Item, attribute, number, text};
use super::{TenantStore, TenantStoreError};
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{AttributeValue, CancellationReason, Delete, Put, TransactWriteItem, Update};
use kernel::{TenantId, TenantStatus};
use outbox::{Row, Target};
use std::time::Duration;
use tenancy::{MemberChange, Outcome, Statement, TOOLKIT_SOURCE, User};

const BACKOFF_MS_MAX: u64 = 320;

/// Why a transaction was not committed.
pub(super) enum Cancelled {
    /// The condition of this item, by its place in the transaction, did not hold.
    Condition(usize),
    /// Another transaction was on the same items, or there was too much to do.
    Contention,
    /// Something else.
    Failed(TenantStoreError),
}

impl TenantStore {
    /// Everything that an outcome changes.
    pub(super) fn writes(&self, outcome: &Outcome) -> Result<Vec<TransactWriteItem>, TenantStoreError> {
        let (before, tenant) = (&outcome.before, &outcome.tenant);
        let mut writes = vec![self.replace_tenant(outcome)?];
        if let Some(signup) = &outcome.signup {
            writes.push(self.put(rows::item(rows::signup_key(signup.id), signup)?)?);
        }
        if before.status != tenant.status {
            writes.push(self.count(tenant.id, Some(before.status), tenant.status)?);
            writes.extend(self.route(outcome)?);
        }
        writes.extend(self.change_labels(outcome)?);
        for change in &outcome.members {
            writes.extend(self.change_member(tenant.id, change)?);
        }
        for due in &outcome.done {
            writes.push(self.delete(rows::due_key(due))?);
        }
        for due in outcome.due.iter().filter(|due| !outcome.done.contains(due)) {
            writes.push(self.put(rows::item(rows::due_key(due), due)?)?);
        }
        for entry in &outcome.audit {
            writes.push(self.put(rows::audit_item(tenant.id, entry)?)?);
        }
        for statement in &outcome.statements {
            writes.push(self.state(statement)?);
        }
        Ok(writes)
    }

    /// Writes every attribute of a tenant, on condition that nobody else has since it was read.
    fn replace_tenant(&self, outcome: &Outcome) -> Result<TransactWriteItem, TenantStoreError> {
        let mut wanted: Item = serde_dynamo::to_item(&outcome.tenant).map_err(TenantStoreError::unwritable)?;
        if let Some(organisation) = &outcome.organisation {
            wanted.insert("organisation".to_owned(), text(organisation.expose()));
        }
        let gone = ["provisioning", "plan_request", "closure", "federation", "previous", "vanity"]
            .into_iter()
            .filter(|name| !wanted.contains_key(*name));
        let gone: Vec<String> = gone.map(|name| format!("#{name}")).collect();
        let mut update = Update::builder()
            .table_name(&self.reader.table)
            .set_key(Some(rows::tenant_key(outcome.tenant.id)))
            .condition_expression("#edition = :before")
            .expression_attribute_values(":before", number(outcome.before.edition));
        for name in gone.iter().map(|name| name.trim_start_matches('#')) {
            update = update.expression_attribute_names(format!("#{name}"), name);
        }
        let mut set = Vec::with_capacity(wanted.len());
        for (name, value) in wanted {
            set.push(format!("#{name} = :{name}"));
            update = update
                .expression_attribute_names(format!("#{name}"), &name)
                .expression_attribute_values(format!(":{name}"), value);
        }
        let remove = if gone.is_empty() { String::new() } else { format!(" REMOVE {}", gone.join(", ")) };
        let update = update.update_expression(format!("SET {}{remove}", set.join(", "))).build()?;
        Ok(TransactWriteItem::builder().update(update).build())
    }

    /// An alias leads to the region from activation on, until the tenant is closed.
    fn route(&self, outcome: &Outcome) -> Result<Option<TransactWriteItem>, TenantStoreError> {
        let (from, to) = (outcome.before.status, outcome.tenant.status);
        let begins = matches!(from, TenantStatus::Pending | TenantStatus::Provisioning) && to == TenantStatus::Active;
        let update =
            Update::builder().table_name(&self.reader.table).set_key(Some(rows::alias_key(&outcome.tenant.alias)));
        let update = if begins {
            let version = number(outcome.tenant.version);
            update
                .update_expression("SET routed_since_version = :version")
                .expression_attribute_values(":version", version)
        } else if to == TenantStatus::Closed {
            update.update_expression("REMOVE routed_since_version")
        } else {
            return Ok(None);
        };
        Ok(Some(TransactWriteItem::builder().update(update.build()?).build()))
    }

    fn change_member(
        &self,
        tenant: TenantId,
        change: &MemberChange,
    ) -> Result<Vec<TransactWriteItem>, TenantStoreError> {
        // What is said of a user stands in the tenant's partition and where a user's name leads to.
        // Nothing is changed that leads to another tenant.
        let update = |username, expression: &str, name: &str, value: AttributeValue| {
            let keys = [rows::user_key(tenant, username), rows::membership_key(username)];
            let write = |key| {
                let update = Update::builder()
                    .table_name(&self.reader.table)
                    .set_key(Some(key))
                    .condition_expression("tenant = :tenant")
                    .update_expression(expression)
                    .expression_attribute_names("#name", name)
                    .expression_attribute_values(":tenant", text(tenant.to_string()))
                    .expression_attribute_values(":value", value.clone());
                Ok::<_, TenantStoreError>(TransactWriteItem::builder().update(update.build()?).build())
            };
            keys.into_iter().map(write).collect::<Result<Vec<_>, _>>()
        };
        match change {
            MemberChange::Join(user) => self.join(user),
            MemberChange::Confirm(username, at) => {
                update(*username, "SET #name = if_not_exists(#name, :value)", "confirmed_at", attribute(at)?)
            }
            MemberChange::Role(username, role) => update(*username, "SET #name = :value", "role", attribute(role)?),
            MemberChange::Leave(user) => Ok(vec![
                self.delete(rows::user_key(tenant, user.username))?,
                self.delete_of(tenant, rows::membership_key(user.username))?,
                self.delete_of(tenant, rows::address_key(&user.email, user.username))?,
            ]),
            MemberChange::Invite(invitation) => {
                Ok(vec![self.put(rows::invitation_item(invitation)?)?, self.put(rows::invitee_item(invitation)?)?])
            }
            MemberChange::Settle(id) => {
                Ok(vec![self.delete(rows::invitation_key(tenant, *id))?, self.delete(rows::invitee_key(*id))?])
            }
            MemberChange::Bar(username) => Ok(vec![self.put(rows::barred_key(tenant, *username))?]),
            MemberChange::Unbar(username) => Ok(vec![self.delete(rows::barred_key(tenant, *username))?]),
            MemberChange::Client(client) => self.put_client(client),
            MemberChange::Forget(client) => self.delete_client(client),
            MemberChange::Provider(provider) => Ok(vec![self.put(super::federation::provider_item(provider)?)?]),
            MemberChange::NoProvider => Ok(vec![self.delete(rows::provider_key(tenant))?]),
        }
    }

    /// Adds a user whom nobody has added yet.
    pub(super) fn join(&self, user: &User) -> Result<Vec<TransactWriteItem>, TenantStoreError> {
        Ok(vec![self.insert(rows::membership_item(user)?)?, self.put(rows::user_item(user)?)?])
    }

    /// Lets addresses that are proved with this outcome lead to their users. Nobody else's address leads anywhere:
    /// neither one that somebody only names, nor one that a tenant's own provider vouches for.
    pub(super) async fn find_by_address(&self, outcome: &Outcome) -> Result<Vec<TransactWriteItem>, TenantStoreError> {
        let mut writes = Vec::new();
        for change in &outcome.members {
            if let MemberChange::Confirm(username, _) = change
                && let Some(user) = self.reader.load_user_of(outcome.tenant.id, *username).await?
            {
                writes.push(self.put(rows::address_item(&user)?)?);
            }
        }
        Ok(writes)
    }

    /// Puts an item that may not be there yet.
    pub(super) fn insert(&self, item: Item) -> Result<TransactWriteItem, TenantStoreError> {
        let put = Put::builder()
            .table_name(&self.reader.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(pk)")
            .build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    pub(super) fn put(&self, item: Item) -> Result<TransactWriteItem, TenantStoreError> {
        let put = Put::builder().table_name(&self.reader.table).set_item(Some(item)).build()?;
        Ok(TransactWriteItem::builder().put(put).build())
    }

    /// Deletes what leads to a tenant, and not what leads to another.
    pub(super) fn delete_of(&self, tenant: TenantId, key: Item) -> Result<TransactWriteItem, TenantStoreError> {
        let delete = Delete::builder()
            .table_name(&self.reader.table)
            .set_key(Some(key))
            .condition_expression("attribute_not_exists(pk) OR tenant = :tenant")
            .expression_attribute_values(":tenant", text(tenant.to_string()))
            .build()?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    pub(super) fn delete(&self, key: Item) -> Result<TransactWriteItem, TenantStoreError> {
        let delete = Delete::builder().table_name(&self.reader.table).set_key(Some(key)).build()?;
        Ok(TransactWriteItem::builder().delete(delete).build())
    }

    /// Moves one tenant from one count to another.
    pub(super) fn count(
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
    pub(super) fn state(&self, statement: &Statement) -> Result<TransactWriteItem, TenantStoreError> {
        let row = match statement {
            Statement::Status(fact) => Row::new(Target::Regional, fact),
            Statement::PolicyApplied(fact) => Row::new(Target::Regional, fact),
            Statement::PlanChange(fact) => Row::new(Target::Regional, fact),
            Statement::Vanity(fact) => Row::new(Target::Regional, fact),
            Statement::Address(fact) => Row::new(Target::Regional, fact),
            Statement::Erased(fact) => Row::new(Target::Regional, fact),
            Statement::Onboarding(fact) => Row::new(Target::Regional, fact),
            Statement::Provision(fact) => Row::new(Target::Regional, fact),
            Statement::Deprovision(fact) => Row::new(Target::Regional, fact),
            Statement::Toolkit(event) => serde_json::to_string(&event.detail).map(|detail| Row {
                id: event.id,
                occurred_at: event.at,
                target: Target::Regional,
                source: TOOLKIT_SOURCE.to_owned(),
                detail_type: event.detail_type.to_owned(),
                detail,
            }),
        };
        Ok(self.outbox.put(&row.map_err(TenantStoreError::unwritable)?)?)
    }
}

pub(super) fn classify(action: &'static str, error: SdkError<TransactWriteItemsError>) -> Cancelled {
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
pub(super) async fn back_off(attempt: u32, tenant: TenantId) {
    let most_ms = (10_u64 << attempt.min(16)).min(BACKOFF_MS_MAX);
    let random = u64::from(tenant.as_uuid().as_bytes()[15 - (attempt % 8) as usize]);
    tokio::time::sleep(Duration::from_millis(most_ms / 2 + most_ms * random / 512)).await;
}
