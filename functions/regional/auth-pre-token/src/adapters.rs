//! The clients and the configuration of the function.

use kernel::RegionCode;
use tenant_store::TenantReader;

/// The adapters of the handler.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) tenants: TenantReader,
}
