use super::world;
use crate::clock::{Taken, Tally};
use crate::mails::MailTally;
use futures::future::join_all;
use jiff::SignedDuration;
use kernel::Timestamp;
use std::sync::atomic::{AtomicUsize, Ordering};
use tenancy::{Asker, EmailAddress, KeyDigest};

/// The mails that an address gets in an hour in these tests. One requester's share is a third.
const MAILS: u64 = 6;
const SHARE: usize = 2;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn now() -> Timestamp {
    at("2026-11-20T10:59:00Z")
}

fn ada() -> EmailAddress {
    "ada@engines.example".parse().unwrap()
}

/// The number of mails that an address gets out of `times` requests with marks of their own.
async fn mails_sent(mails: &MailTally, to: &str, by: &Asker, times: usize, at: Timestamp) -> usize {
    static REQUESTS: AtomicUsize = AtomicUsize::new(0);
    let to: EmailAddress = to.parse().unwrap();
    let mark = || {
        KeyDigest::of(
            "request",
            &REQUESTS.fetch_add(1, Ordering::Relaxed).to_string(),
        )
    };
    let marks: Vec<_> = (0..times).map(|_| mark()).collect();
    let taken = join_all(marks.iter().map(|mark| mails.take(&to, by, mark, at))).await;
    taken
        .into_iter()
        .filter(|taken| *taken.as_ref().unwrap() == Taken::Yes)
        .count()
}

/// The limit is the address's, over all requesters, purposes and tenants, however the address is
/// written.
#[tokio::test]
async fn an_address_has_one_limit_for_all_requesters() {
    let world = world().await;
    let mails = MailTally::new(world.store.reader().clone(), MAILS);
    let mut sent = 0;
    for (n, spelling) in [
        "ada@engines.example",
        "ADA@Engines.Example",
        "ada+1@engines.example",
        "Ada+x+y@engines.example",
    ]
    .into_iter()
    .cycle()
    .take(20)
    .enumerate()
    {
        sent += mails_sent(
            &mails,
            spelling,
            &Asker::network(&format!("198.51.{n}.1")),
            3,
            now(),
        )
        .await;
    }
    assert_eq!(
        sent,
        usize::try_from(MAILS).unwrap(),
        "at once and from twenty networks"
    );
    let other = mails_sent(
        &mails,
        "bob@engines.example",
        &Asker::network("198.51.100.1"),
        1,
        now(),
    )
    .await;
    let later = mails_sent(
        &mails,
        "ada@engines.example",
        &Asker::network("198.51.100.1"),
        1,
        at("2026-11-20T11:00:00Z"),
    )
    .await;
    assert_eq!((other, later), (1, 1), "another address, and another hour");
}

#[tokio::test]
async fn a_strangers_requests_leave_a_share_for_the_owner() {
    let world = world().await;
    let mails = MailTally::new(world.store.reader().clone(), MAILS);
    for stranger in ["192.0.2.1", "192.0.2.99", "192.0.2.255", "::ffff:192.0.2.7"] {
        mails_sent(
            &mails,
            "ada@engines.example",
            &Asker::network(stranger),
            10,
            now(),
        )
        .await;
    }
    let owner = mails_sent(
        &mails,
        "ada@engines.example",
        &Asker::network("203.0.113.5"),
        10,
        now(),
    )
    .await;
    assert_eq!(owner, SHARE, "a whole network had one share");
    let rest = mails_sent(
        &mails,
        "ada@engines.example",
        &Asker::network("2001:db8:1::1"),
        10,
        now(),
    )
    .await;
    assert_eq!(rest, SHARE);
    let wait = mails
        .take(
            &ada(),
            &Asker::network("2001:db8:2::1"),
            &KeyDigest::of("m", "1"),
            now(),
        )
        .await
        .unwrap();
    assert_eq!(
        wait,
        Taken::NotBefore { wait_s: 60 },
        "and how long it is till the next hour"
    );
}

#[tokio::test]
async fn a_repeated_mail_counts_once_and_no_personal_data_is_stored() {
    let world = world().await;
    let mails = MailTally::new(world.store.reader().clone(), MAILS);
    let (by, mark) = (Asker::network("192.0.2.1"), KeyDigest::of("message", "1"));
    for _ in 0..5 {
        assert_eq!(
            mails.take(&ada(), &by, &mark, now()).await.unwrap(),
            Taken::Yes
        );
    }
    assert_eq!(
        mails_sent(&mails, "ada@engines.example", &by, 5, now()).await,
        SHARE - 1
    );
    assert_eq!(
        mails.take(&ada(), &by, &mark, now()).await.unwrap(),
        Taken::Yes,
        "it was counted before"
    );
    let items = format!(
        "{:?}",
        world
            .client
            .scan()
            .table_name(&world.table)
            .send()
            .await
            .unwrap()
            .items()
    );
    assert!(
        !items.contains("engines") && !items.contains("192.0.2"),
        "{items}"
    );
}

/// Reports within the interval belong to the first one, in whichever order they come.
#[tokio::test]
async fn repeated_reports_share_one_start() {
    let world = world().await;
    let tally = Tally::new(world.store.reader().clone());
    let within = SignedDuration::from_secs(15);
    let began = async |of: &str, reported: &str| {
        tally
            .began(&KeyDigest::of("sign-ins", of), at(reported), within)
            .await
            .unwrap()
            .to_string()
    };
    for order in [
        ["10:00:00", "10:00:05", "10:00:10"],
        ["10:00:10", "10:00:00", "10:00:05"],
    ] {
        let of = order.concat();
        let mut moments = Vec::new();
        for reported in order {
            moments.push(began(&of, &format!("2026-11-20T{reported}.123456Z")).await);
        }
        moments.dedup();
        assert_eq!(moments, [format!("2026-11-20T{}.123Z", order[0])]);
        assert_eq!(
            began(&of, "2026-11-20T10:00:25.123Z").await,
            "2026-11-20T10:00:25.123Z",
            "a sign-in of its own"
        );
        assert_eq!(
            began(&of, "2026-11-20T09:00:00Z").await,
            "2026-11-20T09:00:00Z",
            "one of long before too"
        );
    }
    assert_eq!(
        began("another", "2026-11-20T10:00:01Z").await,
        "2026-11-20T10:00:01Z"
    );
}
