//! The Cognito triggers that the emulator lacks.
//!
//! The emulator runs PreTokenGeneration, the custom challenge triggers, CustomMessage where it
//! mails a code, and PreSignUp for users who sign up by themselves. The last two are extended by
//! `sitecustomize.py`: only the emulator knows the code, and Cognito calls PreSignUp with the
//! validation data before it checks whether the name is taken.
//!
//! This module adds the other triggers around the emulator's responses, with the functions in the
//! pool's own `LambdaConfig` and the payloads that AWS documents: PreSignUp for users whom an
//! administrator creates, PostConfirmation, PreAuthentication, PostAuthentication and
//! UserMigration. A confirmed sign-up also verifies the email address that received the code, as in
//! Cognito.
//!
//! Cognito passes the client metadata of a sign-in's first call only to the triggers before the
//! password check, and the metadata of a challenge response to the triggers after it.

mod invocation;
mod pools;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, LambdaConfigType, MessageActionType, VerifiedAttributeType,
};
use axum::body::Bytes;
use axum::http::header;
use serde_json::{Value, json};

use crate::upstream::{Answer, Request, forward};
use invocation::{Functions, TriggerError, as_cognito_reports_it, json_of};
use pools::{Pools, Subject};

/// Runs the missing triggers of one region's user pools.
#[derive(Debug)]
pub struct Triggers {
    emulator: String,
    pools: Pools,
    functions: Functions,
}

impl Triggers {
    /// The triggers of a region; `config` is for its emulator.
    pub fn new(region: &str, emulator: &str, config: &SdkConfig) -> Self {
        Self {
            emulator: emulator.to_owned(),
            pools: Pools::new(config),
            functions: Functions::new(region, config),
        }
    }

