//! The Cognito triggers that the emulator leaves out.
//!
//! The emulator runs PreTokenGeneration, the custom challenge triggers, CustomMessage where it
//! mails a code (see `sitecustomize.py`: only the emulator knows the code) and, for users who sign
//! up by themselves, PreSignUp (see there too: Cognito asks it before it looks whether the name is
//! taken, and hands on what is to be validated). Here the others are completed around its answers,
//! with the functions that the pool's own `LambdaConfig` names and the payloads that AWS documents:
//! PreSignUp for users whom an administrator makes, PostConfirmation, PreAuthentication,
//! PostAuthentication and UserMigration. A confirmed sign-up also verifies the e-mail address to
//! which the code was sent, as Cognito does. What a client says with the first call of a sign-in,
//! Cognito hands to the triggers before the password only; what it says with the answer to a
//! challenge, to those after it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use anyhow::{Context, Result};
use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, LambdaConfigType, MessageActionType, PreventUserExistenceErrorTypes,
    UserPoolType, VerifiedAttributeType,
};
use aws_sdk_lambda::primitives::Blob;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use super::upstream::{Answer, Request, forward};

/// Completes the triggers of one region's user pools.
#[derive(Debug)]
pub struct Triggers {
    region: String,
    emulator: String,
    cognito: Client,
    lambda: aws_sdk_lambda::Client,
    pools: Mutex<BTreeMap<String, String>>,
}

/// The pool, client and user that a call is about.
struct Subject {
    pool: UserPoolType,
    pool_id: String,
    client_id: String,
    /// The name that the caller gave; the user's own is in `user`.
    username: String,
    user: Option<User>,
}

struct User {
    username: String,
    attributes: Map<String, Value>,
}

/// A function of the pool refused, or could not be asked.
struct TriggerError {
    kind: &'static str,
    message: String,
}

impl Triggers {
    /// The triggers of a region; `config` is for its emulator.
    pub fn new(region: &str, emulator: &str, config: &SdkConfig) -> Self {
        Self {
            region: region.to_owned(),
            emulator: emulator.to_owned(),
            cognito: Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            pools: Mutex::default(),
        }
    }

