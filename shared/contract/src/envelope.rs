//! The envelope of events on a bus.

use kernel::{EventId, RegionCode, TenantId, Timestamp};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_with::{DeserializeFromStr, SerializeDisplay};
use std::fmt;
use std::str::FromStr;

/// An event on a bus. Its type is the EventBridge `detail-type`, its source the `source`.
pub trait BusEvent: Serialize + DeserializeOwned {
    /// The `detail-type`, `PastTenseEvent.vN`, as in the allow-lists of the template's rules.
    const TYPE: &'static str;
    /// The `source`: the part of Meridian that publishes the event.
    const SOURCE: &'static str;
}

/// The stream in which an event is numbered. The numbers of a stream have no gaps.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, SerializeDisplay, DeserializeFromStr,
)]
pub enum Stream {
    /// A region's health.
    Region,
    /// A region's own billing.
    Billing,
    /// A tenant's status, policy and reservations.
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

/// An event with its id and position: the `detail` of the EventBridge event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Envelope<T> {
    /// The id of the event. A redelivery has the same one.
    pub id: EventId,
    /// The region that the event is about: its producer or, for events that home sends to a region,
    /// its addressee.
    pub region: RegionCode,
    /// The stream in which `sequence` counts.
    pub stream: Stream,
    /// The number of the event within its stream, starting at 1 without gaps.
    pub sequence: u64,
    /// When it occurred, UTC.
    #[schemars(with = "Moment")]
    pub occurred_at: Timestamp,
    /// The event itself.
    pub data: T,
}

/// The schema of a point in time: RFC 3339, UTC.
pub(crate) struct Moment;

impl schemars::JsonSchema for Moment {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Moment".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "format": "date-time" })
    }
}
