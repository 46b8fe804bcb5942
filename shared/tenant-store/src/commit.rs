//! The writes that store a change set in one transaction.

use crate::TenantStoreError;
use crate::rows::{self, STATS_SHARDS, attribute};
use crate::write::TenantStore;
use dynamo::{AttributeValue, Item, Write, number, text, to_item};
use kernel::{TenantId, TenantStatus};
use outbox::{Row, Target};
use tenancy::{ChangeSet, MemberChange, TOOLKIT_SOURCE, TenantEvent, User};

impl TenantStore {
    /// All writes of a change set.
    pub(crate) fn writes(&self, changes: &ChangeSet) -> Result<Vec<Write>, TenantStoreError> {
        let (before, tenant) = (&changes.before, &changes.tenant);
        let mut writes = vec![self.replace_tenant(changes)?];
        if let Some(signup) = &changes.signup {
            writes.push(self.put(rows::item(rows::signup_key(signup.id), signup)?));
        }
        if before.status != tenant.status {
            writes.push(self.count(tenant.id, Some(before.status), tenant.status));
            writes.extend(self.route(changes));
        }
        writes.extend(self.change_subdomains(changes)?);
        for change in &changes.members {
            writes.extend(self.change_member(tenant.id, change)?);
        }
        for due in &changes.done {
            writes.push(self.delete(rows::due_key(due)));
        }
        for due in changes.due.iter().filter(|due| !changes.done.contains(due)) {
            writes.push(self.put(rows::item(rows::due_key(due), due)?));
        }
        for entry in &changes.audit {
            writes.push(self.put(rows::audit_item(tenant.id, entry)?));
        }
        for event in &changes.events {
            writes.push(self.publish(event)?);
        }
        Ok(writes)
    }

    /// Writes every attribute of a tenant, on condition that its generation is the one that was
    /// read.
    fn replace_tenant(&self, changes: &ChangeSet) -> Result<Write, TenantStoreError> {
        let mut wanted =
            to_item(Item::new(), &changes.tenant).map_err(TenantStoreError::unwritable)?;
        if let Some(organisation) = &changes.organisation {
            wanted.insert("organisation".to_owned(), text(organisation.expose()));
        }
        let mut gone = vec![
            "provisioning",
            "plan_request",
            "closure",
            "federation",
            "previous",
            "subdomains",
        ];
        gone.retain(|name| !wanted.contains_key(*name));
        let set: Vec<String> = wanted
            .keys()
            .map(|name| format!("#{name} = :{name}"))
            .collect();
        let remove: Vec<String> = gone.iter().map(|name| format!("#{name}")).collect();
        let remove = if gone.is_empty() {
            String::new()
        } else {
            format!(" REMOVE {}", remove.join(", "))
        };
        let change = format!("SET {}{remove}", set.join(", "));
        let mut update = self
            .reader
            .table
            .update(rows::tenant_key(changes.tenant.id), change);
        for name in gone {
            update = update.name(format!("#{name}"), name);
        }
        for (name, value) in wanted {
            update = update
                .value(format!(":{name}"), value)
                .name(format!("#{name}"), name);
        }
        Ok(update.if_generation(changes.before.generation))
    }

    /// Routes an alias to the region from activation until the tenant is closed.
    fn route(&self, changes: &ChangeSet) -> Option<Write> {
        let (from, to) = (changes.before.status, changes.tenant.status);
        let begins = matches!(from, TenantStatus::Pending | TenantStatus::Provisioning)
            && to == TenantStatus::Active;
        let (table, key) = (&self.reader.table, rows::alias_key(&changes.tenant.alias));
        if begins {
            let version = number(changes.tenant.version);
            return Some(
                table
                    .update(key, "SET routed_since_version = :version")
                    .value(":version", version),
            );
        }
        (to == TenantStatus::Closed).then(|| table.update(key, "REMOVE routed_since_version"))
    }