    /// Passes a Cognito call on, with the triggers that belong to it.
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
        Ok(done.map_or_else(TriggerError::into_answer, as_cognito_words_it))
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
        let Some(mut subject) = self.subject(body, body["Username"].as_str()).await? else {
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
            .run(arn, "PostConfirmation", source, &subject, request)
            .await
            .map(|_| answer))
    }

    /// A function that refuses keeps the user from being made.
    async fn creation(
        &self,
        request: &Request,
        body: &Value,
    ) -> Result<Result<Answer, TriggerError>> {
        if let Some(subject) = self.subject(body, body["Username"].as_str()).await?
            && subject.user.is_none()
        {
            let given = body["UserAttributes"].as_array().into_iter().flatten();
            let pairs = given.filter_map(|pair| {
                Some((pair["Name"].as_str()?.to_owned(), pair["Value"].clone()))
            });
            let asked = json!({
                "userAttributes": Value::Object(pairs.collect()),
                "validationData": {},
                "clientMetadata": body["ClientMetadata"],
            });
            let arn = subject
                .functions()
                .and_then(LambdaConfigType::pre_sign_up)
                .map(str::to_owned);
            if let Err(refused) = self
                .run(
                    arn,
                    "PreSignUp",
                    "PreSignUp_AdminCreateUser",
                    &subject,
                    asked,
                )
                .await
            {
                return Ok(Err(refused));
            }
        }
        Ok(Ok(self.pass(request).await?))
    }

    /// The code was sent to the e-mail address, so who knows it reads that address.
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
        self.cognito
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
        let Some(mut subject) = self.subject(body, parameters["USERNAME"].as_str()).await? else {
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
        if arn.is_some() && (!unknown || self.hides_unknown_users(&subject).await?) {
            let asked = json!({
                "userAttributes": subject.attributes(),
                "validationData": body["ClientMetadata"],
                "userNotFound": unknown,
            });
            let ran = self.run(
                arn,
                "PreAuthentication",
                "PreAuthentication_Authentication",
                &subject,
                asked,
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
        if let Some(mut subject) = self.subject(body, body["Username"].as_str()).await?
            && subject.user.is_none()
        {
            let migrated = self.migrate(&mut subject, "UserMigration_ForgotPassword", None, body);
            if let Err(refused) = migrated.await? {
                return Ok(Err(refused));
            }
        }
        Ok(Ok(self.pass(request).await?))
    }

    /// Runs PostAuthentication where a sign-in is complete: the answer has tokens.
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
        let asked = json!({
            "userAttributes": subject.attributes(),
            "newDeviceUsed": false,
            "clientMetadata": metadata,
        });
        self.run(
            arn,
            "PostAuthentication",
            "PostAuthentication_Authentication",
            subject,
            asked,
        )
        .await
        .map(|_| answer)
    }

    /// Asks the pool's migration function about an unknown user, and creates the user that it
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
        let asked = json!({
            "password": password,
            "validationData": body["ClientMetadata"],
            "clientMetadata": body["ClientMetadata"],
            "userAttributes": null,
        });
        let Ok(response) = self
            .run(Some(arn), "UserMigration", source, subject, asked)
            .await
        else {
            return Ok(Err(TriggerError::migration(&subject.client_id)));
        };
        // An empty answer means that the function does not know the user: Cognito goes on without
        // one.
        let Some(attributes) = response["userAttributes"]
            .as_object()
            .filter(|a| !a.is_empty())
        else {
            return Ok(Ok(()));
        };
        let mut create = self
            .cognito
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
            self.cognito
                .admin_set_user_password()
                .user_pool_id(&subject.pool_id)
                .username(&subject.username)
                .password(password)
                .permanent(response["finalUserStatus"] == "CONFIRMED")
                .send()
                .await
                .context("AdminSetUserPassword")?;
        }
        subject.user = self.user(&subject.pool_id, &subject.username).await;
        Ok(Ok(()))
    }

    /// Invokes a trigger function; without one there is nothing to do. Returns its `response`.
    async fn run(
        &self,
        arn: Option<String>,
        trigger: &'static str,
        source: &str,
        subject: &Subject,
        request: Value,
    ) -> Result<Value, TriggerError> {
        let Some(arn) = arn else {
            return Ok(Value::Null);
        };
        let event = event(&self.region, source, subject, request);
        let unreachable = |message: String| TriggerError {
            kind: "UnexpectedLambdaException",
            message: format!("{trigger} failed with error {message}."),
        };
        let payload = serde_json::to_vec(&event).map_err(|error| unreachable(error.to_string()))?;
        let invoked = self
            .lambda
            .invoke()
            .function_name(arn)
            .payload(Blob::new(payload))
            .send()
            .await;
        let answer =
            invoked.map_err(|error| unreachable(error.into_service_error().to_string()))?;
        let bytes = answer.payload().map(Blob::as_ref).unwrap_or_default();
        let payload: Value = serde_json::from_slice(bytes).unwrap_or_default();
        if answer.function_error().is_some() {
            return Err(TriggerError::validation(
                trigger,
                payload["errorMessage"].as_str().unwrap_or("unknown"),
            ));
        }
        if !payload.is_object() {
            return Err(TriggerError {
                kind: "InvalidLambdaResponseException",
                message: "Unrecognizable lambda output".to_owned(),
            });
        }
        Ok(payload["response"].clone())
    }

    /// The pool, client and user of a call; `None` when the emulator shall refuse it by itself.
    async fn subject(&self, body: &Value, username: Option<&str>) -> Result<Option<Subject>> {
        let Some(username) = username else {
            return Ok(None);
        };
        let client_id = body["ClientId"].as_str();
        let pool_id = match (body["UserPoolId"].as_str(), client_id) {
            (Some(pool), _) => pool.to_owned(),
            (None, Some(client)) => match self.pool_of(client).await? {
                Some(pool) => pool,
                None => return Ok(None),
            },
            (None, None) => return Ok(None),
        };
        let described = self
            .cognito
            .describe_user_pool()
            .user_pool_id(&pool_id)
            .send()
            .await;
        let Some(pool) = described.ok().and_then(|answer| answer.user_pool) else {
            return Ok(None);
        };
        Ok(Some(Subject {
            user: self.user(&pool_id, username).await,
            pool,
            pool_id,
            client_id: client_id.unwrap_or("CLIENT_ID_NOT_APPLICABLE").to_owned(),
            username: username.to_owned(),
        }))
    }

    async fn user(&self, pool_id: &str, username: &str) -> Option<User> {
        let found = self
            .cognito
            .admin_get_user()
            .user_pool_id(pool_id)
            .username(username)
            .send()
            .await
            .ok()?;
        let mut attributes = Map::new();
        if let Some(status) = found.user_status() {
            attributes.insert("cognito:user_status".to_owned(), json!(status.as_str()));
        }
        for attribute in found.user_attributes() {
            attributes.insert(attribute.name().to_owned(), json!(attribute.value()));
        }
        Some(User {
            username: found.username().to_owned(),
            attributes,
        })
    }

    async fn hides_unknown_users(&self, subject: &Subject) -> Result<bool> {
        let described = self
            .cognito
            .describe_user_pool_client()
            .user_pool_id(&subject.pool_id)
            .client_id(&subject.client_id)
            .send()
            .await
            .context("DescribeUserPoolClient")?;
        let client = described.user_pool_client();
        Ok(
            client.and_then(|client| client.prevent_user_existence_errors())
                == Some(&PreventUserExistenceErrorTypes::Enabled),
        )
    }

    /// The pool of a client. A client belongs to its pool for ever, so what was found is kept.
    async fn pool_of(&self, client_id: &str) -> Result<Option<String>> {
        if let Some(pool) = self.known_pool(client_id) {
            return Ok(Some(pool));
        }
        let pools = self
            .cognito
            .list_user_pools()
            .max_results(60)
            .send()
            .await
            .context("ListUserPools")?;
        for pool in pools.user_pools().iter().filter_map(|pool| pool.id()) {
            let clients = self
                .cognito
                .list_user_pool_clients()
                .user_pool_id(pool)
                .max_results(60);
            let clients = clients.send().await.context("ListUserPoolClients")?;
            for client in clients
                .user_pool_clients()
                .iter()
                .filter_map(|client| client.client_id())
            {
                if let Ok(mut known) = self.pools.lock() {
                    known.insert(client.to_owned(), pool.to_owned());
                }
            }
        }
        Ok(self.known_pool(client_id))
    }

    fn known_pool(&self, client_id: &str) -> Option<String> {
        self.pools.lock().ok()?.get(client_id).cloned()
    }
}

