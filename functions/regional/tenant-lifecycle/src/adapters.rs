//! The clients and the configuration of the function.

use aws_types::SdkConfig;
use catalogue::Catalogue;
use identity::Identity;
use kernel::RegionCode;
use mail::Mailer;
use outbox::Outbox;
use tenancy::{Addresses, Settings};
use tenant_store::{MailTally, TenantStore};
use usage_store::UsageEraser;

/// The adapters of the function.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) tenants: TenantStore,
    pub(crate) usage: UsageEraser,
    pub(crate) identity: Identity,
    pub(crate) catalogue: Catalogue,
    pub(crate) settings: Settings,
    pub(crate) mails: MailTally,
    pub(crate) mailer: Mailer,
    pub(crate) addresses: Addresses,
}

impl Adapters {
    /// Reads the variables that the template sets.
    ///
    /// # Errors
    /// When a variable is missing or malformed.
    pub(crate) fn from_env(aws: &SdkConfig) -> Result<Self, runtime::Error> {
        let outbox = Outbox::new(aws, runtime::env("OUTBOX_TABLE")?);
        let tenants = TenantStore::new(aws, runtime::env("REGIONAL_TABLE")?, outbox);
        Ok(Self {
            region: runtime::env("AWS_REGION")?,
            usage: UsageEraser::new(aws, runtime::env("USAGE_TABLE")?),
            identity: Identity::new(
                aws,
                runtime::env("USER_POOL_ID")?,
                runtime::env("CLIENT_ID")?,
            ),
            mails: MailTally::new(tenants.reader().clone(), runtime::env("MAILS_PER_ADDRESS")?),
            tenants,
            catalogue: Catalogue::bundled()?,
            settings: runtime::env("TENANT_SETTINGS")?,
            mailer: Mailer::new(aws, runtime::env("MAIL_FROM")?),
            addresses: runtime::env("TENANT_ADDRESS")?,
        })
    }
}
