//! The rows of custom subdomains: reserved for a tenant first, then leading to it.

use crate::TenantStoreError;
use crate::read::TenantReader;
use crate::rows::{self, AliasRow, stored};
use crate::write::TenantStore;
use dynamo::{Write, number, text};
use kernel::TenantId;
use std::collections::BTreeMap;
use tenancy::{ChangeSet, CustomSubdomain, ReservationState, SubdomainUse, Tenant};

impl TenantReader {
    /// The use of a subdomain in this region by anybody but this tenant.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn subdomain_use(
        &self,
        subdomain: &CustomSubdomain,
        tenant: TenantId,
    ) -> Result<SubdomainUse, TenantStoreError> {
        let Some(item) = self
            .get_all(
                "look up a subdomain",
                rows::subdomain_key(subdomain.expose()),
            )
            .await?
        else {
            return Ok(SubdomainUse::Free);
        };
        let row: AliasRow = stored(item, "alias")?;
        Ok(
            match (
                row.tenant == tenant,
                row.routed_since_version.is_some() || row.moved.is_some(),
            ) {
                (true, _) => SubdomainUse::Free,
                (false, true) => SubdomainUse::Leading,
                (false, false) => SubdomainUse::Reserved,
            },
        )
    }
}

impl TenantStore {
    /// The writes of a change set to these rows. Another tenant's row is never replaced.
    pub(crate) fn change_subdomains(
        &self,
        changes: &ChangeSet,
    ) -> Result<Vec<Write>, TenantStoreError> {
        if changes.before.subdomains == changes.tenant.subdomains {
            return Ok(Vec::new());
        }
        let (before, after) = (subdomains(&changes.before), subdomains(&changes.tenant));
        let (tenant, version) = (changes.tenant.id, changes.tenant.version);
        let mut writes = Vec::new();
        for (subdomain, leads) in &after {
            match before.get(subdomain) {
                Some(led) if led == leads => {}
                Some(_) => writes.push(self.lead_by(subdomain, tenant, version)),
                None => {
                    let routed_since_version = leads.then_some(version);
                    let row = AliasRow {
                        routed_since_version,
                        ..AliasRow::of(tenant)
                    };
                    writes.push(self.insert(rows::item(rows::subdomain_key(subdomain), &row)?));
                }
            }
        }
        for subdomain in before
            .keys()
            .filter(|subdomain| !after.contains_key(*subdomain))
        {
            // Nothing leads here any more, so that others may reserve the subdomain.
            writes.push(self.delete_of(tenant, rows::subdomain_key(subdomain)));
        }
        Ok(writes)
    }

    /// Makes a reserved subdomain lead to the tenant.
    fn lead_by(&self, subdomain: &str, tenant: TenantId, version: u64) -> Write {
        self.reader
            .table
            .update(
                rows::subdomain_key(subdomain),
                "SET routed_since_version = :version",
            )
            .when("tenant = :tenant")
            .value(":version", number(version))
            .value(":tenant", text(tenant.to_string()))
    }
}

/// The subdomains of a tenant that have a row, and whether each leads to it.
fn subdomains(tenant: &Tenant) -> BTreeMap<&str, bool> {
    let Some(subdomains) = &tenant.subdomains else {
        return BTreeMap::new();
    };
    let reserved = subdomains
        .reservation
        .iter()
        .filter(|reservation| reservation.state == ReservationState::Confirming);
    let reserved = reserved.map(|reservation| (reservation.subdomain.expose(), false));
    let held = subdomains
        .held
        .iter()
        .map(|held| (held.subdomain.expose(), true));
    reserved.chain(held).collect()
}
