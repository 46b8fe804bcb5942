//! Reads the public keys of a user pool, over the connections of the SDK's clients.

use crate::Error;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime::client::retries::classifiers::{
    HttpStatusCodeClassifier, TransientErrorClassifier,
};
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use jsonwebtoken::jwk::JwkSet;
use std::time::Duration;

const ATTEMPTS_MAX: u32 = 3;
/// The first backoff. Callers wait for the keys, so it is shorter than the SDK's default.
const BACKOFF_FIRST: Duration = Duration::from_millis(50);

/// The source of a user pool's keys.
///
/// It reads the key document by the machinery of the SDK's clients. So it shares their HTTP client,
/// and the function's one connection to Cognito serves both.
#[derive(Debug)]
pub(super) struct KeySource {
    read: Operation<(), JwkSet, KeysError>,
}

/// A failure to read the pool's keys.
#[derive(Debug, thiserror::Error)]
#[error("the user pool's keys could not be read: {reason}")]
pub(super) struct KeysError {
    reason: String,
}

impl KeySource {
    /// # Errors
    /// When the configuration has no HTTP client.
    pub(super) fn new(config: &SdkConfig, endpoint: &str, path: String) -> Result<Self, Error> {
        let client = config
            .http_client()
            .ok_or("the configuration has no HTTP client")?;
        let timeouts = config.timeout_config().cloned();
        let retries = RetryConfig::standard()
            .with_max_attempts(ATTEMPTS_MAX)
            .with_initial_backoff(BACKOFF_FIRST);
        let read = Operation::builder()
            .service_name("cognito-idp")
            .operation_name("jwks.json")
            .behavior_version(BehaviorVersion::latest())
            .http_client(client)
            .endpoint_url(endpoint)
            .no_auth()
            .standard_retry(&retries)
            // A pooled connection may have died while the function was frozen.
            .retry_classifier(TransientErrorClassifier::<KeysError>::new())
            .retry_classifier(HttpStatusCodeClassifier::default())
            .with_connection_poisoning()
            .timeout_config(timeouts.unwrap_or_else(TimeoutConfig::disabled))
            .sleep_impl(TokioSleep::new())
            .time_source(SystemTimeSource::new())
            .serializer(move |()| {
                let mut request = HttpRequest::empty();
                request.set_uri(path.as_str())?;
                Ok(request)
            })
            .deserializer(read_keys)
            .build();
        Ok(Self { read })
    }

    pub(super) async fn get(&self) -> Result<JwkSet, KeysError> {
        self.read.invoke(()).await.map_err(|error| match error {
            SdkError::ServiceError(failed) => failed.into_err(),
            error => KeysError {
                reason: DisplayErrorContext(error).to_string(),
            },
        })
    }
}

fn read_keys(response: &HttpResponse) -> Result<JwkSet, OrchestratorError<KeysError>> {
    let failed = |reason: String| OrchestratorError::operation(KeysError { reason });
    if !response.status().is_success() {
        return Err(failed(format!("status {}", response.status().as_u16())));
    }
    let body = response.body().bytes().unwrap_or_default();
    serde_json::from_slice(body).map_err(|error| failed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::KeySource;
    use crate::connect::connector;
    use aws_smithy_runtime_api::client::http::http_client_fn;
    use aws_types::SdkConfig;
    use axum::Router;
    use axum::http::StatusCode;
    use axum::routing::get;
    use axum::serve::ListenerExt as _;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    /// A configuration like a function's.
    fn config() -> SdkConfig {
        let connector = connector(Duration::from_secs(5)).unwrap();
        let client = http_client_fn(move |_, _| connector.clone());
        SdkConfig::builder().http_client(client).build()
    }

    fn source(config: &SdkConfig, url: &str) -> KeySource {
        KeySource::new(config, url, "/keys".to_owned()).unwrap()
    }

    /// Starts a pool that fails at first. Returns its address and its number of connections.
    async fn pool(failures: u32, status: StatusCode) -> (String, Arc<AtomicU32>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let opened = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&opened);
        let listener = listener.tap_io(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
        });
        let requests = Arc::new(AtomicU32::new(0));
        let keys = async move || {
            if requests.fetch_add(1, Ordering::SeqCst) < failures {
                (status, "{}")
            } else {
                (StatusCode::OK, "{\"keys\":[]}")
            }
        };
        let router = Router::new().route("/keys", get(keys));
        tokio::spawn(async { axum::serve(listener, router).await });
        (url, opened)
    }

    #[tokio::test]
    async fn key_sources_of_one_configuration_share_a_connection() {
        let (url, opened) = pool(0, StatusCode::OK).await;
        let config = config();
        for _ in 0..2 {
            let source = source(&config, &url);
            assert!(source.get().await.unwrap().keys.is_empty());
            assert!(source.get().await.unwrap().keys.is_empty());
        }
        assert_eq!(opened.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn transient_failures_of_a_pool_are_retried() {
        for (failures, status, is_read) in [
            (2, StatusCode::SERVICE_UNAVAILABLE, true),
            (3, StatusCode::SERVICE_UNAVAILABLE, false),
            (1, StatusCode::NOT_FOUND, false),
            (1, StatusCode::OK, false),
        ] {
            let (url, _) = pool(failures, status).await;
            let read = source(&config(), &url).get().await;
            assert_eq!(read.is_ok(), is_read, "{failures} x {status}: {read:?}");
        }
    }

    #[tokio::test]
    async fn an_unreachable_pool_is_an_error() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let read = source(&config(), &url).get().await;
        assert!(read.unwrap_err().to_string().contains("could not be read"));
    }
}
