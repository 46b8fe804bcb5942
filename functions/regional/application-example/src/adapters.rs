//! The clients and the configuration of the function.

use crate::resources::Resources;
use aws_types::SdkConfig;
use bus::Bus;

/// The handler's clients and configuration.
pub(crate) struct Adapters {
    pub(crate) resources: Resources,
    pub(crate) bus: Bus,
}

impl Adapters {
    /// Reads the configuration that the template sets.
    ///
    /// # Errors
    /// When a variable is missing or malformed.
    pub(crate) fn from_env(aws: &SdkConfig) -> Result<Self, runtime::Error> {
        Ok(Self {
            resources: Resources::new(
                aws,
                runtime::env("APPLICATION_TABLE")?,
                runtime::env("SILO_TABLE_PREFIX")?,
            ),
            bus: Bus::new(aws, runtime::env("REGIONAL_BUS_NAME")?),
        })
    }
}
