//! How many mails an address gets at somebody's request, and what becomes of those beyond that.
//!
//! The limit is the address's, in the region: whatever the mail is for, whichever tenant it is of.
//! Within it everybody who asks has a smaller share, so that what one stranger asks for leaves room
//! for what the owner asks for.

use crate::{EmailAddress, KeyDigest, ScheduledTask, TaskKind};
use kernel::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Into how many shares the limit of an address is divided: so many have to ask before it is
/// reached.
const SHARES: u64 = 3;

/// On whose account an address gets a mail, as a digest: a network's address must not be read from
/// what is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Asker(KeyDigest);

impl Asker {
    /// Whoever is behind an IP address. One host or subscriber has any number of addresses nearby,
    /// so that the network counts: 24 bits of IPv4, and 48 of IPv6, which is what a site is given
    /// at most (RFC 6177).
    #[must_use]
    pub fn network(address: &str) -> Self {
        // The network of an address may come instead of it.
        let (host, _) = address.split_once('/').unwrap_or((address, ""));
        let network = match host.parse::<IpAddr>().map(|host| host.to_canonical()) {
            Ok(IpAddr::V4(address)) => {
                let [a, b, c, _] = address.octets();
                format!("{a}.{b}.{c}.0/24")
            }
            Ok(IpAddr::V6(address)) => {
                let [a, b, c, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}::/48")
            }
            // Where the gateway does not say, all of them are one.
            Err(_) => address.to_owned(),
        };
        Self(KeyDigest::of("asks for a mail", &network))
    }

    /// Home, which hands over what others ask of it.
    #[must_use]
    pub fn home() -> Self {
        Self(KeyDigest::of("asks for a mail", "home"))
    }

    /// An operator of the provider, whose share nobody in a tenant can use up.
    #[must_use]
    pub fn operator() -> Self {
        Self(KeyDigest::of("asks for a mail", "operator"))
    }

    /// The user pool, which is asked by browsers itself and does not say from where.
    #[must_use]
    pub fn pool() -> Self {
        Self(KeyDigest::of("asks for a mail", "user pool"))
    }

    /// The digest as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// A mail that has to wait, since its address got as many as it gets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwedMail {
    /// Who asked for it.
    pub asker: Asker,
    /// When it can be tried again.
    pub after: Timestamp,
}

impl OwedMail {
    /// A mail that has to wait for some seconds from now on.
    #[must_use]
    pub fn until(asker: Asker, now: Timestamp, wait_s: i64) -> Self {
        let wait = jiff::SignedDuration::from_secs(wait_s.max(1));
        Self {
            asker,
            after: crate::settings::after(now, wait),
        }
    }

    /// When the tenant has to be looked at for it.
    #[must_use]
    pub const fn due(&self, tenant: TenantId) -> ScheduledTask {
        ScheduledTask {
            at: self.after,
            kind: TaskKind::Mail,
            tenant,
        }
    }
}

/// What of an address is counted: the mailbox, as far as its name tells. Most providers deliver
/// `name+anything` to `name`, and Gmail takes no notice of dots; where others tell them apart, two
/// people share a limit.
#[must_use]
pub fn mailbox(email: &EmailAddress) -> KeyDigest {
    let key = email.key();
    let (local, domain) = key.rsplit_once('@').unwrap_or((&key, ""));
    let name = match local.split_once('+') {
        Some((name, _)) if !name.is_empty() => name,
        _ => local,
    };
    let is_gmail = matches!(domain, "gmail.com" | "googlemail.com");
    let (name, domain) = if is_gmail {
        (name.replace('.', ""), "gmail.com")
    } else {
        (name.to_owned(), domain)
    };
    KeyDigest::of("mails to an address", &format!("{name}@{domain}"))
}

/// How much of the limit of an address one who asks can use up.
#[must_use]
pub fn share_of(per_address: u64) -> u64 {
    (per_address / SHARES).max(1)
}
