use super::{answer, request, respond};
use crate::http::{Body, Now, Source, with_fallbacks};
use axum::Router;
use axum::body::to_bytes;
use axum::extract::Path;
use axum::http::header::{CONTENT_ENCODING, SET_COOKIE};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{AppendHeaders, IntoResponse as _};
use axum::routing::{any as any_method, get, post};
use proptest::prelude::*;
use serde_json::{Value, json};

fn event() -> Value {
    json!({
        "version": "2.0",
        "rawPath": "/echo",
        "rawQueryString": "",
        "headers": { "host": "api.example.com", "accept": "*/*" },
        "requestContext": {
            "http": { "method": "GET", "path": "/echo", "sourceIp": "192.0.2.1" },
            "timeEpoch": 1_796_090_400_000_i64,
        },
        "isBase64Encoded": false,
    })
}

fn router() -> Router {
    let echo = async |uri: Uri, headers: HeaderMap, body: axum::body::Bytes| {
        let cookie = headers
            .get("cookie")
            .map_or("", |cookie| cookie.to_str().unwrap())
            .to_owned();
        format!("{uri} {cookie} {}", String::from_utf8_lossy(&body))
    };
    with_fallbacks(
        Router::new()
            .route("/echo", any_method(echo))
            .route("/parts/{part}", get(async |Path(part): Path<String>| part))
            .route(
                "/json",
                post(async |Body(value): Body<Value>| value.to_string()),
            )
            .route(
                "/from",
                get(async |Now(now): Now, source: Source| format!("{now} {}", source.expose())),
            ),
    )
}

async fn ask(event: &Value) -> (u16, String) {
    let response = respond(router(), &event.to_string()).await;
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let slug = serde_json::from_str::<Value>(&text)
        .ok()
        .and_then(|problem| problem["type"].as_str().map(str::to_owned));
    (
        status,
        slug.map_or(text, |slug| slug.replace("/problems/", "")),
    )
}

/// The event with one member replaced.
fn with(pointer: &str, value: Value) -> Value {
    let mut event = event();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    event.pointer_mut(parent).unwrap()[member] = value;
    event
}

fn malformed() -> (u16, String) {
    (400, "malformed-request".to_owned())
}

/// The events on which `lambda_http` panicked (aws-lambda-rust-runtime 368, 488 and 515), and
/// similar ones.
#[tokio::test]
async fn a_malformed_origin_is_refused() {
    for host in [
        "xn--a.localhost",
        "127.0.0.1:99999",
        "a:b",
        "a:-1",
        "a:80:80",
        "a b",
        "",
        ":80",
        "[::1]",
        "[",
        "a/b",
        "a?b",
        "a#b",
        "user@a.example",
        "a%41.example",
        "ä.example",
        "a\\b",
        "xn--.example",
        "a,b.example",
        "a.example, b.example",
    ] {
        assert_eq!(
            ask(&with("/headers/host", json!(host))).await,
            malformed(),
            "host {host:?}"
        );
    }
    for proto in [
        "a b",
        "",
        "https://",
        "1http",
        "https,",
        "ä",
        "https;http",
        "a/b",
    ] {
        assert_eq!(
            ask(&with("/headers/x-forwarded-proto", json!(proto))).await,
            malformed(),
            "proto {proto:?}"
        );
    }
}

