//! Sign-ups of this region's tenants, and of the people whom they invite.
//!
//! Trigger: RegionalApi, `GET /signup-form`, `POST /signups`, `GET /signups/{id}`,
//! `POST /signups/{id}/confirmation`, `POST /signups/{id}/resend`, `POST /signups/{id}/provisioning`,
//! `POST /invitations/acceptance`, `GET /openapi.json`. Reads: RegionalTable (sign-ups, tenants, users, invitations),
//! Cognito. Emits: TenantStatusChanged.v2, OnboardingProgressed.v1, TenantProvisioningRequested.v1.

mod adapters;
mod handler;
mod invitations;
mod problems;
#[cfg(test)]
mod tests;

use adapters::{Adapters, Limits};
use contract::catalogue::Catalogue;
use handler::router;
use identity::Identity;
use outbox::Outbox;
use regional_store::TenantStore;
use runtime::http::Tokens;
use runtime::{Service, env};
use tenancy::{Documents, Requirements};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb, Service::Cognito]).await?;
    let (pool, client) = (env::<String>("USER_POOL_ID")?, env::<String>("CLIENT_ID")?);
    let adapters = Adapters {
        region: env("AWS_REGION")?,
        mode: env("REGION_MODE")?,
        accepts_new_tenants: env("ACCEPTS_NEW_TENANTS")?,
        catalogue: Catalogue::bundled()?,
        settings: env("TENANT_SETTINGS")?,
        requirements: Requirements {
            documents: Documents { terms: env("TERMS_VERSION")?, data_processing: env("DATA_PROCESSING_VERSION")? },
            disposable: env("DISPOSABLE_DOMAINS")?,
        },
        limits: Limits { per_source: env("SIGNUPS_PER_SOURCE")?, per_address: env("SIGNUPS_PER_ADDRESS")? },
        tenants: TenantStore::new(&aws, env("REGIONAL_TABLE")?, Outbox::new(&aws, env("OUTBOX_TABLE")?)),
        tokens: Tokens::new(&aws, &pool, client.clone())?,
        identity: Identity::new(&aws, pool, client),
    };
    runtime::http::serve(router(adapters)).await
}
