//! The user pools in which accounts existed before.

use crate::error::IdentityError;
use crate::error::classify;
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::AuthFlowType;
use aws_types::SdkConfig;
use aws_types::region::Region;
use tenancy::{Password, Realm, Username};

/// User pools of other regions. Signing in is open to everybody, so this takes no permission.
#[derive(Debug, Clone)]
pub struct FormerPools {
    config: SdkConfig,
}

impl FormerPools {
    /// The pools of the fleet.
    #[must_use]
    pub const fn new(config: SdkConfig) -> Self {
        Self { config }
    }

    /// Whether a person can sign in there. Only a complete sign-in counts: if a second factor is
    /// required, the password alone proves nothing.
    ///
    /// # Errors
    /// When the pool was not reached.
    pub async fn knows(
        &self,
        realm: &Realm,
        username: Username,
        password: &Password,
    ) -> Result<bool, IdentityError> {
        let config = self
            .config
            .to_builder()
            .region(Region::new(realm.region.to_string()))
            .build();
        let request = Client::new(&config)
            .initiate_auth()
            .client_id(&realm.client_id)
            .auth_flow(AuthFlowType::UserPasswordAuth)
            .auth_parameters("USERNAME", username.to_string())
            .auth_parameters("PASSWORD", password.expose());
        match request.send().await {
            Ok(answer) => Ok(answer.authentication_result().is_some()),
            Err(error) => match error.as_service_error() {
                Some(e)
                    if e.is_user_not_confirmed_exception()
                        || e.is_password_reset_required_exception() =>
                {
                    Ok(false)
                }
                _ => match classify(&error) {
                    IdentityError::WrongCode | IdentityError::Refused { .. } => Ok(false),
                    failed => Err(failed),
                },
            },
        }
    }
}
