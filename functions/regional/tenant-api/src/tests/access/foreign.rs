//! Ids of another tenant at every route.

use super::*;

/// Every route treats another tenant, a missing one and a malformed id alike, and each attempt is
/// in the audit trail of the caller's own tenant.
async fn assert_unknown_tenants(world: &World, token: &str, ids: [&str; 3]) {
    let [foreign, user, invitation] = ids;
    for (method, rest, text, action) in ROUTES {
        let action = serde_json::to_value(action).unwrap();
        let answer = world
            .send(
                token,
                method,
                &path(foreign, rest, user, invitation),
                &body(text),
            )
            .await;
        assert_eq!(slug(&answer), (404, "unknown-tenant"), "{method} {rest}");
        let unknown = "01935f6e-7b10-7c3a-8f21-000000000001";
        let same = world
            .send(
                token,
                method,
                &path(unknown, rest, user, invitation),
                &body(text),
            )
            .await;
        assert_eq!(
            (same.status, same.body),
            (answer.status, answer.body),
            "{method} {rest} of no tenant at all"
        );
        let malformed = world
            .send(
                token,
                method,
                &path("other", rest, user, invitation),
                &body(text),
            )
            .await;
        assert_eq!(slug(&malformed), (404, "unknown-tenant"), "{method} {rest}");
        let noted = world.refusals().await;
        for target in [Some(foreign.to_owned()), Some(unknown.to_owned()), None] {
            let entry = (action.clone(), target, "unknown-tenant".to_owned());
            assert!(noted.contains(&entry), "{entry:?} of {method} {rest}");
        }
    }
}

/// No route finds another tenant's items under the caller's own tenant.
async fn assert_unknown_subjects(world: &World, token: &str, ids: [&str; 2]) {
    let [user, invitation] = ids;
    for (method, rest, text, action) in ROUTES.iter().filter(|(_, rest, ..)| rest.contains('{')) {
        let own = world.tenant().to_string();
        let answer = world
            .send(
                token,
                method,
                &path(&own, rest, user, invitation),
                &body(text),
            )
            .await;
        let client = CLIENT.to_owned();
        let (problem, target) = match rest {
            _ if rest.contains("{user}") => ("unknown-user", user),
            _ if rest.contains("{client}") => ("unknown-client", client.as_str()),
            _ => ("unknown-invitation", invitation),
        };
        assert_eq!(slug(&answer), (404, problem), "{method} {rest}");
        let entry = (
            serde_json::to_value(action).unwrap(),
            Some(target.to_owned()),
            problem.to_owned(),
        );
        assert_eq!(
            world
                .refusals()
                .await
                .iter()
                .filter(|noted| **noted == entry)
                .count(),
            1,
            "{entry:?}"
        );
    }
}

/// The ids of another tenant are unknown to an administrator, and the attempts are recorded in the
/// audit trail of the administrator's own tenant only.
#[tokio::test]
async fn the_ids_of_another_tenant_are_unknown_everywhere() {
    let world = World::new().await;
    let (other, member, invitation) = world.other().await;
    let token = world.admin_token().await;
    let untouched = world.region.tenant(other.tenant.id).await;
    let trail = world.trail(other.tenant.id).await;
    let (foreign, user, invitation) = (
        other.tenant.id.to_string(),
        member.username.to_string(),
        invitation.to_string(),
    );
    assert_unknown_tenants(&world, &token, [&foreign, &user, &invitation]).await;

    assert_unknown_subjects(&world, &token, [&user, &invitation]).await;
    assert_eq!(world.region.tenant(other.tenant.id).await, untouched);
    assert_eq!(world.trail(other.tenant.id).await, trail);
    let reader = world.region.tenants.reader();
    assert_eq!(
        reader.load_user(member.username).await.unwrap(),
        Some(member)
    );
    assert!(
        reader
            .load_invitation(invitation.parse().unwrap())
            .await
            .unwrap()
            .is_some()
    );
}
