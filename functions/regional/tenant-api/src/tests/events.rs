//! The files of `events/tenant-api`.

use super::*;

const ODD_EVENTS: usize = 300;
/// The code of the closure that the files undo.
const CODE: &str = "0123456789abcdef0123456789abcdef";

fn expected(name: &str) -> (u16, &'static str) {
    match name {
        "valid-invitation" | "valid-invitation-again" | "valid-client" | "valid-administrator" => {
            (201, "")
        }
        "valid-plan-change" | "valid-closure" | "valid-address" => (202, ""),
        "valid-user-removal"
        | "valid-address-release"
        | "valid-removal-of-oneself"
        | "valid-withdrawal" => (204, ""),
        "invalid-token-missing"
        | "invalid-token-malformed"
        | "invalid-token-of-a-service"
        | "invalid-administrator-by-administrator"
        | "invalid-administrator-by-service"
        | "invalid-undo-without-token-or-code" => (401, "unauthorized"),
        "invalid-tenant-malformed"
        | "invalid-other-tenant"
        | "invalid-administrator-of-unknown-tenant"
        | "invalid-entitlements-of-another-tenant"
        | "invalid-usage-of-another-tenant" => (404, "unknown-tenant"),
        "invalid-usage-unknown-meter"
        | "invalid-usage-window"
        | "invalid-alert-thresholds-percent" => (422, "invalid-fields"),
        "invalid-usage-not-answerable" => (422, "not-answerable"),
        "invalid-client-without-key" => (400, "idempotency-key-missing"),
        "invalid-client-key-malformed" => (400, "idempotency-key-malformed"),
        "invalid-client-without-scopes" | "invalid-identity-provider-issuer" => {
            (422, "invalid-fields")
        }
        "invalid-client-unknown-scope" => (422, "invalid-body"),
        "invalid-unknown-client" | "invalid-rotation-of-unknown-client" => (404, "unknown-client"),
        "invalid-no-identity-provider" => (404, "no-identity-provider"),
        "invalid-member-lists-users"
        | "invalid-member-removes-admin"
        | "invalid-alert-thresholds-by-member" => (403, "admins-only"),
        "invalid-organisation-empty"
        | "invalid-subdomain-reserved"
        | "invalid-limit"
        | "invalid-cursor"
        | "invalid-administrator-email"
        | "invalid-email" => (422, "invalid-fields"),
        "invalid-malformed-json" => (400, "malformed-json"),
        "invalid-unknown-field" | "invalid-unknown-role" => (422, "invalid-body"),
        "invalid-unknown-user" | "invalid-user-malformed" => (404, "unknown-user"),
        "invalid-unknown-invitation" | "invalid-invitation-malformed" => {
            (404, "unknown-invitation")
        }
        "invalid-last-admin-demoted" | "invalid-last-admin-removed" => (409, "last-admin"),
        "invalid-already-member" => (409, "already-member"),
        "invalid-unknown-plan" => (422, "unknown-plan"),
        "invalid-undo-of-nothing" => (409, "tenant-not-closing"),
        "invalid-undo-with-wrong-code" => (422, "wrong-code"),
        "invalid-host" => (400, "malformed-request"),
        "invalid-method" => (405, "method-not-allowed"),
        "invalid-path" => (404, "not-found"),
        valid if valid.starts_with("valid-") => (200, ""),
        other => panic!("{other} has no expected answer"),
    }
}

/// A refusal changes nothing but the audit trail, to which it adds one entry when its bearer is
/// known.
#[tokio::test]
async fn every_event_gets_its_response() {
    for Case { name, payload } in testkit::cases("tenant-api") {
        let world = World::new().await;
        let service =
            testkit::machine_token(&world.region.aws, &world.people.pool, "usage/write").await;
        let payload = payload
            .to_string()
            .replace("admin-token", &world.admin_token().await)
            .replace("member-token", &world.token(world.charles.username).await)
            .replace("service-token", &service)
            .replace("operator-token", &world.operator_token().await);
        if name.starts_with("valid-undo") {
            world
                .region
                .close(world.tenant(), &digest(CODE), earlier())
                .await;
        }
        let (tenant, trail) = (
            world.region.tenant(world.tenant()).await,
            world.trail(world.tenant()).await,
        );
        let answer = invoke(
            world.api(Without::Nothing),
            &serde_json::from_str(&payload).unwrap(),
        )
        .await;
        assert_eq!(slug(&answer), expected(&name), "{name}: {}", answer.body);
        if answer.status >= 400 {
            assert_eq!(
                answer.headers["content-type"], "application/problem+json",
                "{name}"
            );
            assert_eq!(
                world.region.tenant(world.tenant()).await,
                tenant,
                "{name} changes nothing"
            );
            let unrecorded = ["entitlements", "usage", "administrator-"]
                .iter()
                .any(|part| name.contains(part))
                && !name.contains("thresholds");
            let known = !matches!(answer.status, 401 | 405)
                && !["invalid-path", "invalid-host"].contains(&name.as_str())
                && !unrecorded;
            let anonymous = name == "invalid-undo-with-wrong-code";
            let added = world.trail(world.tenant()).await.len() - trail.len();
            assert_eq!(
                added,
                usize::from(known && !anonymous),
                "{name} is in the trail"
            );
        }
    }
}

/// The payload with tokens of the world's own people.
async fn with_tokens(world: &World, payload: &str) -> String {
    let admin = world.admin_token().await;
    payload
        .replace("admin-token", &admin)
        .replace("member-token", &world.token(world.charles.username).await)
}

#[tokio::test]
async fn a_json_array_is_not_accepted_as_an_object() {
    let world = World::new().await;
    let before = world.region.tenant(world.tenant()).await;
    for Case { name, payload } in testkit::by_position("tenant-api") {
        let payload = with_tokens(&world, &payload.to_string()).await;
        let answer = invoke(
            world.api(Without::Nothing),
            &serde_json::from_str(&payload).unwrap(),
        )
        .await;
        assert_eq!(
            slug(&answer),
            (422, "invalid-body"),
            "{name}: {}",
            answer.body
        );
    }
    assert_eq!(world.region.tenant(world.tenant()).await, before);
}

#[tokio::test]
async fn every_odd_event_gets_a_response() {
    let world = World::new().await;
    let mut usual = Vec::new();
    for case in testkit::cases("tenant-api") {
        usual.push(
            serde_json::from_str(&with_tokens(&world, &case.payload.to_string()).await).unwrap(),
        );
    }
    let mut odd = testkit::OddEvents::new(1, usual);
    for _ in 0..ODD_EVENTS {
        let event = odd.next_event();
        let status = runtime::http::respond(world.api(Without::Nothing), &event)
            .await
            .status();
        assert!(!status.is_server_error(), "{status} to {event}");
    }
}
