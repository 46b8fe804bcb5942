//! Mails that go to all people of a tenant.

use kernel::TenantId;
use serde::{Deserialize, Serialize};

/// A request to notify some of a tenant's people that the provider has added an administrator.
/// Nothing personal: the mailer reads who they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdministratorNotice {
    /// The tenant.
    pub tenant: TenantId,
    /// The position in the list of the tenant's users to continue from; absent for the first page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl AdministratorNotice {
    /// The most people per notice: as many mails as the function can send in its time.
    pub const PEOPLE_MAX: u8 = 25;
}
