//! Sign-ups of this region's tenants, and the people they invite.
//!
//! Trigger: RegionalApi, `GET /signup-form`, `POST /signups`, `GET /signups/{id}`, `POST
//! /signups/{id}/confirmation`, `POST /signups/{id}/resend`, `POST /signups/{id}/provisioning`,
//! `POST /invitations/acceptance`, `GET /openapi.json`. Reads: RegionalTable (sign-ups, tenants,
//! users, invitations), Cognito. Emits: TenantStatusChanged.v1, OnboardingProgressed.v1,
//! TenantProvisioningRequested.v1.

mod account;
mod adapters;
mod handler;
mod identifiers;
mod invitations;
mod problems;
#[cfg(test)]
mod tests;

use adapters::Adapters;
use handler::router;
use runtime::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), runtime::Error> {
    let aws = runtime::start(&[Service::DynamoDb, Service::Cognito]).await?;
    runtime::http::serve(router(Adapters::from_env(&aws)?)).await
}
