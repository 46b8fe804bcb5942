//! A throttled DynamoDB. The local AWS never throttles, so this server returns the responses of a
//! busy table.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use aws_types::SdkConfig;
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use local_aws::sdk;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// How the table refuses calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Throttle {
    /// By the table's capacity: `ProvisionedThroughputExceededException`.
    Capacity,
    /// By the account's request rate: `ThrottlingException`.
    Rate,
    /// By returning every item of a batch as unprocessed.
    Undone,
}

/// A table that refuses a number of calls and then accepts every one. Reads find nothing.
#[derive(Debug, Clone)]
pub struct ThrottledTable {
    /// The configuration of clients that call it.
    pub config: SdkConfig,
    calls: Arc<AtomicU32>,
}

impl ThrottledTable {
    /// Starts the server, for as long as the test's runtime lives.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(throttle: Throttle, refusals: u32) -> Self {
        let calls = Arc::<AtomicU32>::default();
        let counted = Arc::clone(&calls);
        let answer = move |State(calls): State<Arc<AtomicU32>>,
                           headers: HeaderMap,
                           body: String| async move {
            let is_refused = calls.fetch_add(1, Ordering::Relaxed) < refusals;
            let is_read = headers["x-amz-target"]
                .to_str()
                .unwrap()
                .ends_with(".BatchGetItem");
            let request: Value = serde_json::from_str(&body).unwrap();
            answer(
                is_refused.then_some(throttle),
                is_read,
                &request["RequestItems"],
            )
        };
        let router = Router::new().route("/", post(answer)).with_state(counted);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, router).await });
        Self {
            config: sdk::config("eu-west-1", &endpoint),
            calls,
        }
    }

    /// The number of calls so far.
    #[must_use]
    pub fn calls(&self) -> u32 {
        self.calls.load(Ordering::Relaxed)
    }
}

fn answer(throttle: Option<Throttle>, is_read: bool, request: &Value) -> Response {
    let none = json!({});
    let (status, body) = match throttle {
        Some(Throttle::Capacity) => (
            StatusCode::BAD_REQUEST,
            refusal("ProvisionedThroughputExceededException"),
        ),
        Some(Throttle::Rate) => (StatusCode::BAD_REQUEST, refusal("ThrottlingException")),
        Some(Throttle::Undone) if is_read => (
            StatusCode::OK,
            json!({ "Responses": none, "UnprocessedKeys": request }),
        ),
        Some(Throttle::Undone) => (StatusCode::OK, json!({ "UnprocessedItems": request })),
        None if is_read => (
            StatusCode::OK,
            json!({ "Responses": none, "UnprocessedKeys": none }),
        ),
        None => (StatusCode::OK, json!({ "UnprocessedItems": none })),
    };
    (
        status,
        [("content-type", "application/x-amz-json-1.0")],
        body.to_string(),
    )
        .into_response()
}

fn refusal(kind: &str) -> Value {
    json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{kind}"), "message": "Rate exceeded" })
}
