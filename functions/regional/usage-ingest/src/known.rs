//! The tenants whose usage is taken, remembered for a short while, and the clients that may report
//! it.

use crate::handler::Refused;
use kernel::{BillingAnchor, MachineScope, TenantId, TenantStatus, Timestamp};
use metering::Sender;
use runtime::http::Client;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tokio::sync::Mutex;
use usage_store::{TermsReader, UsageClient, UsageTerms};

/// How long a tenant that was in use is taken to be so still.
const AGE_MAX_S: i64 = 60;
const TENANTS_MAX: usize = 10_000;

/// Says which tenants are in use. Only a yes is remembered, so that a new tenant is known at once.
#[derive(Debug)]
pub(crate) struct KnownTenants {
    reader: TermsReader,
    seen: Mutex<HashMap<TenantId, Seen>>,
}

/// Tenants whose usage a client may report.
pub(crate) struct Reportable(BTreeMap<TenantId, Billable>);

/// What of a tenant's usage can be billed.
#[derive(Debug, Clone, Copy, Default)]
struct Billable {
    billing_anchor: BillingAnchor,
    first_moment: Timestamp,
}

impl Reportable {
    /// Whether a tenant is one of them.
    pub(crate) fn contains(&self, tenant: TenantId) -> bool {
        self.0.contains_key(&tenant)
    }

    /// When a tenant's days begin; midnight for one that is none of them, and of which there is no
    /// usage.
    pub(crate) fn anchor(&self, tenant: TenantId) -> BillingAnchor {
        self.0
            .get(&tenant)
            .copied()
            .unwrap_or_default()
            .billing_anchor
    }

    /// When a tenant's first billing period began; nothing for one that is none of them.
    pub(crate) fn first_moment(&self, tenant: TenantId) -> Option<Timestamp> {
        self.0.get(&tenant).map(|billable| billable.first_moment)
    }
}

/// A tenant that was in use.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Timestamp,
    billable: Billable,
}

impl KnownTenants {
    pub(crate) fn new(reader: TermsReader) -> Self {
        Self {
            reader,
            seen: Mutex::default(),
        }
    }

    /// Those of the tenants that are in use in this region and whose usage the client may report. A
    /// client of the provider's own reports any tenant's; another one its own tenant's, and is read
    /// anew each time, so that one that was revoked is refused at once.
    pub(crate) async fn reportable(
        &self,
        tenants: &BTreeSet<TenantId>,
        client: &Client,
        now: Timestamp,
    ) -> Result<Reportable, Refused> {
        let (mut tenants, own) = match client {
            Client::Named => (self.in_use(tenants, None, now).await?.0, None),
            Client::Other(id) => {
                let (tenants, known) = self.in_use(tenants, Some(id), now).await?;
                (tenants, Some(tenant_of(known, now)?))
            }
        };
        tenants.retain(|tenant, _| own.is_none_or(|own| own == *tenant));
        Ok(Reportable(tenants))
    }

    /// Those of the tenants that are in use in this region, and the client that a token names.
    async fn in_use(
        &self,
        tenants: &BTreeSet<TenantId>,
        client_id: Option<&str>,
        now: Timestamp,
    ) -> Result<(BTreeMap<TenantId, Billable>, Option<UsageClient>), Refused> {
        let mut client = None;
        let mut seen = self.seen.lock().await;
        seen.retain(|_, seen| (now.as_second() - seen.at.as_second()).abs() < AGE_MAX_S);
        let unknown: Vec<TenantId> = tenants
            .iter()
            .filter(|tenant| !seen.contains_key(tenant))
            .copied()
            .collect();
        if !unknown.is_empty() || client_id.is_some() {
            let terms;
            (terms, client) = self
                .reader
                .usage_terms_with_client(&unknown, client_id)
                .await
                .map_err(Refused::Unknown)?;
            let found = terms
                .into_iter()
                .filter_map(|(tenant, terms)| Some((tenant, billable(terms)?)));
            if seen.len() + unknown.len() > TENANTS_MAX {
                seen.retain(|tenant, _| tenants.contains(tenant));
            }
            seen.extend(found.map(|(tenant, billable)| (tenant, Seen { at: now, billable })));
        }
        let in_use = tenants
            .iter()
            .filter_map(|tenant| Some((*tenant, seen.get(tenant)?.billable)));
        Ok((in_use.collect(), client))
    }
}

/// In whose namespace the events are that come with a client's token.
pub(crate) const fn sender(client: &Client) -> Sender {
    match client {
        Client::Named => Sender::Provider,
        Client::Other(_) => Sender::Tenant,
    }
}

/// The tenant of a client that may report usage now.
fn tenant_of(client: Option<UsageClient>, now: Timestamp) -> Result<TenantId, Refused> {
    let client = client.filter(|client| client.may(MachineScope::UsageWrite, now));
    client.map(|client| client.tenant).ok_or(Refused::NoClient)
}

/// What of a tenant's usage can be billed, if any can.
fn billable(terms: UsageTerms) -> Option<Billable> {
    let first_moment = terms.first_moment().filter(|_| is_billed(terms.status))?;
    Some(Billable {
        billing_anchor: terms.billing_anchor,
        first_moment,
    })
}

/// Whether there can be usage: what a tenant used before it was suspended, or while it is closing,
/// is billed; what is made for one that is not active yet is not.
const fn is_billed(status: TenantStatus) -> bool {
    match status {
        TenantStatus::Active
        | TenantStatus::Suspended
        | TenantStatus::Closing
        | TenantStatus::Relocating => true,
        TenantStatus::Pending | TenantStatus::Provisioning | TenantStatus::Closed => false,
    }
}
