//! A stub of a zone that refuses a name because another record has it, which the local AWS never
//! does.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use std::sync::{Arc, Mutex};

/// Answers `ChangeResourceRecordSets`, and refuses every batch with a certain name.
pub(crate) struct StubZone {
    pub(crate) url: String,
    state: Arc<Refusing>,
}

struct Refusing {
    name: String,
    written: Mutex<Vec<String>>,
}

impl StubZone {
    pub(crate) async fn start(name: &str) -> Self {
        let state = Arc::new(Refusing {
            name: name.to_owned(),
            written: Mutex::default(),
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new()
            .fallback(change)
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, state }
    }

    /// The names that were written.
    pub(crate) fn written(&self) -> Vec<String> {
        self.state.written.lock().unwrap().clone()
    }
}

async fn change(State(state): State<Arc<Refusing>>, body: String) -> Response {
    let names = body
        .split("<Name>")
        .skip(1)
        .filter_map(|rest| rest.split("</Name>").next().map(str::to_owned));
    let names: Vec<String> = names.collect();
    let (status, answer) = if names.contains(&state.name) {
        let error = "<Error><Type>Sender</Type><Code>InvalidChangeBatch</Code></Error>";
        (
            StatusCode::BAD_REQUEST,
            format!("<ErrorResponse>{error}</ErrorResponse>"),
        )
    } else {
        state.written.lock().unwrap().extend(names);
        let info = "<Id>/change/C1</Id><Status>PENDING</Status><SubmittedAt>2026-11-20T10:00:00Z</SubmittedAt>";
        let element = "ChangeResourceRecordSetsResponse";
        (
            StatusCode::OK,
            format!("<{element}><ChangeInfo>{info}</ChangeInfo></{element}>"),
        )
    };
    (status, [(CONTENT_TYPE, "text/xml")], answer).into_response()
}
