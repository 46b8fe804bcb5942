//! A region's sign-up API with configurable behaviour.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The API's behaviour.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Behaviour {
    /// Accepts a sign-up, each key once.
    Take,
    /// Accepts it, and the response is lost.
    TakeAndFail,
    /// Responds with a server error.
    Fail,
    /// Responds 202 with something else than an operation.
    Nonsense,
    /// Responds with a redirection.
    Elsewhere,
    /// Responds 429 as a gateway does, without a problem document.
    NoProblem,
    /// Responds with a problem document.
    Refuse,
}

/// A sign-up as received.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) key: String,
    pub(crate) onboarding: String,
    /// The proof that it comes from home.
    pub(crate) seal: Option<String>,
    pub(crate) body: String,
}

/// A region's sign-up API.
#[derive(Debug, Clone)]
pub(crate) struct FakeRegion {
    pub(crate) url: String,
    server: Arc<Mutex<ServerState>>,
}

#[derive(Debug)]
struct ServerState {
    behaviour: Behaviour,
    received: Vec<Received>,
    /// The number of the tenant of each key.
    tenants: BTreeMap<String, usize>,
}

impl FakeRegion {
    /// Serves the API on a port of its own.
    pub(crate) async fn serve() -> Self {
        let server = ServerState {
            behaviour: Behaviour::Take,
            received: Vec::new(),
            tenants: BTreeMap::new(),
        };
        let server = Arc::new(Mutex::new(server));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .route("/signups", post(sign_up))
            .with_state(server.clone());
        tokio::spawn(async { axum::serve(listener, router).await });
        Self { url, server }
    }

    pub(crate) fn behave(&self, behaviour: Behaviour) {
        self.server.lock().unwrap().behaviour = behaviour;
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.server.lock().unwrap().received.clone()
    }

    /// The number of tenants that it has created.
    pub(crate) fn tenants(&self) -> usize {
        self.server.lock().unwrap().tenants.len()
    }
}

async fn sign_up(
    State(server): State<Arc<Mutex<ServerState>>>,
    headers: HeaderMap,
    body: String,
) -> Response {
    let mut server = server.lock().unwrap();
    let text = |name: &str| headers[name].to_str().unwrap().to_owned();
    assert_eq!(text("content-type"), "application/json");
    let seal = headers
        .get("meridian-handover")
        .map(|seal| seal.to_str().unwrap().to_owned());
    let received = Received {
        key: text("idempotency-key"),
        onboarding: text("meridian-onboarding"),
        seal,
        body,
    };
    let key = received.key.clone();
    server.received.push(received);
    let lost = || (StatusCode::BAD_GATEWAY, "{}").into_response();
    match server.behaviour {
        Behaviour::Take => (StatusCode::ACCEPTED, Json(take(&mut server, key))).into_response(),
        Behaviour::TakeAndFail => {
            take(&mut server, key);
            lost()
        }
        Behaviour::Fail => lost(),
        Behaviour::Nonsense => (StatusCode::ACCEPTED, "[]").into_response(),
        Behaviour::Elsewhere => (
            StatusCode::TEMPORARY_REDIRECT,
            [("location", "http://127.0.0.1:1/")],
        )
            .into_response(),
        Behaviour::NoProblem => (
            StatusCode::TOO_MANY_REQUESTS,
            Json(json!({ "message": "Too Many Requests" })),
        )
            .into_response(),
        Behaviour::Refuse => {
            let problem = json!({
                "type": "/problems/weak-password", "title": "The password is too weak", "status": 422,
                "detail": "Take another one.", "fields": [{ "field": "password", "reason": "longer" }],
                "operation": "/signups/5f0c7f2c-8f64-4c0e-9d5e-2f7c1a9b3eff",
            });
            (
                StatusCode::UNPROCESSABLE_ENTITY,
                [("retry-after", "30")],
                Json(problem),
            )
                .into_response()
        }
    }
}

fn take(server: &mut ServerState, key: String) -> serde_json::Value {
    let next = server.tenants.len() + 1;
    let number = *server.tenants.entry(key).or_insert(next);
    json!({
        "region": "us-west-2",
        "mode": "shared",
        "id": format!("11111111-2222-4333-8444-0000000000{number:02x}"),
        "state": "waiting",
        "next": "confirm",
        "tenant": format!("0199a1f0-0000-7000-8000-0000000001{number:02x}"),
        "alias": "a2b3c4d5e6f7",
        "username": format!("22222222-2222-5333-8444-0000000000{number:02x}"),
        "steps": [{ "name": "registration", "state": "done" }],
        "anything": { "else": 1.5 },
    })
}
