//! The shares of an address's limit, and mails that have to wait.

use super::*;

fn mailbox_of(email: &str) -> KeyDigest {
    mailbox(&email.parse().unwrap())
}

#[test]
fn spellings_of_an_address_share_a_mailbox() {
    fn check(one: &str, other: &str, same: bool) {
        assert_eq!(mailbox_of(one) == mailbox_of(other), same, "{one} {other}");
    }
    check("ada@engines.example", "ADA@Engines.Example", true);
    check("ada@engines.example", "ada+news@engines.example", true);
    check("ada@engines.example", "ada+a+b@engines.example", true);
    check("ada.l@gmail.com", "a.dal+x@googlemail.com", true);
    check("ada.l@engines.example", "adal@engines.example", false);
    check("ada@engines.example", "ada@engines.test", false);
    check("+ada@engines.example", "+bob@engines.example", false);
    check("ada@gmail.com", "ada@gmail.com.example", false);
}

#[test]
fn addresses_of_a_network_are_one_requester() {
    fn check(one: &str, other: &str, same: bool) {
        assert_eq!(
            Asker::network(one) == Asker::network(other),
            same,
            "{one} {other}"
        );
    }
    check("192.0.2.1", "192.0.2.254", true);
    check("192.0.2.1", "192.0.3.1", false);
    check("192.0.2.1", "::ffff:192.0.2.9", true);
    check("2001:db8:1:2::1", "2001:db8:1:ffff::9", true);
    check("2001:db8:1::1", "2001:db8:2::1", false);
    check("2001:db8:1:2::/64", "2001:db8:1:3::7", true);
    check("192.0.2.0/24", "192.0.2.9", true);
    check("2001:db8:0001::1", "2001:DB8:1:0:0:0:0:2", true);
    check("", "192.0.2.1", false);
    let askers = [
        Asker::network("192.0.2.1"),
        Asker::home(),
        Asker::operator(),
        Asker::pool(),
    ];
    let distinct: std::collections::BTreeSet<_> = askers.iter().map(Asker::as_str).collect();
    assert_eq!(distinct.len(), askers.len());
    assert!(
        !format!("{askers:?}").contains("192"),
        "only a digest is stored"
    );
}

#[test]
fn a_requester_has_a_share_of_the_limit() {
    for (limit, share) in [
        (12, 4),
        (6_000, 2_000),
        (3, 1),
        (5, 1),
        (2, 1),
        (1, 1),
        (0, 1),
    ] {
        assert_eq!(share_of(limit), share, "{limit}");
    }
}

/// The caller of a sign-up cannot see that its code has to wait.
#[test]
fn an_owed_code_is_scheduled_and_not_shown() {
    let pending = state(TenantStatus::Pending);
    let owed = OwedMail::until(Asker::network("192.0.2.1"), context().now, 60);
    assert_eq!(owed.after, at("2026-11-20T10:01:00Z"));
    let shown = |state: &State| {
        serde_json::to_value(Operation::of(state.signup.as_ref().unwrap(), &state.tenant)).unwrap()
    };
    let mailed = after(
        &pending,
        decide_identity(&pending, Ok(None), &context()).unwrap(),
    );
    let noted = decide_identity(&pending, Ok(Some(owed.clone())), &context()).unwrap();
    assert_eq!(
        noted.due,
        [ScheduledTask {
            at: owed.after,
            kind: TaskKind::Mail,
            tenant: pending.tenant.id
        }]
    );
    let waiting = after(&pending, noted);
    assert_eq!(shown(&waiting), shown(&mailed));
    assert_eq!(
        decide_code_mail(&waiting, Some(owed.clone())),
        None,
        "it is recorded already"
    );

    let sent = decide_code_mail(&waiting, None).unwrap();
    assert!(
        sent.events.is_empty() && sent.due.is_empty(),
        "no event is published"
    );
    let sent = after(&waiting, sent);
    assert_eq!(
        (
            sent.signup.as_ref().unwrap().code_owed.clone(),
            shown(&sent)
        ),
        (None, shown(&mailed))
    );
    let again = decide_code_mail(&sent, Some(owed)).unwrap();
    assert_eq!(again.due.len(), 1, "a further one can have to wait");
    let confirmed = decide_confirmation(&waiting, &catalogue(), &settings("auto"), &context())
        .unwrap()
        .unwrap();
    let confirmed = after(&waiting, confirmed);
    assert_eq!(
        confirmed.signup.as_ref().unwrap().code_owed,
        None,
        "an earlier code has arrived"
    );
    assert_eq!(
        decide_code_mail(
            &confirmed,
            Some(OwedMail::until(Asker::home(), context().now, 0))
        ),
        None
    );
}
