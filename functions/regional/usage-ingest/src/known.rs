//! The tenants whose usage is taken, remembered for a short while, and the clients that may report it.

use crate::handler::Refused;
use kernel::{TenantId, TenantStatus, Timestamp};
use regional_store::TenantReader;
use runtime::http::Client;
use std::collections::{BTreeSet, HashMap};
use tenancy::{MachineClient, MachineScope};
use tokio::sync::Mutex;

/// How long a tenant that was in use is taken to be so still.
const AGE_MAX_S: i64 = 60;
const TENANTS_MAX: usize = 10_000;

/// Says which tenants are in use. Only a yes is remembered, so that a new tenant is known at once.
#[derive(Debug)]
pub(crate) struct KnownTenants {
    reader: TenantReader,
    seen_at: Mutex<HashMap<TenantId, Timestamp>>,
}

impl KnownTenants {
    pub(crate) fn new(reader: TenantReader) -> Self {
        Self { reader, seen_at: Mutex::default() }
    }

    /// Those of the tenants that are in use in this region and whose usage the client may report. A client of the
    /// provider's own reports any tenant's; another one its own tenant's, and is read anew each time, so that one that
    /// was revoked is refused at once.
    pub(crate) async fn reportable(
        &self,
        tenants: &BTreeSet<TenantId>,
        client: &Client,
        now: Timestamp,
    ) -> Result<BTreeSet<TenantId>, Refused> {
        let (mut tenants, own) = match client {
            Client::Named => (self.in_use(tenants, None, now).await?.0, None),
            Client::Other(id) => {
                let (tenants, known) = self.in_use(tenants, Some(id), now).await?;
                (tenants, Some(tenant_of(known, now)?))
            }
        };
        tenants.retain(|tenant| own.is_none_or(|own| own == *tenant));
        Ok(tenants)
    }

    /// Those of the tenants that are in use in this region, and the client that a token names.
    async fn in_use(
        &self,
        tenants: &BTreeSet<TenantId>,
        client_id: Option<&str>,
        now: Timestamp,
    ) -> Result<(BTreeSet<TenantId>, Option<MachineClient>), Refused> {
        let mut client = None;
        let mut seen_at = self.seen_at.lock().await;
        seen_at.retain(|_, seen_at| (now.as_second() - seen_at.as_second()).abs() < AGE_MAX_S);
        let unknown: Vec<TenantId> = tenants.iter().filter(|tenant| !seen_at.contains_key(tenant)).copied().collect();
        if !unknown.is_empty() || client_id.is_some() {
            let statuses;
            (statuses, client) =
                self.reader.statuses_with_client(&unknown, client_id).await.map_err(Refused::Unknown)?;
            let found = statuses.into_iter().filter(|(_, status)| is_in_use(*status));
            if seen_at.len() + unknown.len() > TENANTS_MAX {
                seen_at.retain(|tenant, _| tenants.contains(tenant));
            }
            seen_at.extend(found.map(|(tenant, _)| (tenant, now)));
        }
        Ok((tenants.iter().filter(|tenant| seen_at.contains_key(tenant)).copied().collect(), client))
    }
}

/// The tenant of a client that may report usage now.
fn tenant_of(client: Option<MachineClient>, now: Timestamp) -> Result<TenantId, Refused> {
    let client = client.filter(|client| client.may(MachineScope::UsageWrite, now));
    client.map(|client| client.tenant).ok_or(Refused::NoClient)
}

/// Whether there can be usage: what a tenant used before it was suspended, or while it is closing, is billed.
const fn is_in_use(status: TenantStatus) -> bool {
    match status {
        TenantStatus::Provisioning
        | TenantStatus::Active
        | TenantStatus::Suspended
        | TenantStatus::Closing
        | TenantStatus::Relocating => true,
        TenantStatus::Pending | TenantStatus::Closed => false,
    }
}
