//! The event key and the content hash: they stand for what a client wrote, which is not stored.

use crate::window::{Measure, WindowKey};
use dedupe::{ContentHash, DedupeKey};
use jiff::Timestamp;
use kernel::{TenantId, UsageGroup};
use serde::{Deserialize, Serialize};

/// The sender of an event. Each kind of sender has its own namespace of event ids.
///
/// The sender follows from the verified token, never from the event. So an event of a tenant's own
/// client cannot take the place of an event that the provider's service sends with the same source
/// and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sender {
    /// A client of the tenant.
    Tenant,
    /// A service of the provider.
    Provider,
    /// Meridian itself, for its internal meters.
    Meridian,
}

impl Sender {
    /// The byte that is hashed for the namespace. Stored keys depend on it, so a byte is never
    /// reused.
    const fn namespace(self) -> u8 {
        match self {
            Self::Tenant => 1,
            Self::Provider => 2,
            Self::Meridian => 3,
        }
    }
}

/// The dedupe key of an event: `source` and `id` (`CloudEvents` 1.0) in its sender's namespace.
#[must_use]
pub fn event_key(sender: Sender, source: &str, id: &str) -> DedupeKey {
    DedupeKey::hash([&[sender.namespace()], source.as_bytes(), id.as_bytes()])
}

/// The key of a value for a meter that counts distinct values. `kind` separates the text `"5"` from
/// the number `5`.
#[must_use]
pub fn distinct_key(tenant: TenantId, kind: &str, value: &str) -> DedupeKey {
    DedupeKey::hash([
        tenant.as_uuid().as_bytes(),
        kind.as_bytes(),
        value.as_bytes(),
    ])
}

/// The key of a distinct value within a window, since a value counts once in each window. A window
/// and its adjustment share keys: a value that was counted before the seal is not new after it.
pub(crate) fn key_in_window(value: DedupeKey, window: &WindowKey) -> DedupeKey {
    let WindowKey {
        meter,
        group,
        size,
        start,
        part: _,
    } = window;
    let start = start.as_second().to_be_bytes();
    let (meter, group, size) = (
        meter.as_str().as_bytes(),
        group.as_str().as_bytes(),
        size.as_str().as_bytes(),
    );
    DedupeKey::hash([value.as_bytes(), meter, group, size, &start])
}

/// The content hash of an event. Time and value are hashed in a canonical form, so that `1.5` and
/// `1.50` hash alike.
#[must_use]
pub fn content_hash(
    event_type: &str,
    tenant: TenantId,
    time: Timestamp,
    measure: &Measure,
    group: &UsageGroup,
) -> ContentHash {
    let nanoseconds = time.as_nanosecond().to_be_bytes();
    let (kind, value, scale) = match measure {
        Measure::Number(value) => (b'n', value.mantissa().to_be_bytes(), value.scale()),
        Measure::Distinct(key) => (b'm', key.number().to_be_bytes(), 0_u16),
    };
    let group = group.as_str().as_bytes();
    let [high, low] = scale.to_be_bytes();
    let tenant = tenant.as_uuid();
    ContentHash::hash([
        event_type.as_bytes(),
        tenant.as_bytes(),
        &nanoseconds,
        &[kind, high, low],
        &value,
        group,
    ])
}
