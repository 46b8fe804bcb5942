//! The clients and the configuration of the function.

use identity::FormerPools;
use tenant_store::TenantReader;

/// The adapters of the handler.
pub(crate) struct Adapters {
    pub(crate) tenants: TenantReader,
    pub(crate) former: FormerPools,
}
