//! Meters: how usage events are aggregated.

use crate::path::ValuePath;
use kernel::{DimensionCode, MeterCode, UsageGroup, WindowSize};
use serde::{Deserialize, Serialize};

/// The rule by which usage events of one type become a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meter {
    /// The meter's code.
    pub code: MeterCode,
    /// The CloudEvents `type` of its events.
    pub event_type: String,
    /// The aggregation of the events of a window.
    pub aggregation: Aggregation,
    /// The path of the value in the event's `data`. Absent for `count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ValuePath>,
    /// The shortest window that can be queried: a minute, an hour or a day.
    #[serde(default)]
    pub window: WindowSize,
    /// The dimensions by which usage is grouped, at most [`UsageGroup::DIMENSIONS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dimensions: Vec<Dimension>,
    /// The name of a unit on an invoice.
    pub unit: String,
}

/// A dimension of a meter. Its values are a closed list, since they cross the border.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// The dimension's code.
    pub code: DimensionCode,
    /// The path of the value in the event's `data`.
    pub path: ValuePath,
    /// All values.
    pub values: Vec<DimensionCode>,
    /// The value that replaces unlisted and missing ones. Without it, such an event is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DimensionCode>,
}

/// The way in which the events of a window become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// The number of events.
    Count,
    /// The sum of their values.
    Sum,
    /// The lowest of their values.
    Min,
    /// The highest of their values.
    Max,
    /// The mean of their values.
    Avg,
    /// The value of the event with the latest time; if several have it, the highest.
    Latest,
    /// The number of distinct values.
    UniqueCount,
}

impl Aggregation {
    /// Whether an event can be taken back by subtracting its value, without knowing the others.
    #[must_use]
    pub const fn is_reversible(self) -> bool {
        matches!(self, Self::Count | Self::Sum | Self::Avg)
    }
}

impl Meter {
    /// The most groups of a meter. The pages of their totals, each as wide as a total can be, then
    /// fit the limits of an item and a transaction, which a test of `metering` shows.
    pub const GROUPS_MAX: usize = 12;

    /// All groups of the meter's usage.
    #[must_use]
    pub fn groups(&self) -> Vec<UsageGroup> {
        let mut groups: Vec<Vec<(&DimensionCode, &DimensionCode)>> = vec![Vec::new()];
        for dimension in &self.dimensions {
            let with = |group: &Vec<_>| {
                let group = group.clone();
                dimension
                    .values
                    .iter()
                    .map(move |value| [group.as_slice(), &[(&dimension.code, value)]].concat())
            };
            groups = groups.iter().flat_map(with).collect();
        }
        groups.into_iter().map(UsageGroup::of).collect()
    }

    /// Parses dimension names, separated by commas. `None` if the meter lacks one of them.
    #[must_use]
    pub fn dimensions_named(&self, names: &str) -> Option<Vec<DimensionCode>> {
        let find = |name: &str| {
            self.dimensions
                .iter()
                .map(|dimension| &dimension.code)
                .find(|code| code.as_str() == name)
        };
        names
            .split(',')
            .filter(|name| !name.is_empty())
            .map(|name| find(name).cloned())
            .collect()
    }

    /// Whether the meter declares every value of the group.
    #[must_use]
    pub fn has_values(&self, group: &UsageGroup) -> bool {
        let known = self.dimensions.iter().filter(|dimension| {
            let value = group.value(&dimension.code);
            value.is_some_and(|value| dimension.values.iter().any(|known| known.as_str() == value))
        });
        known.count()
            == group
                .as_str()
                .split(',')
                .filter(|part| !part.is_empty())
                .count()
    }

    /// Whether only Meridian publishes its events. Clients cannot send usage events of such a type.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.event_type.starts_with("meridian.")
    }
}