    fn change_member(
        &self,
        tenant: TenantId,
        change: &MemberChange,
    ) -> Result<Vec<Write>, TenantStoreError> {
        // A user has an item in the tenant's partition and one that leads from the username to the
        // tenant. The condition protects an item that leads to another tenant.
        let update = |username, expression: &str, name: &str, value: AttributeValue| {
            let keys = [
                rows::user_key(tenant, username),
                rows::membership_key(username),
            ];
            let write = |key| {
                let update = self
                    .reader
                    .table
                    .update(key, expression)
                    .when("tenant = :tenant");
                let update = update
                    .name("#name", name)
                    .value(":tenant", text(tenant.to_string()));
                update.value(":value", value.clone())
            };
            keys.map(write).into()
        };
        Ok(match change {
            MemberChange::Join(user) => self.join(user)?,
            MemberChange::Confirm(username, at) => update(
                *username,
                "SET #name = if_not_exists(#name, :value)",
                "confirmed_at",
                attribute(at)?,
            ),
            MemberChange::Role(username, role) => {
                update(*username, "SET #name = :value", "role", attribute(role)?)
            }
            MemberChange::Leave(user) => vec![
                self.delete(rows::user_key(tenant, user.username)),
                self.delete_of(tenant, rows::membership_key(user.username)),
                self.delete_of(tenant, rows::address_key(&user.email, user.username)),
            ],
            MemberChange::Invite(invitation) => {
                vec![
                    self.put(rows::invitation_item(invitation)?),
                    self.put(rows::invitee_item(invitation)?),
                ]
            }
            MemberChange::CloseInvitation(id) => {
                vec![
                    self.delete(rows::invitation_key(tenant, *id)),
                    self.delete(rows::invitee_key(*id)),
                ]
            }
            MemberChange::Block(username) => vec![self.put(rows::blocked_key(tenant, *username))],
            MemberChange::Unblock(username) => {
                vec![self.delete(rows::blocked_key(tenant, *username))]
            }
            MemberChange::Client(client) => self.put_client(client)?,
            MemberChange::DeleteClient(client) => self.delete_client(client),
            MemberChange::Provider(provider) => {
                vec![self.put(crate::federation::provider_item(provider)?)]
            }
            MemberChange::NoProvider => vec![self.delete(rows::provider_key(tenant))],
        })
    }

    /// Adds a user, on condition that the username is not taken.
    pub(crate) fn join(&self, user: &User) -> Result<Vec<Write>, TenantStoreError> {
        Ok(vec![
            self.insert(rows::membership_item(user)?),
            self.put(rows::user_item(user)?),
        ])
    }

    /// Lets the addresses that this change set proves lead to their users. No other address leads
    /// to a user: neither one that somebody only names, nor one that a tenant's own provider
    /// vouches for.
    pub(crate) async fn find_by_address(
        &self,
        changes: &ChangeSet,
    ) -> Result<Vec<Write>, TenantStoreError> {
        let mut writes = Vec::new();
        for change in &changes.members {
            if let MemberChange::Confirm(username, _) = change
                && let Some(user) = self
                    .reader
                    .load_user_of(changes.tenant.id, *username)
                    .await?
            {
                writes.push(self.put(rows::address_item(&user)?));
            }
        }
        Ok(writes)
    }

    /// Puts an item, on condition that it does not exist.
    pub(crate) fn insert(&self, item: Item) -> Write {
        self.put(item).if_absent()
    }

    pub(crate) fn put(&self, item: Item) -> Write {
        self.reader.table.put(item)
    }

    /// Deletes an item that leads to the tenant; leaves one that leads to another tenant.
    pub(crate) fn delete_of(&self, tenant: TenantId, key: Item) -> Write {
        let delete = self
            .delete(key)
            .when("attribute_not_exists(pk) OR tenant = :tenant");
        delete.value(":tenant", text(tenant.to_string()))
    }

    pub(crate) fn delete(&self, key: Item) -> Write {
        self.reader.table.delete(key)
    }

    /// Moves one tenant from one status count to another.
    pub(crate) fn count(
        &self,
        tenant: TenantId,
        from: Option<TenantStatus>,
        to: TenantStatus,
    ) -> Write {
        let key = rows::stats_key(STATS_SHARDS.of(tenant.as_uuid()));
        let change = if from.is_some() {
            "ADD #to :one, #from :less"
        } else {
            "ADD #to :one"
        };
        let update = self
            .reader
            .table
            .update(key, change)
            .name("#to", to.as_str())
            .value(":one", number(1));
        match from {
            None => update,
            Some(from) => update
                .name("#from", from.as_str())
                .value(":less", number(-1)),
        }
    }

    /// The write that publishes an event through the outbox.
    pub(crate) fn publish(&self, event: &TenantEvent) -> Result<Write, TenantStoreError> {
        let row = match event {
            TenantEvent::Status(event) => Row::new(Target::Regional, event),
            TenantEvent::PolicyApplied(event) => Row::new(Target::Regional, event),
            TenantEvent::PlanChange(event) => Row::new(Target::Regional, event),
            TenantEvent::Subdomains(event) => Row::new(Target::Regional, event),
            TenantEvent::Address(event) => Row::new(Target::Regional, event),
            TenantEvent::Erased(event) => Row::new(Target::Regional, event),
            TenantEvent::Onboarding(event) => Row::new(Target::Regional, event),
            TenantEvent::Provision(event) => Row::new(Target::Regional, event),
            TenantEvent::Deprovision(event) => Row::new(Target::Regional, event),
            TenantEvent::Toolkit(event) => serde_json::to_string(&event.detail).map(|detail| Row {
                id: event.id,
                occurred_at: event.at,
                target: Target::Regional,
                source: TOOLKIT_SOURCE.to_owned(),
                detail_type: event.detail_type.to_owned(),
                detail,
            }),
        };
        Ok(self.outbox.put(&row.map_err(TenantStoreError::unwritable)?))
    }
}
