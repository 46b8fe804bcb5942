//! What a tenant's people are told of by mail, all of them.

use kernel::TenantId;
use serde::{Deserialize, Serialize};

/// That some of a tenant's people are to be told that the provider has let a new administrator in.
/// Nothing personal: who they are is read where they are mailed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdministratorNotice {
    /// Whose people.
    pub tenant: TenantId,
    /// After whom they begin, as a page of the tenant's users does; absent for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

impl AdministratorNotice {
    /// How many people one notice is for: as many mails as go out while the function has time.
    pub const PEOPLE_MAX: u8 = 25;
}