impl Subject {
    fn functions(&self) -> Option<&LambdaConfigType> {
        self.pool.lambda_config()
    }

    fn attributes(&self) -> Value {
        self.user
            .as_ref()
            .map_or_else(|| json!({}), |user| Value::Object(user.attributes.clone()))
    }
}

/// The payload of a trigger as Cognito sends it.
fn event(region: &str, source: &str, subject: &Subject, mut request: Value) -> Value {
    if let Some(fields) = request.as_object_mut() {
        fields.retain(|name, value| !value.is_null() || name == "userAttributes");
    }
    json!({
        "version": "1",
        "triggerSource": source,
        "region": region,
        "userPoolId": subject.pool_id,
        "userName": subject.user.as_ref().map_or(&subject.username, |user| &user.username),
        "callerContext": {
            "awsSdkVersion": "aws-sdk-unknown-unknown",
            "clientId": subject.client_id,
        },
        "request": request,
        "response": response(source),
    })
}

/// What a function may change of the answer, as Cognito fills it in beforehand.
fn response(source: &str) -> Value {
    if source.starts_with("PreSignUp") {
        json!({ "autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false })
    } else {
        json!({})
    }
}

/// The emulator hands on the whole report of a PreSignUp or PreTokenGeneration function that
/// refuses, as Python writes it, and takes the latter for a fault of its own; Cognito hands on the
/// function's message.
fn as_cognito_words_it(answer: Answer) -> Answer {
    if answer.status.is_success() {
        return answer;
    }
    let body = json_of(&answer);
    let refused = body["__type"]
        .as_str()
        .is_some_and(|kind| kind.ends_with("UserLambdaValidationException"));
    let report = body["message"]
        .as_str()
        .or(body["Message"].as_str())
        .unwrap_or_default();
    let trigger = if report.starts_with("PreTokenGeneration error: ") {
        "PreTokenGeneration"
    } else {
        "PreSignUp"
    };
    match reported_message(report) {
        Some(message) if refused || trigger == "PreTokenGeneration" => {
            TriggerError::validation(trigger, &message).into_answer()
        }
        _ => answer,
    }
}

/// `{'errorMessage': 'no such alias', 'errorType': ...}`: the text between the first quotes after
/// the key.
fn reported_message(report: &str) -> Option<String> {
    let (_, rest) = report.split_once("'errorMessage': ")?;
    let quote = rest
        .chars()
        .next()
        .filter(|first| matches!(first, '\'' | '"'))?;
    let mut message = String::new();
    let mut letters = rest.chars().skip(1);
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => message.extend(letters.next()),
            end if end == quote => return Some(message),
            other => message.push(other),
        }
    }
    None
}

