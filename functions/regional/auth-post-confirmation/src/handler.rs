//! Activates the tenant of a confirmed account.

use aws_lambda_events::event::cognito::{
    CognitoEventUserPoolsPostConfirmation,
    CognitoEventUserPoolsPostConfirmationTriggerSource as Source,
};
use catalogue::Catalogue;
use kernel::{EventId, RegionCode};
use runtime::Failure;
use tenancy::{Context, Settings, Username, decide_confirmation};
use tenant_store::{LoadOptions, Membership, TenantStore, TenantStoreError};

/// Confirms the sign-up of the account, which activates its tenant or starts provisioning. A
/// repeated call changes nothing, nor does one for a person of a tenant's own provider. A confirmed
/// new password is ignored.
pub(crate) async fn handle(
    adapters: &Adapters,
    event: PostConfirmation,
) -> Result<PostConfirmation, Failure> {
    if event.cognito_event_user_pools_header.trigger_source != Some(Source::ConfirmSignUp) {
        tracing::info!("not a confirmed sign-up");
        return Ok(event);
    }
    let username = confirmed(&event).ok_or_else(not_registered)?;
    let Membership { tenant, .. } = adapters
        .tenants
        .reader()
        .load_membership(username)
        .await
        .map_err(|error| failure(&error))?
        .ok_or_else(not_registered)?;
    let context = Context {
        region: adapters.region.clone(),
        event: EventId::from_uuid(runtime::new_uuid()),
        now: runtime::now(),
    };
    let decided = adapters
        .tenants
        .change(tenant, LoadOptions::SIGNUP, |loaded| {
            decide_confirmation(
                &loaded.state,
                &adapters.catalogue,
                &adapters.settings,
                &context,
            )
        });
    let tenant = decided.await.map_err(|error| failure(&error))?.tenant;
    tracing::info!(tenant = %tenant.id, status = %tenant.status, "confirmed");
    Ok(event)
}

/// The adapters of the handler.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) catalogue: Catalogue,
    pub(crate) settings: Settings,
    pub(crate) tenants: TenantStore,
}

/// The event of the trigger.
pub(crate) type PostConfirmation = CognitoEventUserPoolsPostConfirmation;

fn confirmed(event: &PostConfirmation) -> Option<Username> {
    event
        .cognito_event_user_pools_header
        .user_name
        .as_deref()
        .map(Username::of_account)
}

fn not_registered() -> Failure {
    tracing::warn!("confirmed an account that is not registered");
    Failure::refusal("ConfirmationRefused", "not-registered")
}

fn failure(error: &TenantStoreError) -> Failure {
    match error {
        TenantStoreError::Refused(_) => Failure::refusal("ConfirmationRefused", "tenant-closed"),
        error => Failure::of("ActivationFailed", error),
    }
}
