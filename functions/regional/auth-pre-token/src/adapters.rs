//! The clients and the configuration of the function.

use kernel::RegionCode;
use tenant_store::TenantReader;

/// What the handler works with.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) tenants: TenantReader,
}