/// Members of another type or character set than the gateway's.
#[tokio::test]
async fn a_malformed_member_is_refused() {
    for (pointer, value) in [
        ("/headers/a b", json!("x")),
        ("/headers/", json!("x")),
        ("/headers/ä", json!("x")),
        ("/headers/x", json!("a\nb")),
        ("/headers/x", json!("a\u{0}b")),
        ("/headers/x", json!("a\u{7f}b")),
        ("/headers/x", json!(7)),
        ("/headers/x", Value::Null),
        ("/headers/x", json!(["a"])),
        ("/headers", json!([])),
        ("/headers", json!("x")),
        ("/cookies", json!(["a\nb"])),
        ("/cookies", json!([7])),
        ("/cookies", json!("a=b")),
        ("/rawPath", json!("echo")),
        ("/rawPath", json!("*")),
        ("/rawPath", json!("http://a/b")),
        ("/rawPath", json!(7)),
        ("/rawPath", json!(format!("/{}", "a".repeat(70_000)))),
        ("/rawQueryString", json!("a=1&a=2")),
        ("/rawQueryString", json!("a=1&%61=2")),
        ("/rawQueryString", json!({})),
        ("/rawQueryString", json!("a".repeat(70_000))),
        ("/requestContext/http/method", json!("")),
        ("/requestContext/http/method", json!("G T")),
        ("/requestContext/http/method", json!("GÉT")),
        ("/requestContext/http/method", Value::Null),
        ("/requestContext/http", json!({})),
        ("/requestContext", Value::Null),
        ("/requestContext/timeEpoch", json!("now")),
        ("/requestContext/timeEpoch", json!(1e300)),
        ("/requestContext/http/sourceIp", json!(7)),
        ("/body", json!({})),
        ("/isBase64Encoded", json!("yes")),
    ] {
        assert_eq!(
            ask(&with(pointer, value.clone())).await,
            malformed(),
            "{pointer} {value}"
        );
    }
    let mut event = with("/body", json!("no base64!"));
    event["isBase64Encoded"] = json!(true);
    assert_eq!(ask(&event).await, malformed());
}

#[tokio::test]
async fn a_document_that_is_not_an_event_is_refused() {
    for text in [
        "",
        "null",
        "7",
        "\"a\"",
        "[]",
        "{}",
        "{",
        &"[".repeat(100_000),
        "{\"requestContext\":{\"http\":{}}}",
    ] {
        assert_eq!(
            request(text).unwrap_err().slug(),
            "malformed-request",
            "{}",
            text.len()
        );
    }
    let headers: serde_json::Map<_, _> = (0..40_000)
        .map(|at| (format!("h{at}"), json!("x")))
        .collect();
    assert_eq!(
        ask(&with("/headers", json!(headers))).await,
        malformed(),
        "too many headers"
    );
}

#[tokio::test]
async fn a_well_formed_origin_is_accepted() {
    for host in [
        "api.example.com",
        "API.Example.com:443",
        "a.example.",
        "localhost:0",
        "not_a_subdomain.example",
        ".app.example.com",
        "a..b",
        "127.0.0.1:65535",
        "xn--bcher-kva.example",
        "abc123.execute-api.eu-central-1.amazonaws.com",
    ] {
        assert_eq!(
            ask(&with("/headers/host", json!(host))).await.0,
            200,
            "{host}"
        );
    }
    for proto in ["https", "http", "https,https", "HTTPS, http"] {
        assert_eq!(
            ask(&with("/headers/x-forwarded-proto", json!(proto)))
                .await
                .0,
            200,
            "{proto}"
        );
    }
}

#[tokio::test]
async fn a_well_formed_member_arrives_as_it_was_sent() {
    for (pointer, value, expected) in [
        (
            "/rawQueryString",
            json!("a=1&b=%20&c"),
            "/echo?a=1&b=%20&c  ",
        ),
        (
            "/rawQueryString",
            json!("a=ä b#c"),
            "/echo?a=%C3%A4%20b%23c  ",
        ),
        ("/rawQueryString", Value::Null, "/echo  "),
        ("/cookies", json!(["a=1", "b=2"]), "/echo a=1; b=2 "),
        ("/cookies", Value::Null, "/echo  "),
        ("/body", json!("text ä"), "/echo  text ä"),
        ("/body", Value::Null, "/echo  "),
        ("/headers", Value::Null, "/echo  "),
        ("/stageVariables", json!([1, { "a": null }]), "/echo  "),
        ("/pathParameters", json!("x"), "/echo  "),
        ("/isBase64Encoded", Value::Null, "/echo  "),
        ("/requestContext/timeEpoch", json!(-1), "/echo  "),
        ("/requestContext/timeEpoch", json!(i64::MAX), "/echo  "),
        ("/requestContext/http/method", json!("TRACE"), "/echo  "),
    ] {
        assert_eq!(
            ask(&with(pointer, value.clone())).await,
            (200, expected.to_owned()),
            "{pointer} {value}"
        );
    }
    let mut event = with("/body", json!("w6Q="));
    event["isBase64Encoded"] = json!(true);
    assert_eq!(ask(&event).await.1, "/echo  ä");
}

