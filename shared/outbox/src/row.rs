//! Outbox rows: events on their way to a bus.

use contract::{BusEvent, Envelope};
use dynamo::{Attributes as _, Item, Shards, key, text};
use kernel::{EventId, Timestamp};

/// The partitions that rows are spread over. One partition takes 1,000 writes a second.
pub(crate) const SHARDS: Shards = Shards::new(8);

/// Which bus of the row's region publishes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
pub enum Target {
    /// The region's own bus, from which border events are forwarded.
    Regional,
    /// The home bus. Only the home region has one.
    Home,
}

impl Target {
    fn as_str(self) -> &'static str {
        self.into()
    }
}

/// An event that is committed and not yet published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The event's id.
    pub id: EventId,
    /// The time of the event.
    pub occurred_at: Timestamp,
    /// The bus of the event.
    pub target: Target,
    /// The event's `source`.
    pub source: String,
    /// The event's `detail-type`.
    pub detail_type: String,
    /// The envelope, as JSON.
    pub detail: String,
}

/// An item that is not an outbox row.
#[derive(Debug, thiserror::Error)]
#[error("the outbox row has no valid {attribute}")]
pub struct MalformedRow {
    /// The missing or malformed attribute.
    pub attribute: &'static str,
}

impl Row {
    /// Makes the row of an event.
    ///
    /// # Errors
    /// An error of `serde_json` when the event cannot be encoded.
    pub fn new<T: BusEvent>(
        target: Target,
        envelope: &Envelope<T>,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self {
            id: envelope.id,
            occurred_at: envelope.occurred_at,
            target,
            source: T::SOURCE.to_owned(),
            detail_type: T::TYPE.to_owned(),
            detail: serde_json::to_string(envelope)?,
        })
    }

    /// Decodes an item of the table or the new image of a stream record.
    ///
    /// # Errors
    /// [`MalformedRow`] when an attribute is missing or malformed.
    pub fn from_item(item: &Item) -> Result<Self, MalformedRow> {
        let text = |attribute: &'static str| item.text(attribute).ok_or(MalformedRow { attribute });
        let sort = MalformedRow { attribute: "sk" };
        let (occurred_at_ms, id) = text("sk")?.split_once('#').ok_or(sort)?;
        let sort = |_| MalformedRow { attribute: "sk" };
        let occurred_at_ms = occurred_at_ms
            .parse()
            .map_err(|_| MalformedRow { attribute: "sk" })?;
        let target = match text("bus")? {
            "regional" => Target::Regional,
            "home" => Target::Home,
            _ => return Err(MalformedRow { attribute: "bus" }),
        };
        Ok(Self {
            id: id.parse().map_err(sort)?,
            occurred_at: Timestamp::from_millisecond(occurred_at_ms)
                .map_err(|_| MalformedRow { attribute: "sk" })?,
            target,
            source: text("source")?.to_owned(),
            detail_type: text("detail_type")?.to_owned(),
            detail: text("detail")?.to_owned(),
        })
    }

    /// The stored item.
    pub(crate) fn item(&self) -> Item {
        let mut item = self.key();
        for (attribute, value) in [
            ("bus", self.target.as_str()),
            ("source", &self.source),
            ("detail_type", &self.detail_type),
            ("detail", &self.detail),
        ] {
            item.insert(attribute.to_owned(), text(value));
        }
        item
    }

    /// The key of the row. Within a partition, the oldest row is first.
    pub(crate) fn key(&self) -> Item {
        let sort = format!("{}#{}", first_sort(self.occurred_at), self.id);
        key(partition(SHARDS.of(self.id.as_uuid())), sort)
    }
}

/// The lower bound of the sort keys of rows from a moment on. 13 digits of milliseconds keep the
/// order until the year 2286.
pub(crate) fn first_sort(moment: Timestamp) -> String {
    format!("{:013}", moment.as_millisecond().max(0))
}

pub(crate) fn partition(shard: u8) -> String {
    format!("OUTBOX#{shard}")
}
