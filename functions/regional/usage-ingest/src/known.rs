//! The tenants whose usage is accepted, cached for a minute, and the clients that may report it.

use crate::handler::ReportableError;
use kernel::{BillingAnchor, MachineScope, TenantId, TenantStatus, Timestamp};
use metering::Sender;
use runtime::http::Client;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use tokio::sync::Mutex;
use usage_store::{TermsReader, UsageClient, UsageTerms};

/// How long a tenant is cached. A tenant's change of status takes effect here within this time.
const AGE_MAX_S: i64 = 60;
/// The most cached tenants, which bounds the memory of a warm function.
const TENANTS_MAX: usize = 10_000;

/// Finds the tenants whose usage is accepted. Only accepted tenants are cached, so that a new
/// tenant is accepted at once.
#[derive(Debug)]
pub(crate) struct KnownTenants {
    reader: TermsReader,
    cached: Mutex<HashMap<TenantId, Cached>>,
}

/// The tenants whose usage a client may report.
pub(crate) struct Reportable(BTreeMap<TenantId, Billable>);

/// The billing anchor and the first billable moment of a tenant.
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

    /// The billing anchor of a tenant. Midnight for a tenant that is not contained, of which no
    /// usage is accepted.
    pub(crate) fn anchor(&self, tenant: TenantId) -> BillingAnchor {
        self.0
            .get(&tenant)
            .copied()
            .unwrap_or_default()
            .billing_anchor
    }

    /// The start of a tenant's first billing period. None for a tenant that is not contained.
    pub(crate) fn first_moment(&self, tenant: TenantId) -> Option<Timestamp> {
        self.0.get(&tenant).map(|billable| billable.first_moment)
    }
}

/// A tenant that was read at a moment.
#[derive(Debug, Clone, Copy)]
struct Cached {
    at: Timestamp,
    billable: Billable,
}

impl KnownTenants {
    pub(crate) fn new(reader: TermsReader) -> Self {
        Self {
            reader,
            cached: Mutex::default(),
        }
    }

    /// Selects the tenants that are in use in this region and whose usage the client may report. A
    /// provider's service reports any tenant's usage. A tenant's client reports its own tenant's
    /// usage, and is read for each request, so that a revoked client is refused at once.
    pub(crate) async fn reportable(
        &self,
        tenants: &BTreeSet<TenantId>,
        client: &Client,
        now: Timestamp,
    ) -> Result<Reportable, ReportableError> {
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

    /// Selects the tenants that are in use in this region, and reads the client of a token.
    async fn in_use(
        &self,
        tenants: &BTreeSet<TenantId>,
        client_id: Option<&str>,
        now: Timestamp,
    ) -> Result<(BTreeMap<TenantId, Billable>, Option<UsageClient>), ReportableError> {
        let mut client = None;
        let mut cached = self.cached.lock().await;
        cached.retain(|_, cached| (now.as_second() - cached.at.as_second()).abs() < AGE_MAX_S);
        let unknown: Vec<TenantId> = tenants
            .iter()
            .filter(|tenant| !cached.contains_key(tenant))
            .copied()
            .collect();
        if !unknown.is_empty() || client_id.is_some() {
            let terms;
            (terms, client) = self
                .reader
                .usage_terms_with_client(&unknown, client_id)
                .await
                .map_err(ReportableError::Unavailable)?;
            let found = terms
                .into_iter()
                .filter_map(|(tenant, terms)| Some((tenant, billable(terms)?)));
            // The tenants of this request stay: they were just filtered out of `unknown`.
            if cached.len() + unknown.len() > TENANTS_MAX {
                cached.retain(|tenant, _| tenants.contains(tenant));
            }
            cached.extend(found.map(|(tenant, billable)| (tenant, Cached { at: now, billable })));
        }
        let in_use = tenants
            .iter()
            .filter_map(|tenant| Some((*tenant, cached.get(tenant)?.billable)));
        Ok((in_use.collect(), client))
    }
}

/// The sender in whose namespace a client's events are.
pub(crate) const fn sender(client: &Client) -> Sender {
    match client {
        Client::Named => Sender::Provider,
        Client::Other(_) => Sender::Tenant,
    }
}

/// The tenant of a client that may report usage now.
fn tenant_of(client: Option<UsageClient>, now: Timestamp) -> Result<TenantId, ReportableError> {
    let client = client.filter(|client| client.may(MachineScope::UsageWrite, now));
    client
        .map(|client| client.tenant)
        .ok_or(ReportableError::InvalidClient)
}

/// The billing terms of a tenant. None when no usage of the tenant can be billed.
fn billable(terms: UsageTerms) -> Option<Billable> {
    let first_moment = terms.first_moment().filter(|_| is_billed(terms.status))?;
    Some(Billable {
        billing_anchor: terms.billing_anchor,
        first_moment,
    })
}

/// Whether usage in a status is billed. Usage from before a suspension or during a closure is;
/// usage of a tenant that is not active yet is not.
const fn is_billed(status: TenantStatus) -> bool {
    match status {
        TenantStatus::Active
        | TenantStatus::Suspended
        | TenantStatus::Closing
        | TenantStatus::Relocating => true,
        TenantStatus::Pending | TenantStatus::Provisioning | TenantStatus::Closed => false,
    }
}
