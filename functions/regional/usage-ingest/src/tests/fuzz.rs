//! Random requests are answered with success or a client error.

use super::*;
use axum::http::{HeaderName, HeaderValue};
use fastrand::Rng;
use flate2::Compression;
use flate2::read::GzEncoder;
use std::collections::BTreeMap;
use std::io::Read as _;
use testkit::{Throttle, ThrottledTable};
use tower::ServiceExt as _;

/// The default number of requests; `MERIDIAN_FUZZ_REQUESTS` overrides it.
const REQUESTS: u64 = 3_000;
const SEED: u64 = 1;
const NAMES: [&str; 9] = [
    "content-type",
    "content-encoding",
    "ce-specversion",
    "ce-id",
    "ce-source",
    "ce-type",
    "ce-subject",
    "ce-time",
    "ce-traceparent",
];
const VALUES: [&[u8]; 14] = [
    b"",
    b"1.0",
    b"%",
    b"%F0%9F%98%80",
    b"\"a\\\"",
    b"\xff\xfe",
    b"gzip",
    b"gzip, identity",
    b"application/json",
    b"application/cloudevents+json; charset=utf-16",
    b"application/cloudevents-batch+json",
    b"application/vnd.example+json",
    b"transfer.completed",
    b"2026-11-03T09:00:00Z",
];

/// Mutates the requests of the files in a few places each.
struct Changed {
    random: Rng,
    cases: Vec<String>,
}

impl Changed {
    async fn next(&mut self) -> axum::http::Request<axum::body::Body> {
        let case = self.random.choice(&self.cases).unwrap();
        let (mut parts, body) = runtime::http::request(case).unwrap().into_parts();
        let mut body = axum::body::to_bytes(body, 6_000_000)
            .await
            .unwrap()
            .to_vec();
        for _ in 0..self.random.u8(..3) {
            self.damage(&mut body);
        }
        if self.random.u8(..8) == 0 {
            let plain = std::mem::take(&mut body);
            GzEncoder::new(plain.as_slice(), Compression::fast())
                .read_to_end(&mut body)
                .unwrap();
            parts
                .headers
                .insert("content-encoding", HeaderValue::from_static("gzip"));
        }
        for _ in 0..self.random.u8(..3) {
            let name = HeaderName::from_static(self.random.choice(NAMES).unwrap());
            let value = HeaderValue::from_bytes(self.random.choice(VALUES).unwrap()).unwrap();
            match self.random.u8(..3) {
                0 => drop(parts.headers.remove(name)),
                1 => drop(parts.headers.append(name, value)),
                _ => drop(parts.headers.insert(name, value)),
            }
        }
        if self.random.bool() {
            parts.uri = "/api/v1/events".parse().unwrap();
        }
        axum::http::Request::from_parts(parts, axum::body::Body::from(body))
    }

    fn damage(&mut self, body: &mut Vec<u8>) {
        let at = self.random.usize(..=body.len());
        match self.random.u8(..4) {
            0 => body.truncate(at),
            1 => body.insert(at, self.random.u8(..)),
            2 => drop(body.splice(at..at, b"[".repeat(self.random.usize(..2_000)))),
            _ if at < body.len() => body[at] = self.random.u8(..),
            _ => {}
        }
    }
}

/// Random gateway events, including forms that API Gateway never sends.
#[tokio::test]
async fn random_gateway_events_are_answered() {
    let world = world().await;
    let usual = testkit::cases("usage-ingest")
        .into_iter()
        .map(|case| case.payload)
        .collect();
    let mut odd = testkit::OddEvents::new(SEED, usual);
    for _ in 0..500 {
        let event = odd.next_event().replace("usage-token", &world.usage_token);
        let status = runtime::http::respond(world.router.clone(), &event)
            .await
            .status();
        assert!(!status.is_server_error(), "{status} to {event}");
    }
}

#[tokio::test]
async fn random_requests_are_answered() {
    let world = world().await;
    let table = ThrottledTable::start(Throttle::Rate, 0).await;
    let tokens = Tokens::new(
        &world.aws.config,
        &world.pool.id,
        world.pool.machine_client_id.clone(),
    )
    .unwrap();
    let tenants = TermsReader::new(&world.aws.config, world.regional_table.clone());
    let usage = UsageReader::new(&table.config, "usage".to_owned());
    let router = routes(
        tokens,
        tenants,
        SegmentWriter::new(&table.config, "usage".to_owned()),
        usage,
    );
    // The gateway itself refuses these requests; random events have their own test.
    let cases = testkit::cases("usage-ingest")
        .into_iter()
        .filter(|case| case.name != "invalid-host");
    let cases = cases
        .map(|case| {
            case.payload
                .to_string()
                .replace("usage-token", &world.usage_token)
        })
        .collect();
    let mut changed = Changed {
        random: Rng::with_seed(SEED),
        cases,
    };
    let wanted =
        std::env::var_os("MERIDIAN_FUZZ_REQUESTS").and_then(|text| text.to_str()?.parse().ok());
    let mut answers: BTreeMap<(u16, String), u64> = BTreeMap::new();
    for number in 1..=wanted.unwrap_or(REQUESTS) {
        let request = changed.next().await;
        let asked = format!("{number}: {request:?}");
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 6_000_000)
            .await
            .unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let kind = body["type"].as_str().unwrap_or_default().to_owned();
        assert!(
            status < 500 && (status < 300 || !kind.is_empty()),
            "{status} {body} to {asked}"
        );
        *answers.entry((status, kind)).or_default() += 1;
        if number % 50_000 == 0 {
            println!("{number} requests");
        }
    }
    println!("{answers:#?}");
    let statuses: std::collections::BTreeSet<u16> =
        answers.keys().map(|(status, _)| *status).collect();
    assert!(
        [200, 204, 400, 401, 405, 413, 415, 422]
            .iter()
            .all(|status| statuses.contains(status)),
        "{answers:?}"
    );
}
