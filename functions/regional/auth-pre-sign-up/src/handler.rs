//! Compares a requested account with the registration, or with the tenant whose provider vouches
//! for it.

use aws_lambda_events::event::cognito::{
    CognitoEventUserPoolsPreSignup as PreSignUp,
    CognitoEventUserPoolsPreSignupTriggerSource as Source,
};
use kernel::{EventId, RegionCode};
use runtime::Failure;
use tenancy::{
    Context, EmailAddress, JoinConditions, Newcomer, Origin, Refusal, Username, Voucher,
    decide_newcomer,
};
use tenant_store::{Destination, LoadOptions, TenantStore, TenantStoreError, TenantView};

/// Accepts an account that Meridian itself requests, whose username is registered with the same
/// address, and an account of a person for whom the tenant's own identity provider vouches. Refuses
/// every other one. The account of an invited person can only be created by an administrator of the
/// pool, which is Meridian after it has checked the invitation's code. Leaves the event unchanged.
///
/// The pool's `SignUp` is open to everybody who knows a client's id. A call without a voucher is
/// refused before anything is read, so that neither the response nor its time discloses who is
/// registered.
pub(crate) async fn handle(adapters: &Adapters, event: PreSignUp) -> Result<PreSignUp, Failure> {
    if event.cognito_event_user_pools_header.trigger_source == Some(Source::ExternalProvider) {
        join(adapters, newcomer(&event)?).await?;
        return Ok(event);
    }
    let Some((username, email)) = requested_account(&event) else {
        return Err(refuse());
    };
    let by_administrator =
        event.cognito_event_user_pools_header.trigger_source == Some(Source::AdminCreateUser);
    if !by_administrator && !is_vouched(adapters, &event, username).await? {
        return Err(refuse());
    }
    let registered = adapters
        .tenants
        .reader()
        .load_user(username)
        .await
        .map_err(|error| unavailable(&error))?
        .ok_or_else(refuse)?;
    let may_sign_up = match registered.origin {
        Origin::Signup(_) => true,
        Origin::Invitation(_) => by_administrator,
        Origin::Federation => false,
    };
    if may_sign_up && registered.email.key() == email.key() {
        tracing::info!("registered account");
        Ok(event)
    } else {
        Err(refuse())
    }
}

/// The adapters of the handler.
pub(crate) struct Adapters {
    pub(crate) region: RegionCode,
    pub(crate) tenants: TenantStore,
}

fn requested_account(event: &PreSignUp) -> Option<(Username, EmailAddress)> {
    let username = event
        .cognito_event_user_pools_header
        .user_name
        .as_ref()?
        .parse()
        .ok()?;
    let email = event.request.user_attributes.get("email")?.parse().ok()?;
    Some((username, email))
}

/// Whether Meridian has issued the voucher of this call.
async fn is_vouched(
    adapters: &Adapters,
    event: &PreSignUp,
    username: Username,
) -> Result<bool, Failure> {
    let voucher = event
        .request
        .validation_data
        .get(Voucher::NAME)
        .and_then(|text| text.parse::<Voucher>().ok());
    match voucher {
        Some(voucher) => {
            let vouched = adapters
                .tenants
                .reader()
                .is_vouched(username, &voucher, runtime::now())
                .await;
            vouched.map_err(|error| unavailable(&error))
        }
        None => Ok(false),
    }
}

/// The person, and whether the provider reports the address as verified: as a boolean or as a text,
/// both of which arrive here as texts.
fn newcomer(event: &PreSignUp) -> Result<Newcomer, Failure> {
    let account = event
        .cognito_event_user_pools_header
        .user_name
        .as_ref()
        .and_then(|name| name.parse().ok());
    let account = account.ok_or_else(refuse)?;
    let attributes = &event.request.user_attributes;
    let is_verified = attributes
        .get("email_verified")
        .is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let email = attributes.get("email").and_then(|text| text.parse().ok());
    let email =
        email.ok_or_else(|| Failure::refusal("SignUpRefused", "provider-address-missing"))?;
    Ok(Newcomer {
        account,
        email,
        is_verified,
    })
}

/// Makes the person a member of the tenant, unless they already are.
async fn join(adapters: &Adapters, newcomer: Newcomer) -> Result<(), Failure> {
    let alias = newcomer.account.alias().ok_or_else(refuse)?;
    let lead = adapters
        .tenants
        .reader()
        .resolve(alias.as_str())
        .await
        .map_err(|error| unavailable(&error))?;
    let Some(Destination::Here(tenant)) = lead else {
        return Err(refuse());
    };
    let username = Username::of_account(newcomer.account.expose());
    let invitation = Username::of(&alias, &newcomer.email).invitation();
    let now = runtime::now();
    let context = Context {
        region: adapters.region.clone(),
        event: EventId::from_uuid(runtime::new_uuid()),
        now,
    };
    let options = LoadOptions {
        user: Some(username),
        invitation: Some(invitation),
        blocked: Some(username),
        ..LoadOptions::TENANT
    };
    let joined = adapters
        .tenants
        .change(tenant, options, |loaded: &TenantView| {
            let conditions = JoinConditions {
                is_member: loaded.user.is_some(),
                is_blocked: loaded.is_blocked,
                is_invited: loaded
                    .invitation
                    .as_ref()
                    .is_some_and(|open| now < open.valid_until),
            };
            decide_newcomer(&loaded.state, &newcomer, conditions, &context)
        });
    match joined.await {
        Ok(_) => {
            tracing::info!(%tenant, "accepted an account of the tenant's own provider");
            Ok(())
        }
        Err(TenantStoreError::Refused(refusal)) => {
            tracing::info!(%tenant, refusal = %refusal, "refused an account of the tenant's own provider");
            Err(refused(refusal))
        }
        Err(TenantStoreError::UnknownTenant) => Err(refuse()),
        Err(error) => Err(unavailable(&error)),
    }
}

/// A person for whom the provider vouches may learn the reason.
fn refused(refusal: Refusal) -> Failure {
    let code = match refusal {
        Refusal::Full => "tenant-full",
        Refusal::Barred => "removed",
        Refusal::UnverifiedAddress => "provider-address-unverified",
        _ => "not-registered",
    };
    Failure::refusal("SignUpRefused", code)
}

/// The same refusal for every mismatch, so that it discloses nothing of other registrations.
fn refuse() -> Failure {
    tracing::info!("refused an account that is not registered");
    Failure::refusal("SignUpRefused", "not-registered")
}

fn unavailable(error: &TenantStoreError) -> Failure {
    Failure::of("RegistrationUnavailable", error)
}
