//! The forms and the limits of a request.

use super::*;
use crate::body::inflate;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use metering::BODY_BYTES_MAX;
use std::io::Write as _;

const OWN: &str = TENANTS[0].0;

/// A request with a compressed body, in the gateway's event.
fn compressed(bytes: &[u8]) -> Value {
    let mut payload = batch(&[]);
    payload["headers"]["content-encoding"] = json!("gzip");
    payload["body"] = json!(BASE64_STANDARD.encode(bytes));
    payload["isBase64Encoded"] = json!(true);
    payload
}

fn gzip(parts: &[&[u8]]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for part in parts {
        encoder.write_all(part).unwrap();
    }
    encoder.finish().unwrap()
}

fn to_openmeter(mut payload: Value) -> Value {
    payload["rawPath"] = json!("/api/v1/events");
    payload
}

fn slug(answer: &Answer) -> &str {
    answer.body["type"]
        .as_str()
        .unwrap_or_default()
        .trim_start_matches("/problems/")
}

fn rejected(answer: &Answer) -> Vec<(u64, &str)> {
    let rejected = answer.body["rejected"].as_array().unwrap().iter();
    rejected
        .map(|one| {
            (
                one["index"].as_u64().unwrap(),
                one["reason"].as_str().unwrap(),
            )
        })
        .collect()
}

#[tokio::test]
async fn binary_mode_is_answered_like_one_structured_event() {
    let world = world().await;
    let (binary, structured) = (
        world.send(&case("valid-binary")).await,
        world.send(&case("valid-single")).await,
    );
    assert_eq!(
        (binary.status, &binary.body),
        (200, &json!({ "accepted": 1, "rejected": [] }))
    );
    assert_eq!(binary.body, structured.body);
    let answer = world.send(&case("invalid-binary-missing-header")).await;
    assert_eq!(
        (rejected(&answer), answer.body["title"].as_str()),
        (vec![(0, "missing-field")], Some("The event is refused"))
    );
    assert_eq!(
        rejected(&world.send(&case("invalid-binary-header")).await),
        [(0, "invalid-header")]
    );
}

#[tokio::test]
async fn a_compressed_body_has_the_same_meaning_and_the_same_limits() {
    let world = world().await;
    let body = serde_json::to_vec(&[event(OWN, "a"), event(OWN, "b")]).unwrap();
    let whole = gzip(&[&body]);
    let answer = world.send(&compressed(&whole)).await;
    assert_eq!(answer.body, json!({ "accepted": 2, "rejected": [] }));

    let members = [gzip(&[&body[..40]]), gzip(&[]), gzip(&[&body[40..]])].concat();
    assert_eq!(
        world.send(&compressed(&members)).await.body["accepted"],
        2,
        "every member of it"
    );
    let padding = vec![b' '; BODY_BYTES_MAX - body.len()];
    assert_eq!(
        world
            .send(&compressed(&gzip(&[&padding, &body])))
            .await
            .status,
        200,
        "as much as may be"
    );

    let answer = world
        .send(&compressed(&gzip(&[&padding, &body, b" "])))
        .await;
    assert_eq!(
        (answer.status, slug(&answer)),
        (413, "body-too-large"),
        "one byte more"
    );
    let mebibyte = vec![b' '; 1 << 20];
    let bomb = gzip(&[mebibyte.as_slice(); 512]);
    assert!(
        bomb.len() < 600_000,
        "{} bytes stand for 512 MiB",
        bomb.len()
    );
    let answer = world.send(&compressed(&bomb)).await;
    let limits = (&answer.body["bytes_max"], &answer.body["events_max"]);
    assert_eq!(
        (answer.status, limits),
        (413, (&json!(4_194_304), &json!(1_000)))
    );
    let mut rest = bomb.as_slice();
    assert!(inflate(&mut rest).is_err());
    assert!(
        rest.len() > bomb.len() * 98 / 100,
        "{} bytes of it are left",
        rest.len()
    );

    let mut damaged = whole.clone();
    let checksum = damaged.len() - 5;
    damaged[checksum] ^= 1;
    let trailing = [&whole[..], b"rest"].concat();
    for malformed in [
        &b""[..],
        b"[]",
        &whole[..whole.len() - 1],
        &whole[..5],
        &damaged,
        &trailing,
    ] {
        let answer = world.send(&compressed(malformed)).await;
        assert_eq!(
            (answer.status, slug(&answer)),
            (400, "malformed-gzip"),
            "{malformed:?}"
        );
    }
}

