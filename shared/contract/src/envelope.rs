//! The envelope of every event on a bus.

use kernel::{EventId, RegionCode, TenantId, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::fmt;
use std::str::FromStr;

/// An event that a bus carries: its type is the event's `detail-type`, its source the event's
/// `source`.
pub trait BusEvent: Serialize + DeserializeOwned {
    /// `PastTenseEvent.vN`, as in the allow-lists of the template's rules.
    const TYPE: &'static str;
    /// The part of Meridian that states the event.
    const SOURCE: &'static str;
}

/// The sequence that an event is numbered in: events of one stream have gapless numbers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeDisplay, DeserializeFromStr,
)]
pub enum Stream {
    /// A region's health.
    Region,
    /// What a region bills by itself.
    Billing,
    /// What concerns one tenant's status or policy.
    Tenant(TenantId),
    /// One tenant's usage.
    Usage(TenantId),
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Region => f.write_str("region"),
            Self::Billing => f.write_str("billing"),
            Self::Tenant(tenant) => write!(f, "tenant:{tenant}"),
            Self::Usage(tenant) => write!(f, "usage:{tenant}"),
        }
    }
}

impl FromStr for Stream {
    type Err = kernel::Invalid;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = kernel::Invalid {
            kind: "stream",
            rule: "region, billing, tenant:<id> or usage:<id>",
        };
        match text.split_once(':') {
            None if text == "region" => Ok(Self::Region),
            None if text == "billing" => Ok(Self::Billing),
            Some(("tenant", id)) => Ok(Self::Tenant(id.parse()?)),
            Some(("usage", id)) => Ok(Self::Usage(id.parse()?)),
            _ => Err(invalid),
        }
    }
}

impl schemars::JsonSchema for Stream {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Stream".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^(region|billing|(tenant|usage):[0-9a-f-]{36})$" })
    }
}

/// An event with its identity and place: the `detail` of the EventBridge event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Envelope<T> {
    /// The event's identity: a redelivery has the same.
    pub id: EventId,
    /// The region that the event is about: its producer, or for a policy its addressee.
    pub region: RegionCode,
    /// What `sequence` counts in.
    pub stream: Stream,
    /// The number of the event within its stream, from 1 and without gaps.
    pub sequence: u64,
    /// When it became true, UTC.
    #[schemars(with = "Moment")]
    pub occurred_at: Timestamp,
    /// The event itself.
    pub data: T,
}

/// The schema of a moment: RFC 3339, UTC.
pub(crate) struct Moment;

impl schemars::JsonSchema for Moment {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}
