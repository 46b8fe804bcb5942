//! Invokes trigger functions, and words Cognito's responses to their refusals.

use aws_config::SdkConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::primitives::Blob;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use serde_json::{Value, json};

use super::pools::Subject;
use crate::upstream::Answer;

/// The functions of one region that user pools may name as triggers.
#[derive(Debug)]
pub(super) struct Functions {
    region: String,
    lambda: Client,
}

/// A trigger function refused, or could not be invoked.
pub(super) struct TriggerError {
    kind: &'static str,
    message: String,
}

impl Functions {
    /// The functions of a region; `config` is for its emulator.
    pub(super) fn new(region: &str, config: &SdkConfig) -> Self {
        Self {
            region: region.to_owned(),
            lambda: Client::new(config),
        }
    }

    /// Invokes a trigger function and returns its `response`; empty if the pool has none.
    pub(super) async fn run(
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
}

/// The payload of a trigger in Cognito's form.
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

/// The part of the event that a function may change, with Cognito's defaults.
fn response(source: &str) -> Value {
    if source.starts_with("PreSignUp") {
        json!({ "autoConfirmUser": false, "autoVerifyEmail": false, "autoVerifyPhone": false })
    } else {
        json!({})
    }
}

/// Rewrites the emulator's response to a refusing PreSignUp or PreTokenGeneration function. The
/// emulator returns the function's whole report in Python's notation, and reports the latter as an
/// internal error; Cognito returns the function's message.
pub(super) fn as_cognito_reports_it(answer: Answer) -> Answer {
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

/// The text between the first quotes after the key, as in `{'errorMessage': 'no such alias',
/// 'errorType': ...}`.
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

pub(super) fn json_of(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or_default()
}

impl TriggerError {
    /// The function refused: Cognito returns its message to the caller.
    pub(super) fn validation(trigger: &str, message: &str) -> Self {
        Self {
            kind: "UserLambdaValidationException",
            message: format!(
                "{trigger} failed with error {}.",
                message.trim_end_matches('.')
            ),
        }
    }

    /// A migration function failed. Cognito reports that even for a client that hides which users
    /// exist.
    pub(super) fn migration(client_id: &str) -> Self {
        let message = format!("Exception migrating user in app client {client_id}");
        Self {
            kind: "UserNotFoundException",
            message,
        }
    }

    pub(super) fn into_answer(self) -> Answer {
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
    use aws_sdk_cognitoidentityprovider::types::UserPoolType;
    use serde_json::Map;

    use super::super::pools::User;
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
    fn a_refused_token_is_not_an_internal_error() {
        let answer = |status: StatusCode, body: Value| Answer {
            status,
            headers: HeaderMap::new(),
            body: Bytes::from(body.to_string()),
        };
        let report = "PreTokenGeneration error: {'errorMessage': 'tenant-suspended', 'errorType': 'TokenRefused'}";
        let fault = json!({ "__type": "InternalError", "message": report });
        let worded = as_cognito_reports_it(answer(StatusCode::INTERNAL_SERVER_ERROR, fault));
        assert_eq!(worded.status, StatusCode::BAD_REQUEST);
        assert_eq!(
            json_of(&worded)["message"],
            "PreTokenGeneration failed with error tenant-suspended."
        );
        let other =
            json!({ "__type": "InternalError", "message": "PreTokenGeneration Lambda not found" });
        assert_eq!(
            as_cognito_reports_it(answer(StatusCode::INTERNAL_SERVER_ERROR, other.clone())).body,
            other.to_string()
        );
    }

    #[test]
    fn a_refusal_has_the_form_of_cognito() {
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
