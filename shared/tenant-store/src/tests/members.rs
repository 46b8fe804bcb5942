//! Users, invitations and the audit trail.

use super::*;

/// Concurrent changes of one tenant never overwrite each other.
#[tokio::test]
async fn changes_of_one_tenant_are_serialised() {
    let world = world().await;
    let made = world.active(1).await;
    join_all((0..10).map(|n| {
        let (world, made) = (&world, &made);
        async move {
            world
                .invite(made, &format!("guest{n}@engines.example"), 1, 2_000 + n)
                .await
        }
    }))
    .await;
    let tenant = world
        .store
        .reader()
        .load_tenant(made.tenant.id)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((tenant.invitations, tenant.generation.as_u64()), (10, 12));
    let listed = world
        .store
        .reader()
        .list_invitations(made.tenant.id, None, 100)
        .await
        .unwrap();
    assert_eq!((listed.entries.len(), listed.next), (10, None));
}

#[tokio::test]
async fn an_invitation_is_accepted_once_by_concurrent_requests() {
    let world = world().await;
    let made = world.active(1).await;
    let old = world.invite(&made, "charles@engines.example", 1, 10).await;
    let code = world.invite(&made, "charles@engines.example", 2, 11).await;
    let refused = world.accept(&made, &old, 12).await;
    assert!(
        matches!(
            refused,
            Err(TenantStoreError::Refused(Refusal::NoInvitation))
        ),
        "the code was replaced"
    );
    let accepted = join_all((20..30).map(|n| world.accept(&made, &code, n))).await;
    assert_eq!(
        accepted.iter().filter(|accepted| accepted.is_ok()).count(),
        1
    );
    let reader = world.store.reader();
    assert_eq!(
        reader.load_invitation(code.invitation()).await.unwrap(),
        None
    );
    assert_eq!(
        reader
            .list_invitations(made.tenant.id, None, 10)
            .await
            .unwrap()
            .entries,
        []
    );
    let tenant = reader.load_tenant(made.tenant.id).await.unwrap().unwrap();
    assert_eq!((tenant.users, tenant.invitations), (2, 0));
}

#[tokio::test]
async fn pages_hold_every_entry_once() {
    let world = world().await;
    let made = world.active(1).await;
    for n in 0..5_u8 {
        let code = world
            .invite(
                &made,
                &format!("guest{n}@engines.example"),
                n,
                100 + u32::from(n),
            )
            .await;
        world
            .accept(&made, &code, 200 + u32::from(n))
            .await
            .unwrap();
    }
    let reader = world.store.reader();
    let (mut names, mut cursor, mut pages) = (Vec::new(), None, 0);
    loop {
        let page = reader
            .list_users(made.tenant.id, cursor.as_deref(), 2)
            .await
            .unwrap();
        names.extend(page.entries.iter().map(|user| user.username));
        pages += 1;
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    let sorted = names.is_sorted();
    names.dedup();
    assert!(
        sorted && names.len() == 6 && pages >= 3,
        "{names:?} on {pages} pages"
    );
    let trail = reader
        .list_audit(made.tenant.id, None, 100)
        .await
        .unwrap()
        .entries;
    assert!(
        trail.iter().rev().is_sorted_by_key(|entry| entry.at),
        "newest first"
    );
    let invited = trail
        .iter()
        .filter(|entry| entry.action == AuditAction::Invite)
        .count();
    let joined = trail
        .iter()
        .filter(|entry| entry.action == AuditAction::AcceptInvitation)
        .count();
    assert_eq!(
        (invited, joined, trail.len()),
        (5, 5, 12),
        "registered, activated, invited, joined"
    );
}

#[tokio::test]
async fn a_refusal_is_in_the_audit_trail() {
    let world = world().await;
    let made = world.active(1).await;
    let entry = AuditEntry {
        id: context(77).event,
        at: "2026-11-21T00:00:00Z".parse().unwrap(),
        actor: Actor::User(made.user.username),
        action: AuditAction::ListUsers,
        target: Some(tenant_id(9).to_string()),
        refused: Some("unknown-tenant".to_owned()),
    };
    world
        .store
        .record_audit(made.tenant.id, &entry)
        .await
        .unwrap();
    let trail = world
        .store
        .reader()
        .list_audit(made.tenant.id, None, 1)
        .await
        .unwrap();
    assert_eq!(trail.entries, [entry]);
    assert!(trail.next.is_some());
}
