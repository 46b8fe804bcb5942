//! Start-up: one HTTP client for all services, credentials from the environment, connections opened
//! while the processor is not throttled.

use crate::{Error, env, telemetry};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_http_client::Connector;
use aws_smithy_http_client::tls::{self, TlsContext, TrustStore, rustls_provider::CryptoMode};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorSettings, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use aws_types::app_name::AppName;
use aws_types::region::Region;
use futures::future::join_all;
use std::time::Duration;

/// The root certificates of AWS endpoints (Amazon Trust Services). Functions call nobody else, and
/// a small trust store is parsed quickly at start-up.
const AMAZON_ROOTS: &[u8] = include_bytes!("amazon-roots.pem");
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const READ_TIMEOUT: Duration = Duration::from_secs(5);
const OPERATION_TIMEOUT: Duration = Duration::from_secs(12);
const ATTEMPTS_MAX: u32 = 3;

/// An AWS service that a function's first call needs. Its connection is opened during init.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Tables.
    DynamoDb,
    /// Buses.
    EventBridge,
    /// User pools.
    Cognito,
    /// Queues.
    Sqs,
    /// Mails.
    Email,
    /// DNS records. One global endpoint.
    Route53,
    /// Temporary credentials with fewer permissions.
    Sts,
}

impl Service {
    /// The first label of the service's endpoint.
    const fn endpoint_prefix(self) -> &'static str {
        match self {
            Self::DynamoDb => "dynamodb",
            Self::EventBridge => "events",
            Self::Cognito => "cognito-idp",
            Self::Sqs => "sqs",
            Self::Email => "email",
            Self::Route53 => "route53",
            Self::Sts => "sts",
        }
    }

    /// The host of the service's endpoint in a region.
    fn host(self, region: &Region) -> String {
        match self {
            Self::Route53 => format!("{}.amazonaws.com", self.endpoint_prefix()),
            _ => format!("{}.{region}.amazonaws.com", self.endpoint_prefix()),
        }
    }
}

/// Sets up logging, and returns the configuration that all clients of the function share.
///
/// Opens a connection to each of `services`. Name only those of the first call, since each costs a
/// TLS handshake. A connection that cannot be opened is no error: the first call opens it.
///
/// # Errors
/// When the environment lacks the region or the credentials, which Lambda sets.
pub async fn start(services: &[Service]) -> Result<SdkConfig, Error> {
    telemetry::init();
    let connector = connector(READ_TIMEOUT)?;
    let config = config(connector.clone())?;
    join_all(
        services
            .iter()
            .map(|service| open(&config, &connector, *service)),
    )
    .await;
    Ok(config)
}

fn config(connector: SharedHttpConnector) -> Result<SdkConfig, Error> {
    let credentials = Credentials::new(
        env::<String>("AWS_ACCESS_KEY_ID")?,
        env::<String>("AWS_SECRET_ACCESS_KEY")?,
        env::<String>("AWS_SESSION_TOKEN").ok(),
        None,
        "environment",
    );
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT)
        .operation_timeout(OPERATION_TIMEOUT)
        .build();
    let mut config = SdkConfig::builder()
        .behavior_version(
            aws_smithy_runtime_api::client::behavior_version::BehaviorVersion::latest(),
        )
        .region(Region::new(env::<String>("AWS_REGION")?))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS_MAX))
        .timeout_config(timeouts);
    config.set_endpoint_url(env::<String>("AWS_ENDPOINT_URL").ok());
    config.set_app_name(
        env::<String>("AWS_LAMBDA_FUNCTION_NAME")
            .ok()
            .and_then(|name| AppName::new(name).ok()),
    );
    Ok(config.build())
}

/// A connector with its own connection pool.
pub(crate) fn connector(read_timeout: Duration) -> Result<SharedHttpConnector, Error> {
    let roots = TrustStore::empty().with_pem_certificate(AMAZON_ROOTS);
    let settings = HttpConnectorSettings::builder()
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(read_timeout)
        .build();
    let connector = Connector::builder()
        .tls_provider(tls::Provider::Rustls(CryptoMode::Ring))
        .tls_context(TlsContext::builder().with_trust_store(roots).build()?)
        .connector_settings(settings)
        .sleep_impl(TokioSleep::new())
        .build();
    Ok(SharedHttpConnector::new(connector))
}

/// Sends an unsigned request, so that the first real call finds an open connection. The answer is
/// ignored.
async fn open(config: &SdkConfig, connector: &SharedHttpConnector, service: Service) {
    let Some(uri) = endpoint(config, service) else {
        return;
    };
    let mut request = HttpRequest::empty();
    let opened = request.set_uri(uri).is_ok() && connector.call(request).await.is_ok();
    if !opened {
        tracing::debug!(
            service = service.endpoint_prefix(),
            "no connection during init"
        );
    }
}

fn endpoint(config: &SdkConfig, service: Service) -> Option<String> {
    match config.endpoint_url() {
        Some(_) => None,
        None => Some(format!("https://{}/ping", service.host(config.region()?))),
    }
}
