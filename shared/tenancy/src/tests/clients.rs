//! Machine clients.

use super::*;
use kernel::MachineScope;

fn id(n: u8) -> ClientId {
    ClientId::of(ids().tenant, &KeyDigest::of("test", &n.to_string()))
}

fn request(n: u8, replaces: Option<u8>) -> ClientWish {
    let scopes = vec![MachineScope::UsageWrite];
    ClientWish {
        id: id(n),
        scopes,
        replaces: replaces.map(id),
        by: sign_up().user.username,
    }
}

/// The clients that are stored after a change set.
fn stored(clients: &[MachineClient], changes: &ChangeSet) -> Vec<MachineClient> {
    let mut clients = clients.to_vec();
    for change in &changes.members {
        match change {
            MemberChange::Client(client) => {
                clients.retain(|known| known.id != client.id);
                clients.push((**client).clone());
            }
            MemberChange::DeleteClient(client) => clients.retain(|known| known.id != client.id),
            other => panic!("{other:?}"),
        }
    }
    clients
}

/// Creates a client: the request, then the record that the identity provider has it.
fn make(
    state: &State,
    clients: &[MachineClient],
    request: &ClientWish,
) -> Result<Vec<MachineClient>, Refusal> {
    let begun = stored(
        clients,
        &decide_client(state, clients, request, &context())?,
    );
    let name = format!("made-{}", request.id);
    let made = decide_client_made(state, &begun, request.id, &name, &context())?.unwrap();
    Ok(stored(&begun, &made))
}

#[test]
fn at_most_five_clients_are_in_use_and_a_successor_takes_its_predecessors_place() {
    let active = state(TenantStatus::Active);
    let mut clients = Vec::new();
    for n in 1..=5 {
        clients = make(&active, &clients, &request(n, None)).unwrap();
    }
    let check = |clients: &[MachineClient], n, replaces: Option<u8>, expected: Option<Refusal>| {
        let decided = decide_client(&active, clients, &request(n, replaces), &context());
        assert_eq!(decided.err(), expected, "{n} for {replaces:?}");
    };
    check(&clients, 6, None, Some(Refusal::TooManyClients));
    check(&clients, 6, Some(9), Some(Refusal::NoClient));
    for n in 1..=5 {
        check(&clients, 10 + n, Some(n), None);
        let begun = stored(
            &clients,
            &decide_client(&active, &clients, &request(10 + n, Some(n)), &context()).unwrap(),
        );
        check(&begun, 20 + n, Some(n), Some(Refusal::ClientEnds));
        check(&begun, 6, None, Some(Refusal::TooManyClients));
        check(&begun, 30, Some(10 + n), Some(Refusal::ClientEnds));
        clients = make(&active, &clients, &request(10 + n, Some(n))).unwrap();
        check(&clients, 20 + n, Some(n), Some(Refusal::ClientEnds));
    }
    check(&clients, 30, Some(11), Some(Refusal::TooManyClients));
    assert_eq!(
        clients
            .iter()
            .filter(|client| client.ends_at.is_none())
            .count(),
        CLIENTS_MAX
    );
    assert_eq!(clients.len(), CLIENTS_KEPT_MAX);
}

#[test]
fn only_an_active_tenant_gets_clients() {
    for status in TenantStatus::ALL {
        let decided = decide_client(&state(status), &[], &request(1, None), &context());
        assert_eq!(decided.is_ok(), status == TenantStatus::Active, "{status}");
    }
}

#[test]
fn a_replaced_client_ends_in_a_day_by_a_scheduled_task() {
    let active = state(TenantStatus::Active);
    let clients = make(&active, &[], &request(1, None)).unwrap();
    let begun = stored(
        &clients,
        &decide_client(&active, &clients, &request(2, Some(1)), &context()).unwrap(),
    );
    let made = decide_client_made(&active, &begun, id(2), "second", &context())
        .unwrap()
        .unwrap();
    let end = crate::settings::after(context().now, ROTATION);
    assert_eq!(
        made.due,
        [ScheduledTask {
            at: end,
            kind: TaskKind::Clients,
            tenant: ids().tenant
        }]
    );
    let clients = stored(&begun, &made);
    let old = clients.iter().find(|client| client.id == id(1)).unwrap();
    assert!(
        old.may(MachineScope::UsageWrite, context().now)
            && !old.may(MachineScope::TenantRead, context().now)
    );
    assert!(!old.may(MachineScope::UsageWrite, end) && old.has_ended(end));
    assert_eq!(
        decide_client_made(&active, &clients, id(2), "third", &context()),
        Ok(None),
        "it is created once"
    );
    assert_eq!(
        decide_client_made(&active, &clients, id(3), "third", &context()),
        Err(Refusal::NoClient)
    );
}

#[test]
fn a_revoked_client_ends_at_once_and_once() {
    let active = state(TenantStatus::Active);
    let clients = make(&active, &[], &request(1, None)).unwrap();
    let by = sign_up().user.username;
    let revoked = decide_revocation(&active, &clients[0], by, &context()).unwrap();
    let clients = stored(&clients, &revoked);
    assert!(clients[0].has_ended(context().now));
    assert_eq!(
        revoked.due.len(),
        1,
        "a task deletes it from the identity provider"
    );
    assert_eq!(
        decide_revocation(&active, &clients[0], by, &context()),
        None
    );
    assert_eq!(
        stored(&clients, &decide_forgotten(&active, &clients[0])),
        []
    );
}

#[test]
fn a_client_id_depends_on_tenant_and_request() {
    let key = KeyDigest::of("test", "1");
    let other = "0199a1f0-0000-7000-8000-000000000001".parse().unwrap();
    assert_eq!(ClientId::of(ids().tenant, &key), id(1));
    assert_ne!(ClientId::of(other, &key), id(1));
    assert_eq!(id(1).to_string().parse(), Ok(id(1)));
    assert!(
        id(1)
            .to_string()
            .to_uppercase()
            .parse::<ClientId>()
            .is_err()
    );
}

#[test]
fn a_closed_tenant_has_no_federation() {
    let mut closed = state(TenantStatus::Closed);
    let due = ScheduledTask {
        at: context().now,
        kind: TaskKind::Clients,
        tenant: closed.tenant.id,
    };
    let identity_provider = ProviderName::of(&closed.tenant.alias);
    closed.tenant.federation = Some(Federation {
        client_id: "client".to_owned(),
        identity_provider,
        trusts_unverified_email: false,
    });
    let (catalogue, settings) = (catalogue(), settings("auto"));
    let ended = decide_task(&closed, &due, false, &catalogue, &settings, &context()).unwrap();
    assert_eq!((ended.tenant.federation, ended.done), (None, vec![due]));
}
