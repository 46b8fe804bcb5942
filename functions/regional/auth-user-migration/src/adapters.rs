//! The clients and the configuration of the function.

use identity::FormerPools;
use tenant_store::TenantReader;

/// What the handler works with.
pub(crate) struct Adapters {
    pub(crate) tenants: TenantReader,
    pub(crate) former: FormerPools,
}
