//! Meters: how usage events become numbers.

use crate::ValuePath;
use kernel::{DimensionCode, MeterCode, UsageGroup, WindowSize};
use serde::{Deserialize, Serialize};

/// How usage events become a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Meter {
    /// The meter's code.
    pub code: MeterCode,
    /// The CloudEvents `type` that it counts.
    pub event_type: String,
    /// How the events of a window become one value.
    pub aggregation: Aggregation,
    /// Where in the event's `data` its value is. Absent for `count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<ValuePath>,
    /// The shortest windows that it can be queried by: a minute, an hour or a day.
    #[serde(default)]
    pub window: WindowSize,
    /// What its usage is grouped by, at most [`UsageGroup::DIMENSIONS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dimensions: Vec<Dimension>,
    /// What one unit is called on an invoice.
    pub unit: String,
}

/// What a meter's usage is grouped by: a closed list, since its values cross the border.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dimension {
    /// The dimension's code.
    pub code: DimensionCode,
    /// Where in the event's `data` the value is.
    pub path: ValuePath,
    /// Every value that there is.
    pub values: Vec<DimensionCode>,
    /// The one that stands for what an event has instead, or for none at all. Without it, such an
    /// event is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DimensionCode>,
}

/// How the events of a window become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// How many events.
    Count,
    /// The sum of their values.
    Sum,
    /// The least of their values.
    Min,
    /// The greatest of their values.
    Max,
    /// The mean of their values.
    Avg,
    /// The value of the one with the latest time; of several, the greatest.
    Latest,
    /// How many different values there are.
    UniqueCount,
}

impl Aggregation {
    /// Whether taking an event back is taking its value off: what else there was need not be known.
    #[must_use]
    pub const fn is_reversible(self) -> bool {
        matches!(self, Self::Count | Self::Sum | Self::Avg)
    }
}

impl Meter {
    /// The most groups that the dimensions of a meter make: the pages of their totals, each as wide
    /// as a total can be, fit the items and transactions of a table, which a test of `metering`
    /// shows.
    pub const GROUPS_MAX: usize = 12;

    /// Every group of the meter's usage.
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

    /// The dimensions that a text names, divided by commas, none where it is empty; nothing where
    /// the meter lacks one.
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

    /// Whether each of a group's values is one that the meter's dimension of that name has.
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

    /// Whether only Meridian itself states what it counts: nobody can send usage events of such a
    /// type.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.event_type.starts_with("meridian.")
    }
}