    /// Forwards a Cognito call to the emulator, and runs the triggers that belong to it.
    ///
    /// # Errors
    /// When the emulator does not answer.
    pub async fn call(&self, operation: &str, request: &Request) -> Result<Answer> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let done = match operation {
            "SignUp" | "ConfirmSignUp" | "AdminConfirmSignUp" | "ConfirmForgotPassword" => {
                self.confirmation(operation, request, &body).await?
            }
            "InitiateAuth" | "AdminInitiateAuth" => self.sign_in(request, &body).await?,
            "RespondToAuthChallenge" | "AdminRespondToAuthChallenge" => {
                self.challenge(request, &body).await?
            }
            "ForgotPassword" => self.forgotten(request, &body).await?,
            "AdminCreateUser" => self.creation(request, &body).await?,
            _ => Ok(self.pass(request).await?),
        };
        Ok(done.map_or_else(TriggerError::into_answer, as_cognito_reports_it))
    }

    async fn pass(&self, request: &Request) -> Result<Answer> {
        forward(&self.emulator, &request.path, request).await
    }

    async fn confirmation(
        &self,
        operation: &str,
        request: &Request,
        body: &Value,
    ) -> Result<Result<Answer, TriggerError>> {
        let answer = self.pass(request).await?;
        let confirmed = operation != "SignUp" || json_of(&answer)["UserConfirmed"] == true;
        if !answer.status.is_success() || !confirmed {
            return Ok(Ok(answer));
        }
        let Some(mut subject) = self.pools.subject(body, body["Username"].as_str()).await? else {
            return Ok(Ok(answer));
        };
        if operation == "ConfirmSignUp" {
            self.verify_address(&mut subject).await?;
        }
        let source = match operation {
            "ConfirmForgotPassword" => "PostConfirmation_ConfirmForgotPassword",
            _ => "PostConfirmation_ConfirmSignUp",
        };
        let arn = subject
            .functions()
            .and_then(LambdaConfigType::post_confirmation)
            .map(str::to_owned);
        let request = json!({
            "userAttributes": subject.attributes(),
            "clientMetadata": body["ClientMetadata"],
        });
        Ok(self
            .functions
            .run(arn, "PostConfirmation", source, &subject, request)
            .await
            .map(|_| answer))
    }

    /// A refusing function prevents the creation of the user.
    async fn creation(
        &self,
        request: &Request,
        body: &Value,
    ) -> Result<Result<Answer, TriggerError>> {
        if let Some(subject) = self.pools.subject(body, body["Username"].as_str()).await?
            && subject.user.is_none()
        {
            let given = body["UserAttributes"].as_array().into_iter().flatten();
            let pairs = given.filter_map(|pair| {
                Some((pair["Name"].as_str()?.to_owned(), pair["Value"].clone()))
            });
            let request_data = json!({
                "userAttributes": Value::Object(pairs.collect()),
                "validationData": {},
                "clientMetadata": body["ClientMetadata"],
            });
            let arn = subject
                .functions()
                .and_then(LambdaConfigType::pre_sign_up)
                .map(str::to_owned);
            if let Err(refused) = self
                .functions
                .run(
                    arn,
                    "PreSignUp",
                    "PreSignUp_AdminCreateUser",
                    &subject,
                    request_data,
                )
                .await
            {
                return Ok(Err(refused));
            }
        }
        Ok(Ok(self.pass(request).await?))
    }

    /// The code was sent to the email address, so a user with the code reads that address.
    async fn verify_address(&self, subject: &mut Subject) -> Result<()> {
        let verifies = subject
            .pool
            .auto_verified_attributes()
            .contains(&VerifiedAttributeType::Email);
        let Some(user) = subject.user.as_mut() else {
            return Ok(());
        };
        let verified = user.attributes.get("email_verified") == Some(&json!("true"));
        if !verifies || verified || !user.attributes.contains_key("email") {
            return Ok(());
        }
        let attribute = AttributeType::builder()
            .name("email_verified")
            .value("true")
            .build()?;
        self.pools
            .client()
            .admin_update_user_attributes()
            .user_pool_id(&subject.pool_id)
            .username(&user.username)
            .user_attributes(attribute)
            .send()
            .await
            .context("AdminUpdateUserAttributes")?;
        user.attributes
            .insert("email_verified".to_owned(), json!("true"));
        Ok(())
    }

    async fn sign_in(
        &self,
        request: &Request,
        body: &Value,
    ) -> Result<Result<Answer, TriggerError>> {
        let flow = body["AuthFlow"].as_str().unwrap_or_default();
        let parameters = &body["AuthParameters"];
        if flow.starts_with("REFRESH_TOKEN") {
            return Ok(Ok(self.pass(request).await?));
        }
        let Some(mut subject) = self
            .pools
            .subject(body, parameters["USERNAME"].as_str())
            .await?
        else {
            return Ok(Ok(self.pass(request).await?));
        };
        if subject.user.is_none()
            && let Some(password) = parameters["PASSWORD"].as_str()
        {
            let migrated = self.migrate(
                &mut subject,
                "UserMigration_Authentication",
                Some(password),
                body,
            );
            if let Err(refused) = migrated.await? {
                return Ok(Err(refused));
            }
        }
        let arn = subject
            .functions()
            .and_then(LambdaConfigType::pre_authentication)
            .map(str::to_owned);
        let unknown = subject.user.is_none();
        if arn.is_some() && (!unknown || self.pools.hides_unknown_users(&subject).await?) {
            let request_data = json!({
                "userAttributes": subject.attributes(),
                "validationData": body["ClientMetadata"],
                "userNotFound": unknown,
            });
            let ran = self.functions.run(
                arn,
                "PreAuthentication",
                "PreAuthentication_Authentication",
                &subject,
                request_data,
            );
            if let Err(refused) = ran.await {
                return Ok(Err(refused));
            }
        }
        let answer = self.pass(&without_metadata(request, body)).await?;
        Ok(self.signed_in(answer, &subject, &Value::Null).await)
    }

    async fn challenge(
        &self,
        request: &Request,
        body: &Value,
    ) -> Result<Result<Answer, TriggerError>> {
        let subject = self
            .pools
            .subject(body, body["ChallengeResponses"]["USERNAME"].as_str())
            .await?;
        let answer = self.pass(request).await?;
        Ok(match subject {
            Some(subject) => {
                self.signed_in(answer, &subject, &body["ClientMetadata"])
                    .await
            }
            None => Ok(answer),
        })
    }

    async fn forgotten(
        &self,
        request: &Request,
        body: &Value,
    ) -> Result<Result<Answer, TriggerError>> {
        if let Some(mut subject) = self.pools.subject(body, body["Username"].as_str()).await?
            && subject.user.is_none()
        {
            let migrated = self.migrate(&mut subject, "UserMigration_ForgotPassword", None, body);
            if let Err(refused) = migrated.await? {
                return Ok(Err(refused));
            }
        }
        Ok(Ok(self.pass(request).await?))
    }

    /// Runs PostAuthentication if a sign-in is complete, that is, the response has tokens.
    async fn signed_in(
        &self,
        answer: Answer,
        subject: &Subject,
        metadata: &Value,
    ) -> Result<Answer, TriggerError> {
        if !answer.status.is_success() || !json_of(&answer)["AuthenticationResult"].is_object() {
            return Ok(answer);
        }
        let arn = subject
            .functions()
            .and_then(LambdaConfigType::post_authentication)
            .map(str::to_owned);
        let request_data = json!({
            "userAttributes": subject.attributes(),
            "newDeviceUsed": false,
            "clientMetadata": metadata,
        });
        self.functions
            .run(
                arn,
                "PostAuthentication",
                "PostAuthentication_Authentication",
                subject,
                request_data,
            )
            .await
            .map(|_| answer)
    }

    /// Calls the pool's migration function for an unknown user, and creates the user that it
    /// returns.
    async fn migrate(
        &self,
        subject: &mut Subject,
        source: &str,
        password: Option<&str>,
        body: &Value,
    ) -> Result<Result<(), TriggerError>> {
        let Some(arn) = subject
            .functions()
            .and_then(LambdaConfigType::user_migration)
            .map(str::to_owned)
        else {
            return Ok(Ok(()));
        };
        let request_data = json!({
            "password": password,
            "validationData": body["ClientMetadata"],
            "clientMetadata": body["ClientMetadata"],
            "userAttributes": null,
        });
        let Ok(response) = self
            .functions
            .run(Some(arn), "UserMigration", source, subject, request_data)
            .await
        else {
            return Ok(Err(TriggerError::migration(&subject.client_id)));
        };
        // An empty response means that the function does not know the user either: Cognito
        // continues without one.
        let Some(attributes) = response["userAttributes"]
            .as_object()
            .filter(|a| !a.is_empty())
        else {
            return Ok(Ok(()));
        };
        let mut create = self
            .pools
            .client()
            .admin_create_user()
            .user_pool_id(&subject.pool_id)
            .username(&subject.username)
            .message_action(MessageActionType::Suppress);
        for (name, value) in attributes {
            let (Some(value), false) = (value.as_str(), name == "username") else {
                continue;
            };
            create =
                create.user_attributes(AttributeType::builder().name(name).value(value).build()?);
        }
        if let Err(error) = create.send().await {
            return Ok(Err(TriggerError::validation(
                "UserMigration",
                &error.into_service_error().to_string(),
            )));
        }
        if let Some(password) = password {
            self.pools
                .client()
                .admin_set_user_password()
                .user_pool_id(&subject.pool_id)
                .username(&subject.username)
                .password(password)
                .permanent(response["finalUserStatus"] == "CONFIRMED")
                .send()
                .await
                .context("AdminSetUserPassword")?;
        }
        subject.user = self.pools.user(&subject.pool_id, &subject.username).await;
        Ok(Ok(()))
    }
}