/// A call without what the client says, which the emulator would hand to triggers that Cognito does
/// not. A signed call stays as it is signed.
fn without_metadata(request: &Request, body: &Value) -> Request {
    let mut body = body.clone();
    let said = body
        .as_object_mut()
        .and_then(|body| body.remove("ClientMetadata"));
    if said.is_none() || request.headers.contains_key(header::AUTHORIZATION) {
        return request.clone();
    }
    Request {
        body: Bytes::from(body.to_string()),
        ..request.clone()
    }
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

impl TriggerError {
    /// The function refused: Cognito hands its message to the caller.
    fn validation(trigger: &str, message: &str) -> Self {
        Self {
            kind: "UserLambdaValidationException",
            message: format!(
                "{trigger} failed with error {}.",
                message.trim_end_matches('.')
            ),
        }
    }

    /// A migration function failed, which Cognito tells even where it tells nobody else who has an
    /// account.
    fn migration(client_id: &str) -> Self {
        let message = format!("Exception migrating user in app client {client_id}");
        Self {
            kind: "UserNotFoundException",
            message,
        }
    }

    fn into_answer(self) -> Answer {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-amz-json-1.1"),
        );
        headers.insert("x-amzn-errortype", HeaderValue::from_static(self.kind));
        let body = json!({ "__type": self.kind, "message": self.message });
        Answer {
            status: StatusCode::BAD_REQUEST,
            headers,
            body: Bytes::from(body.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_has_the_documented_shape() {
        let attributes = Map::from_iter([("email".to_owned(), json!("a@b.example"))]);
        let subject = Subject {
            pool: UserPoolType::builder().build(),
            pool_id: "eu-central-1_abc".to_owned(),
            client_id: "client".to_owned(),
            username: "given".to_owned(),
            user: Some(User {
                username: "own".to_owned(),
                attributes,
            }),
        };
        let request = json!({"userAttributes": subject.attributes(), "clientMetadata": null});
        let event = event(
            "eu-central-1",
            "PostConfirmation_ConfirmSignUp",
            &subject,
            request,
        );
        assert_eq!(
            event,
            json!({
                "version": "1",
                "triggerSource": "PostConfirmation_ConfirmSignUp",
                "region": "eu-central-1",
                "userPoolId": "eu-central-1_abc",
                "userName": "own",
                "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "client"},
                "request": {"userAttributes": {"email": "a@b.example"}},
                "response": {},
            })
        );
    }

    #[test]
    fn the_message_is_found_in_a_report() {
        let check = |report: &str, message: Option<&str>| {
            assert_eq!(reported_message(report).as_deref(), message, "{report}");
        };
        check(
            "{'errorMessage': 'no tenant', 'errorType': 'Refused'}",
            Some("no tenant"),
        );
        check("{'errorType': 'R', 'errorMessage': \"it's\"}", Some("it's"));
        check("{'errorMessage': 'a \\'b\\''}", Some("a 'b'"));
        check("no report", None);
    }

    #[test]
    fn a_refused_token_is_no_fault_of_the_pool() {
        let answer = |status: StatusCode, body: Value| Answer {
            status,
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_string()),
        };
        let report = "PreTokenGeneration error: {'errorMessage': 'tenant-suspended', 'errorType': 'TokenRefused'}";
        let fault = json!({ "__type": "InternalError", "message": report });
        let worded = as_cognito_words_it(answer(StatusCode::INTERNAL_SERVER_ERROR, fault));
        assert_eq!(worded.status, StatusCode::BAD_REQUEST);
        assert_eq!(
            json_of(&worded)["message"],
            "PreTokenGeneration failed with error tenant-suspended."
        );
        let other =
            json!({ "__type": "InternalError", "message": "PreTokenGeneration Lambda not found" });
        assert_eq!(
            as_cognito_words_it(answer(StatusCode::INTERNAL_SERVER_ERROR, other.clone())).body,
            other.to_string()
        );
    }

    #[test]
    fn what_a_client_says_first_is_for_the_triggers_before_the_password() {
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

    #[test]
    fn a_refusal_is_what_cognito_answers() {
        let answer = TriggerError::validation("PostConfirmation", "no such tenant.").into_answer();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert_eq!(
            json_of(&answer),
            json!({
                "__type": "UserLambdaValidationException",
                "message": "PostConfirmation failed with error no such tenant.",
            })
        );
    }
}
