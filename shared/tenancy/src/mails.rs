//! The limit of mails to an address, and the mails beyond it.
//!
//! The limit is per address and region, across purposes and tenants. Each requester has a smaller
//! share of it, so that a stranger's requests leave room for the owner's.

use crate::idempotency::KeyDigest;
use crate::personal::EmailAddress;
use crate::task::{ScheduledTask, TaskKind};
use kernel::{TenantId, Timestamp};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The number of shares of an address's limit: this many requesters can exhaust it.
const SHARES: u64 = 3;

/// The requester whose share a mail is charged to, as a digest: the stored value must not reveal an
/// IP address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Asker(KeyDigest);

impl Asker {
    /// The network of an IP address. One host or subscriber can use many addresses of its network,
    /// so the network is charged: 24 bits of IPv4, and 48 of IPv6, the most that a site is given
    /// (RFC 6177).
    #[must_use]
    pub fn network(address: &str) -> Self {
        // The text may be a network in CIDR notation instead of an address.
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
            // Requests without an address share one requester, since their text is the same.
            Err(_) => address.to_owned(),
        };
        Self(KeyDigest::of("asks for a mail", &network))
    }

    /// Home, on behalf of the people who sign up there.
    #[must_use]
    pub fn home() -> Self {
        Self(KeyDigest::of("asks for a mail", "home"))
    }

    /// An operator of the provider. Nobody in a tenant can use up this share.
    #[must_use]
    pub fn operator() -> Self {
        Self(KeyDigest::of("asks for a mail", "operator"))
    }

    /// The user pool, which browsers call directly and which does not report their address.
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

/// A mail that has to wait because its address has reached its limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwedMail {
    /// The requester.
    pub asker: Asker,
    /// When it can be tried again.
    pub after: Timestamp,
}

impl OwedMail {
    /// A mail that has to wait for `wait_s` seconds from now, at least one.
    #[must_use]
    pub fn until(asker: Asker, now: Timestamp, wait_s: i64) -> Self {
        let wait = jiff::SignedDuration::from_secs(wait_s.max(1));
        Self {
            asker,
            after: crate::settings::after(now, wait),
        }
    }

    /// The task that sends the mail.
    #[must_use]
    pub const fn due(&self, tenant: TenantId) -> ScheduledTask {
        ScheduledTask {
            at: self.after,
            kind: TaskKind::Mail,
            tenant,
        }
    }
}

/// The digest of the mailbox that is counted for an address. Most providers deliver `name+anything`
/// to `name`, and Gmail ignores dots. Where a provider does not, two people share a limit.
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

/// The most mails to an address on one requester's account, at least one.
#[must_use]
pub fn share_of(per_address: u64) -> u64 {
    (per_address / SHARES).max(1)
}
