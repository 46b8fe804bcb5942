//! The clients and the configuration of the function.

use crate::zone::{Target, Zone};
use aws_types::SdkConfig;
use kernel::RegionCode;
use outbox::Outbox;
use tenant_store::TenantStore;

/// The handler's clients and configuration.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) tenants: TenantStore,
    pub(crate) zone: Zone,
}

impl Adapters {
    /// Reads the configuration that the template sets.
    ///
    /// # Errors
    /// When a variable is missing or malformed.
    pub(crate) fn from_env(aws: &SdkConfig) -> Result<Self, runtime::Error> {
        let target = Target {
            host: runtime::env("ROUTE_TARGET")?,
            zone: runtime::env("ROUTE_TARGET_ZONE_ID")?,
        };
        let outbox = Outbox::new(aws, runtime::env("OUTBOX_TABLE")?);
        Ok(Self {
            region: runtime::env("AWS_REGION")?,
            tenants: TenantStore::new(aws, runtime::env("REGIONAL_TABLE")?, outbox),
            zone: Zone::new(
                aws,
                runtime::env("HOSTED_ZONE_ID")?,
                runtime::env("TENANT_DOMAIN")?,
                target,
            ),
        })
    }
}
