//! What the handlers work with, and what several of them do.

use crate::problems;
use contract::catalogue::Catalogue;
use identity::Identity;
use kernel::{EventId, RegionCode, TenantId, Timestamp};
use mail::Mailer;
use regional_store::{Limit, Loaded, Reach, Taken, TenantStore, TenantStoreError};
use runtime::http::{Problem, Tokens};
use tenancy::{Actor, AuditAction, AuditEntry, KeyDigest, Occasion, Outcome, Refusal, Settings, State};

/// What the handlers work with.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) catalogue: Catalogue,
    pub(crate) settings: Settings,
    pub(crate) tenants: TenantStore,
    pub(crate) identity: Identity,
    pub(crate) tokens: Tokens,
    pub(crate) mailer: Mailer,
}

/// What an audit trail says of an action that changed nothing.
#[derive(Debug, Clone)]
pub(crate) struct Note {
    pub(crate) actor: Actor,
    pub(crate) action: AuditAction,
    pub(crate) target: Option<String>,
    /// The problem's name, where it was refused.
    pub(crate) refused: Option<&'static str>,
}

impl Adapters {
    /// The circumstances of a decision that is made now.
    pub(crate) fn occasion(&self, now: Timestamp) -> Occasion {
        Occasion { region: self.region.clone(), event: EventId::from_uuid(runtime::new_uuid()), now }
    }

    /// Changes a tenant as a decision says.
    pub(crate) async fn change(
        &self,
        tenant: TenantId,
        reach: Reach,
        decide: impl Fn(&Loaded) -> Result<Option<Outcome>, Refusal>,
    ) -> Result<State, Problem> {
        self.tenants.change(tenant, reach, decide).await.map_err(store)
    }

    /// Adds to a tenant's trail.
    pub(crate) async fn note(&self, tenant: TenantId, note: Note, now: Timestamp) -> Result<(), Problem> {
        let entry = AuditEntry {
            id: EventId::from_uuid(runtime::new_uuid()),
            at: now,
            actor: note.actor,
            action: note.action,
            target: note.target,
            refused: note.refused.map(str::to_owned),
        };
        self.tenants.record_audit(tenant, &entry).await.map_err(store)
    }

    /// Counts one more of something. What has the same mark is one.
    pub(crate) async fn limit(&self, limit: &Limit, mark: &KeyDigest, now: Timestamp) -> Result<(), Problem> {
        match self.tenants.take(limit, mark, now).await.map_err(store)? {
            Taken::Yes => Ok(()),
            Taken::NotBefore { wait_s } => Err(problems::too_many(wait_s)),
        }
    }
}

/// What the store's error is to the caller.
pub(crate) fn store(error: TenantStoreError) -> Problem {
    problems::store(&error)
}
