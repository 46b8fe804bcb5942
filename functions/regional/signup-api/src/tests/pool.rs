//! The user pool behind the API, with triggers: the custom-message trigger that withholds mails,
//! and triggers that fail.

use super::World;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_types::body::SdkBody;
use identity::Identity;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The behaviour of the pool's triggers. As in Cognito, an account that was created before a
/// trigger failed stays.
#[derive(Debug, Clone, Default)]
pub(super) struct Pool {
    pub(super) mailed: Arc<AtomicUsize>,
    /// The error of a sign-up before an account is created.
    pub(super) sign_up_fails: Option<(&'static str, &'static str)>,
    /// Whether no further code can be mailed.
    pub(super) resend_fails: bool,
    /// Whether the trigger after a confirmation fails.
    pub(super) confirmation_fails: bool,
}

#[derive(Debug)]
struct Triggering {
    inner: SharedHttpConnector,
    pool: Pool,
}

impl Pool {
    /// The pool of a world with these triggers.
    pub(super) fn identity(&self, world: &World) -> Identity {
        let config = &world.region.aws.config;
        let (client, pool) = (config.http_client().unwrap(), self.clone());
        let client = http_client_fn(move |settings, components| {
            let inner = client.http_connector(settings, components);
            SharedHttpConnector::new(Triggering {
                inner,
                pool: pool.clone(),
            })
        });
        let config = config.to_builder().http_client(client).build();
        Identity::new(
            &config,
            world.people.pool.id.clone(),
            world.people.pool.client_id.clone(),
        )
    }

    /// The number of codes that were mailed since the last call.
    pub(super) fn take_mailed(&self) -> usize {
        self.mailed.swap(0, Ordering::Relaxed)
    }
}

impl HttpConnector for Triggering {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request
            .headers()
            .get("x-amz-target")
            .unwrap_or_default()
            .to_owned();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default();
        let withheld = String::from_utf8_lossy(body).contains(r#""mail":"withhold""#);
        let pool = self.pool.clone();
        let before = match operation.as_str() {
            "SignUp" => pool.sign_up_fails,
            "ResendConfirmationCode" if pool.resend_fails => Some(("InternalErrorException", "")),
            _ => None,
        };
        if let Some((code, message)) = before {
            return HttpConnectorFuture::ready(Ok(refusal(code, message)));
        }
        let answered = self.inner.call(request);
        HttpConnectorFuture::new(async move {
            let answer = answered.await?;
            if !answer.status().is_success() {
                return Ok(answer);
            }
            Ok(match operation.as_str() {
                "SignUp" if withheld => refusal(
                    "UserLambdaValidationException",
                    "CustomMessage failed with error mail-withheld.",
                ),
                "ConfirmSignUp" if pool.confirmation_fails => refusal(
                    "UnexpectedLambdaException",
                    "PostConfirmation failed with error Socket timeout.",
                ),
                "SignUp" | "ResendConfirmationCode" => {
                    pool.mailed.fetch_add(1, Ordering::Relaxed);
                    answer
                }
                _ => answer,
            })
        })
    }
}

/// An error in Cognito's format.
fn refusal(code: &str, message: &str) -> HttpResponse {
    let body = serde_json::json!({ "__type": code, "message": message }).to_string();
    let mut response = HttpResponse::new(400.try_into().unwrap(), SdkBody::from(body));
    response
        .headers_mut()
        .insert("content-type", "application/x-amz-json-1.1");
    response
}
