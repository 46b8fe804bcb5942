//! The rows of labels that tenants chose: kept free for a tenant, and then leading to it.

use crate::rows::{self, AliasRow, stored};
use crate::{TenantReader, TenantStore, TenantStoreError};
use dynamo::{Write, number, text};
use kernel::TenantId;
use std::collections::BTreeMap;
use tenancy::{ClaimState, LabelUse, Outcome, Tenant, VanityLabel};

impl TenantReader {
    /// What a label is in the region apart from a tenant that claims it.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn label_use(
        &self,
        label: &VanityLabel,
        tenant: TenantId,
    ) -> Result<LabelUse, TenantStoreError> {
        let Some(item) = self
            .get_all("look up a label", rows::label_key(label.expose()))
            .await?
        else {
            return Ok(LabelUse::Free);
        };
        let row: AliasRow = stored(item, "alias")?;
        Ok(
            match (
                row.tenant == tenant,
                row.routed_since_version.is_some() || row.moved.is_some(),
            ) {
                (true, _) => LabelUse::Free,
                (false, true) => LabelUse::Leading,
                (false, false) => LabelUse::Reserved,
            },
        )
    }
}

impl TenantStore {
    /// What an outcome changes of these rows. Nobody else's row is ever replaced.
    pub(crate) fn change_labels(&self, outcome: &Outcome) -> Result<Vec<Write>, TenantStoreError> {
        if outcome.before.vanity == outcome.tenant.vanity {
            return Ok(Vec::new());
        }
        let (before, after) = (labels(&outcome.before), labels(&outcome.tenant));
        let (tenant, version) = (outcome.tenant.id, outcome.tenant.version);
        let mut writes = Vec::new();
        for (label, leads) in &after {
            match before.get(label) {
                Some(led) if led == leads => {}
                Some(_) => writes.push(self.lead_by(label, tenant, version)),
                None => {
                    let routed_since_version = leads.then_some(version);
                    let row = AliasRow {
                        routed_since_version,
                        ..AliasRow::of(tenant)
                    };
                    writes.push(self.insert(rows::item(rows::label_key(label), &row)?));
                }
            }
        }
        for label in before.keys().filter(|label| !after.contains_key(*label)) {
            // A label that leads nowhere is free again.
            writes.push(self.delete_of(tenant, rows::label_key(label)));
        }
        Ok(writes)
    }

    /// Makes a label that was kept free lead to the tenant.
    fn lead_by(&self, label: &str, tenant: TenantId, version: u64) -> Write {
        self.reader
            .table
            .update(
                rows::label_key(label),
                "SET routed_since_version = :version",
            )
            .when("tenant = :tenant")
            .value(":version", number(version))
            .value(":tenant", text(tenant.to_string()))
    }
}

/// The labels of a tenant that have a row, and whether each leads to it.
fn labels(tenant: &Tenant) -> BTreeMap<&str, bool> {
    let Some(vanity) = &tenant.vanity else {
        return BTreeMap::new();
    };
    let kept = vanity
        .claim
        .iter()
        .filter(|claim| claim.state == ClaimState::Confirming);
    let kept = kept.map(|claim| (claim.label.expose(), false));
    let held = vanity.held.iter().map(|held| (held.label.expose(), true));
    kept.chain(held).collect()
}