#[tokio::test]
async fn an_unsupported_encoding_is_refused_with_the_supported_ones() {
    let world = world().await;
    for (coding, status) in [
        ("GZIP", 400),
        ("x-gzip", 400),
        ("identity", 200),
        ("br", 415),
        ("gzip, gzip", 415),
        ("deflate", 415),
        ("", 415),
    ] {
        let mut payload = batch(&[event(OWN, "a")]);
        payload["headers"]["content-encoding"] = json!(coding);
        let answer = world.send(&payload).await;
        let named = (status == 415).then_some("gzip, identity");
        assert_eq!(
            (answer.status, answer.accept_encoding.as_deref()),
            (status, named),
            "{coding}"
        );
    }
}

#[tokio::test]
async fn a_problem_names_the_exceeded_limits() {
    let world = world().await;
    let mut payload = batch(&[event(OWN, "a")]);
    let events = payload["body"].as_str().unwrap().to_owned();
    payload["body"] = json!(format!(
        "{}{events}",
        " ".repeat(BODY_BYTES_MAX - events.len())
    ));
    assert_eq!(world.send(&payload).await.status, 200, "as much as may be");
    payload["body"] = json!(format!(
        "{}{events}",
        " ".repeat(BODY_BYTES_MAX - events.len() + 1)
    ));
    for payload in [payload, case("invalid-too-many-events")] {
        let answer = world.send(&payload).await;
        let limits = (&answer.body["events_max"], &answer.body["bytes_max"]);
        assert_eq!(
            (answer.status, limits),
            (413, (&json!(1_000), &json!(4_194_304)))
        );
    }
}

#[tokio::test]
async fn conflicting_events_of_one_batch_are_rejected() {
    let world = world().await;
    let answer = world.send(&case("valid-batch-with-conflict")).await;
    assert_eq!(
        (answer.body["accepted"].as_u64(), rejected(&answer)),
        (Some(2), vec![(1, "conflict")])
    );
    let answer = world.send(&case("valid-batch-with-repetition")).await;
    assert_eq!(
        (answer.body["accepted"].as_u64(), rejected(&answer)),
        (Some(3), vec![])
    );
}

#[tokio::test]
async fn the_openmeter_route_answers_422_when_any_event_is_rejected() {
    let world = world().await;
    let answer = world.send(&case("valid-openmeter-batch")).await;
    assert_eq!((answer.status, &answer.body), (204, &Value::Null));
    assert_eq!(world.stored("SEGMENT#").await, 1);

    let mut timeless = event(OWN, "c");
    timeless.as_object_mut().unwrap().remove("time");
    let answer = world
        .send(&to_openmeter(batch(&[
            event(OWN, "a"),
            timeless,
            event(OWN, "b"),
        ])))
        .await;
    assert_eq!(
        (answer.status, slug(&answer), &answer.body["accepted"]),
        (422, "events-refused", &json!(2))
    );
    assert_eq!(rejected(&answer), [(1, "missing-field")]);
    assert_eq!(answer.body["title"], "Some events of the batch are refused");
    assert_eq!(world.stored("SEGMENT#").await, 2, "the others are stored");

    let answer = world.send(&to_openmeter(case("invalid-every-event"))).await;
    assert_eq!((answer.status, &answer.body["accepted"]), (422, &json!(0)));
    assert_eq!(world.send(&to_openmeter(batch(&[]))).await.status, 204);
}

/// A derived deserializer would accept a list of the fields of an event or a correction. Only data
/// may be a list.
#[tokio::test]
async fn a_list_is_not_accepted_for_an_object() {
    let world = world().await;
    let is_data = |case: &testkit::Case| {
        case.name.contains("data by position")
            || case.payload["headers"].get("ce-specversion").is_some()
    };
    for case in testkit::by_position("usage-ingest")
        .into_iter()
        .filter(|case| !is_data(case))
    {
        let answer = world.send(&case.payload).await;
        let refused = answer.body["rejected"]
            .as_array()
            .is_some_and(|rejected| !rejected.is_empty());
        assert!(
            (400..500).contains(&answer.status) || refused,
            "{}: {} {}",
            case.name,
            answer.status,
            answer.body
        );
    }
}
