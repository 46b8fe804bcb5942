use crate::failure::Failure;
use crate::forward::{ForwardError, Forwarder};
use crate::http::{Body, Now, Problem, with_fallbacks};
use crate::queue::{BusMessage, each};
use crate::schedule::{Scheduled, Trigger};
use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use axum::Router;
use axum::body::to_bytes;
use axum::extract::Path;
use axum::http::{Request, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use serde::Deserialize;
use serde_json::{Value, json};
use tower::ServiceExt;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Greeting {
    name: String,
}

async fn greet(Now(_): Now, Body(greeting): Body<Greeting>) -> Result<String, Problem> {
    Ok(greeting.name)
}

async fn answer(method: &str, path: &str, body: String) -> (StatusCode, Value) {
    let greetings = Router::new().route("/greetings", post(greet));
    let router = with_fallbacks(greetings.route(
        "/greetings/{name}",
        post(async |Path(name): Path<String>| name),
    ));
    let request = Request::builder()
        .method(method)
        .uri(path)
        .body(axum::body::Body::from(body))
        .unwrap();
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (
        status,
        serde_json::from_slice(&bytes).unwrap_or(Value::Null),
    )
}

#[tokio::test]
async fn refusals_are_problem_documents() {
    let large = format!("{{\"name\":\"{}\"}}", "x".repeat(70_000));
    for (method, path, body, status, slug) in [
        ("POST", "/greetings", "{", 400, "malformed-json"),
        ("POST", "/greetings/%FF", "", 400, "malformed-path"),
        ("POST", "/greetings", "{\"name\":1}", 422, "invalid-body"),
        (
            "POST",
            "/greetings",
            "{\"name\":\"a\",\"other\":1}",
            422,
            "invalid-body",
        ),
        ("POST", "/greetings", large.as_str(), 413, "body-too-large"),
        ("GET", "/greetings", "", 405, "method-not-allowed"),
        ("GET", "/elsewhere", "", 404, "not-found"),
    ] {
        let (found, document) = answer(method, path, body.to_owned()).await;
        assert_eq!(found.as_u16(), status, "{method} {path}");
        assert_eq!(document["type"], format!("/problems/{slug}"));
        assert_eq!(document["status"], status);
    }
}

fn message(id: &str, body: &str) -> SqsMessage {
    let mut message = SqsMessage::default();
    message.message_id = Some(id.to_owned());
    message.body = Some(body.to_owned());
    message
}

#[tokio::test]
async fn a_malformed_message_does_not_block_the_others() {
    let good = json!({
        "version": "0", "detail-type": "BusEvent.v1", "source": "s", "time": "2026-11-22T00:00:00Z", "detail": { "n": 7 }
    });
    let mut event = SqsEvent::default();
    event.records = vec![
        message("a", "{"),
        message("b", &good.to_string()),
        message("c", "[]"),
    ];
    let seen = std::cell::RefCell::new(Vec::new());
    let response = each(event, async |message| {
        let read = BusMessage::parse(message)?;
        seen.borrow_mut().push(read.detail::<Value>()?["n"].clone());
        Ok::<_, crate::queue::MessageError>(())
    })
    .await;
    assert_eq!(seen.into_inner(), [json!(7)]);
    let failed: Vec<_> = response
        .batch_item_failures
        .iter()
        .map(|failure| failure.item_identifier.as_str())
        .collect();
    assert_eq!(failed, ["a", "c"]);
}

#[test]
fn a_schedule_is_distinguished_from_records() {
    let scheduled = json!({ "detail-type": "Scheduled Event", "time": "2026-12-01T02:00:00Z", "source": "aws.events" });
    let trigger: Trigger<SqsEvent> = serde_json::from_value(scheduled).unwrap();
    assert!(
        matches!(trigger, Trigger::Schedule(Scheduled { time, .. }) if time.as_second() == 1_796_090_400)
    );
    let records = json!({ "Records": [] });
    assert!(matches!(
        serde_json::from_value(records).unwrap(),
        Trigger::<SqsEvent>::Records(_)
    ));
    assert!(
        serde_json::from_value::<Trigger<SqsEvent>>(json!({ "detail-type": "Other" })).is_err()
    );
}

#[test]
fn a_failure_does_not_reveal_its_cause() {
    let cause = std::io::Error::other("secret");
    let failure = Failure::of("Unavailable", &cause);
    assert_eq!(failure.kind(), "Unavailable");
    assert!(!failure.message().contains("secret"));
}

/// Serves a router, and returns its address.
async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, router).await });
    url
}

#[tokio::test]
async fn a_document_is_forwarded_unchanged_and_its_answer_is_bounded() {
    let echo = async |headers: axum::http::HeaderMap, body: String| {
        let key = headers["idempotency-key"].to_str().unwrap().to_owned();
        (
            StatusCode::SERVICE_UNAVAILABLE,
            [("retry-after", "7")],
            format!("{key} {body}"),
        )
    };
    let flood = async || "x".repeat(64 * 1024 + 1);
    let url = serve(
        Router::new()
            .route("/echo", post(echo))
            .route("/flood", post(flood)),
    )
    .await;
    let forwarder = Forwarder::new().unwrap();
    let headers = [("idempotency-key", "k1")];
    let answer = forwarder
        .post_json(&format!("{url}/echo"), &headers, b"{ \"a\": 1.0 }")
        .await
        .unwrap();
    assert_eq!((answer.status, answer.retry_after_s), (503, Some(7)));
    assert_eq!(answer.body, b"k1 { \"a\": 1.0 }");
    assert!(!format!("{answer:?}").contains("k1"));
    let flooded = forwarder
        .post_json(&format!("{url}/flood"), &[], b"{}")
        .await;
    assert!(
        matches!(flooded, Err(ForwardError::TooLarge)),
        "{flooded:?}"
    );
}

#[tokio::test]
async fn an_unreachable_api_is_an_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/signups", listener.local_addr().unwrap());
    drop(listener);
    let forwarder = Forwarder::new().unwrap();
    let answer = forwarder.post_json(&url, &[], b"{}").await;
    assert!(
        matches!(answer, Err(ForwardError::Unreachable(_))),
        "{answer:?}"
    );
    let answer = forwarder
        .post_json(&url, &[("idempotency-key", "line\nbreak")], b"{}")
        .await;
    assert!(
        matches!(answer, Err(ForwardError::Malformed(_))),
        "{answer:?}"
    );
}

#[test]
fn a_document_may_be_cached() {
    let response = crate::http::Document("{}").into_response();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(
        (
            header("content-type").as_str(),
            header("cache-control").as_str()
        ),
        ("application/json", "public, max-age=300")
    );
}

#[test]
fn a_seal_is_valid_only_for_its_onboarding_and_its_secret() {
    use crate::handover::Seal;
    let id = |last: u8| {
        format!("0b8d7a52-6d1e-4c59-8f7e-2f3f5c1d9a{last:02x}")
            .parse()
            .unwrap()
    };
    let (seal, other) = (Seal::new("a secret"), Seal::new("another secret"));
    let sealed = seal.of(&id(1)).unwrap();
    assert_eq!(sealed.len(), 64);
    assert!(
        seal.holds(&id(1), &sealed)
            && !seal.holds(&id(2), &sealed)
            && !other.holds(&id(1), &sealed)
    );
    for text in ["", "zz", &sealed[2..], &sealed[1..], "\u{e4}"] {
        assert!(!seal.holds(&id(1), text), "{text}");
    }
    let none = Seal::new("");
    assert!(none.of(&id(1)).is_none() && !none.holds(&id(1), &sealed));
}
