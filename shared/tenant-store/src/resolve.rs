//! Where a subdomain leads, and which workspaces a person has.

use crate::rows::{self, stored};
use crate::{TenantReader, TenantStoreError};
use dynamo::Item;
use kernel::{Alias, Language, PublicUrl, RegionCode, TenantId, TenantStatus};
use serde::{Deserialize, Serialize};
use tenancy::{EmailAddress, OrganisationName};

/// How many workspaces of one person are listed at most.
const WORKSPACES_MAX: u16 = 50;

/// Where a subdomain leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// To a tenant of this region.
    Here(TenantId),
    /// To a tenant that has moved.
    Moved(RegionAddress),
}

/// A region, and where its API is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionAddress {
    /// The region.
    pub region: RegionCode,
    /// The address of its API.
    pub api_url: PublicUrl,
}

/// A tenant as one of its users knows it. Personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// The tenant's subdomain.
    pub alias: Alias,
    /// What it calls itself.
    pub organisation: OrganisationName,
    /// Where it is in its life.
    pub status: TenantStatus,
    /// What its people are addressed in.
    pub language: Language,
}

#[derive(Deserialize)]
struct WorkspaceRow {
    alias: Alias,
    organisation: Option<String>,
    status: TenantStatus,
    #[serde(default)]
    language: Language,
}

impl TenantReader {
    /// Finds where a subdomain leads: nowhere where it is unknown, where its tenant was never in use,
    /// and where its tenant is closed, all alike. One read in each case.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn resolve(&self, subdomain: &str) -> Result<Option<Destination>, TenantStoreError> {
        let Some(item) = self
            .get_all("resolve a subdomain", rows::subdomain_key(subdomain))
            .await?
        else {
            return Ok(None);
        };
        Ok(lead(stored(item, "alias")?))
    }

    /// The workspaces that a person can sign in to, or could before they were suspended; at most
    /// 50. Those are left out in which the person has not proved to us to read the address: a mail
    /// to it must tell nothing of them.
    ///
    /// # Errors
    /// When the table fails.
    pub async fn load_workspaces(
        &self,
        email: &EmailAddress,
    ) -> Result<Vec<Workspace>, TenantStoreError> {
        let query = self
            .table
            .query(rows::address_partition(email))
            .limit(WORKSPACES_MAX);
        let found = query
            .page()
            .await
            .map_err(TenantStoreError::of("list workspaces"))?
            .items;
        let addressees = found.into_iter().map(|item| stored(item, "addressee"));
        let addressees = addressees.collect::<Result<Vec<rows::Addressee>, _>>()?;
        let keys = addressees
            .into_iter()
            .map(|addressee| rows::tenant_key(addressee.tenant))
            .collect();
        let wanted = ["alias", "organisation", "status", "language"];
        let items = self.batch("load workspaces", keys, &wanted).await?;
        let workspaces = items
            .into_iter()
            .filter_map(|item| workspace(item).transpose());
        let mut workspaces = workspaces.collect::<Result<Vec<_>, _>>()?;
        workspaces.sort_by(|one, other| one.alias.cmp(&other.alias));
        Ok(workspaces)
    }
}

/// Where a subdomain leads that somebody has, or had.
pub(crate) fn lead(row: rows::AliasRow) -> Option<Destination> {
    match row.moved {
        Some(place) => Some(Destination::Moved(place)),
        None => row
            .routed_since_version
            .map(|_| Destination::Here(row.tenant)),
    }
}

/// A tenant that has somewhere to sign in.
fn workspace(item: Item) -> Result<Option<Workspace>, TenantStoreError> {
    use TenantStatus::{Active, Relocating, Suspended};
    let WorkspaceRow {
        alias,
        organisation,
        status,
        language,
    } = stored(item, "tenant")?;
    let Some(organisation) =
        organisation.filter(|_| matches!(status, Active | Suspended | Relocating))
    else {
        return Ok(None);
    };
    let organisation = organisation
        .parse()
        .map_err(|_| TenantStoreError::Malformed { entity: "tenant" })?;
    Ok(Some(Workspace {
        alias,
        organisation,
        status,
        language,
    }))
}