#[tokio::test]
async fn a_path_is_decoded_once() {
    for (path, expected) in [
        ("/parts/a b", (200, "a b")),
        ("/parts/ä", (200, "ä")),
        ("/parts/a%2Fb", (200, "a/b")),
        ("/parts/a?b#c", (200, "a?b#c")),
        ("/parts/%FF", (400, "malformed-path")),
        ("/parts/{a}", (200, "{a}")),
        ("/parts/100%", (200, "100%")),
        ("/parts/a/../b", (404, "not-found")),
        ("//parts/a", (404, "not-found")),
        ("", (404, "not-found")),
    ] {
        let (status, text) = ask(&with("/rawPath", json!(path))).await;
        assert_eq!((status, text.as_str()), expected, "{path}");
    }
}

#[tokio::test]
async fn a_request_has_the_time_and_the_address_of_the_gateway() {
    assert_eq!(
        ask(&with("/rawPath", json!("/from"))).await.1,
        "2026-12-01T02:00:00Z 192.0.2.1"
    );
    // Adding a duration to a time near the maximum would overflow.
    let mut event = with("/requestContext/timeEpoch", json!(253_402_207_200_000_i64));
    event["rawPath"] = json!("/from");
    assert!(!ask(&event).await.1.starts_with("9999"));
}

#[tokio::test]
async fn an_answer_has_the_gateways_form() {
    let respond = async || {
        let headers = [
            ("x-a", "1"),
            ("x-a", "2"),
            (SET_COOKIE.as_str(), "a=1"),
            (SET_COOKIE.as_str(), "b=2"),
        ];
        (StatusCode::CREATED, AppendHeaders(headers), "text ä").into_response()
    };
    let inflated = async || ([(CONTENT_ENCODING, "gzip")], "looks like text").into_response();
    let router = Router::new()
        .route("/echo", get(respond))
        .route("/bytes", get(async || vec![0_u8, 255]))
        .route("/gzip", get(inflated))
        .route("/none", get(async || StatusCode::NO_CONTENT));
    let of = async |path: &str| {
        let answer = answer(router.clone(), &with("/rawPath", json!(path)).to_string()).await;
        serde_json::to_value(answer).unwrap()
    };
    let text = of("/echo").await;
    assert_eq!(
        (&text["statusCode"], &text["headers"]["x-a"]),
        (&json!(201), &json!("1, 2"))
    );
    assert_eq!(
        (&text["cookies"], &text["body"]),
        (&json!(["a=1", "b=2"]), &json!("text ä"))
    );
    assert_eq!(
        (&text["isBase64Encoded"], &text["headers"]["set-cookie"]),
        (&json!(false), &Value::Null)
    );
    let bytes = of("/bytes").await;
    assert_eq!(
        (&bytes["body"], &bytes["isBase64Encoded"]),
        (&json!("AP8="), &json!(true))
    );
    assert_eq!(of("/gzip").await["isBase64Encoded"], json!(true));
    assert_eq!(
        (&of("/none").await["body"], &of("/none").await["statusCode"]),
        (&json!(""), &json!(204))
    );
}

proptest! {
    #[test]
    fn every_event_is_answered(
        host in "\\PC{0,20}|[a-z0-9.:\\[\\]-]{0,20}",
        name in "\\PC{0,8}",
        value in any::<String>(),
        path in any::<String>(),
        query in any::<String>(),
        body in any::<String>(),
        is_base64 in any::<bool>(),
    ) {
        let mut event = event();
        event["headers"] = json!({ "host": host, name: value.clone(), "x-forwarded-proto": value });
        event["rawPath"] = json!(format!("/{path}"));
        event["rawQueryString"] = json!(query);
        event["body"] = json!(body);
        event["isBase64Encoded"] = json!(is_base64);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (status, slug) = runtime.block_on(ask(&event));
        prop_assert!(status < 500, "{} {}", status, slug);
    }
}