/// A call without its client metadata, which the emulator would pass to triggers that do not get it
/// from Cognito. A signed call is left unchanged, as its signature covers the body.
fn without_metadata(request: &Request, body: &Value) -> Request {
    let mut body = body.clone();
    let metadata = body
        .as_object_mut()
        .and_then(|body| body.remove("ClientMetadata"));
    if metadata.is_none() || request.headers.contains_key(header::AUTHORIZATION) {
        return request.clone();
    }
    Request {
        body: Bytes::from(body.to_string()),
        ..request.clone()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue};

    use super::*;

    #[test]
    fn the_first_client_metadata_is_for_the_triggers_before_the_password() {
        let request = |headers: HeaderMap| Request {
            method: axum::http::Method::POST,
            path: "/".to_owned(),
            headers,
            body: Bytes::from_static(b"{}"),
        };
        let body = json!({ "AuthFlow": "USER_SRP_AUTH", "ClientMetadata": { "alias": "a" } });
        let passed = without_metadata(&request(HeaderMap::new()), &body);
        assert_eq!(
            passed.body,
            json!({ "AuthFlow": "USER_SRP_AUTH" }).to_string()
        );
        let signed = HeaderMap::from_iter([(
            header::AUTHORIZATION,
            HeaderValue::from_static("AWS4-HMAC-SHA256"),
        )]);
        assert_eq!(without_metadata(&request(signed), &body).body, "{}");
    }
}
