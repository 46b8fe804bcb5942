//! Resolves subdomains, and lists a person's workspaces.

use crate::TenantStoreError;
use crate::read::TenantReader;
use crate::rows::{self, stored};
use dynamo::Item;
use kernel::{Alias, Language, PublicUrl, RegionCode, TenantId, TenantStatus};
use serde::{Deserialize, Serialize};
use tenancy::{EmailAddress, OrganisationName};

/// The most workspaces of a person that are listed.
const WORKSPACES_MAX: u16 = 50;

/// The destination of a subdomain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// A tenant of this region.
    Here(TenantId),
    /// Another region, to which the tenant has moved.
    Moved(RegionAddress),
}

/// A region, and the address of its API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionAddress {
    /// The region.
    pub region: RegionCode,
    /// The base URL of its API.
    pub api_url: PublicUrl,
}

/// A tenant as one of its users sees it. Personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// The tenant's alias.
    pub alias: Alias,
    /// The organisation's name.
    pub organisation: OrganisationName,
    /// The tenant's status.
    pub status: TenantStatus,
    /// The language of mails to its users.
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
    /// Resolves a subdomain. An unknown subdomain, a tenant that was never active and a closed
    /// tenant look alike: no destination. One read in each case.
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
    /// 50. Only those count in which the person has proved to Meridian to read the address: a mail
    /// to it must not disclose others.
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

/// The destination of an alias row.
pub(crate) fn lead(row: rows::AliasRow) -> Option<Destination> {
    match row.moved {
        Some(place) => Some(Destination::Moved(place)),
        None => row
            .routed_since_version
            .map(|_| Destination::Here(row.tenant)),
    }
}

/// Parses a tenant; none where nobody can sign in to it.
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
