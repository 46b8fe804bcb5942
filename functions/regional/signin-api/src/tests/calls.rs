//! A record of the AWS calls, in their order.

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_types::SdkConfig;
use std::sync::{Arc, Mutex};

/// The calls since they were last taken.
#[derive(Debug, Clone, Default)]
pub(super) struct Calls(Arc<Mutex<Vec<String>>>);

#[derive(Debug)]
struct Counting {
    inner: SharedHttpConnector,
    calls: Calls,
}

impl Calls {
    /// A configuration whose calls are recorded.
    pub(super) fn counting(&self, config: &SdkConfig) -> SdkConfig {
        let (client, calls) = (config.http_client().unwrap(), self.clone());
        let client = http_client_fn(move |settings, components| {
            let inner = client.http_connector(settings, components);
            SharedHttpConnector::new(Counting {
                inner,
                calls: calls.clone(),
            })
        });
        config.to_builder().http_client(client).build()
    }

    /// The calls by service and name, such as `DynamoDB_20120810.GetItem`.
    pub(super) fn taken(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl HttpConnector for Counting {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request
            .headers()
            .get("x-amz-target")
            .unwrap_or("?")
            .to_owned();
        self.calls.0.lock().unwrap().push(target);
        self.inner.call(request)
    }
}
