//! The clients and the configuration of the function.

use kernel::RegionCode;
use tenancy::Settings;
use tenant_store::TenantStore;

/// The handler's clients and configuration.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) tenants: TenantStore,
    pub(crate) settings: Settings,
}
