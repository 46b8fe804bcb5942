//! The catalogue: meters, plans and their charges. It ships with the code, so that every region of a
//! release has the same one.

use kernel::{Currency, EntitlementCode, MeterCode, PlanCode, Quantity};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is metered and what it costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Grows with every change.
    pub version: u64,
    /// What can be measured.
    pub meters: Vec<Meter>,
    /// What can be bought.
    pub plans: Vec<Plan>,
}

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
    /// The member of the event's `data` that holds the number. Absent for `count`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// What one unit is called on an invoice.
    pub unit: String,
}

/// How the events of a window become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Aggregation {
    /// How many events.
    Count,
    /// The sum of their values.
    Sum,
    /// The greatest of their values.
    Max,
}

/// What a tenant buys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The plan's code.
    pub code: PlanCode,
    /// What it is called on an invoice.
    pub name: String,
    /// Whether the application makes resources of the tenant's own, or shares them.
    pub tier: kernel::Tier,
    /// The currency of every price in it.
    pub currency: Currency,
    /// The fee of a period, whatever is used.
    pub fixed_fee: Quantity,
    /// What the tenant may use.
    pub entitlements: Vec<EntitlementCode>,
    /// What usage costs.
    pub charges: Vec<Charge>,
}

/// The price of one meter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Charge {
    /// The meter that it prices.
    pub meter: MeterCode,
    /// How units become an amount.
    pub model: ChargeModel,
}

/// How units become an amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum ChargeModel {
    /// Every unit costs the same.
    Standard {
        /// The price of a unit.
        unit_price: Quantity,
    },
    /// Each tier's units cost the tier's price, and each tier entered its flat fee.
    Graduated {
        /// In rising order; the last has no end.
        tiers: Vec<Tier>,
    },
    /// All units cost the price of the tier that the total reaches, and that tier's flat fee.
    Volume {
        /// In rising order; the last has no end.
        tiers: Vec<Tier>,
    },
    /// Units are sold in whole packages after the free ones.
    Package {
        /// Units that cost nothing.
        free_units: Quantity,
        /// Units of a package. More than zero.
        size: Quantity,
        /// The price of a package.
        price: Quantity,
    },
}

/// A range of units with its price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceTier)]
pub struct Tier {
    /// The last unit of the tier; absent in the last tier.
    pub up_to: Option<Quantity>,
    /// The price of a unit.
    pub unit_price: Quantity,
    /// What entering the tier costs.
    pub flat_fee: Quantity,
}

impl Catalogue {
    /// The catalogue of this release.
    ///
    /// # Errors
    /// When `catalogue.json` is malformed, which the tests of this crate rule out.
    pub fn bundled() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("catalogue.json"))
    }

    /// The plan of a code.
    #[must_use]
    pub fn plan(&self, code: &PlanCode) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.code == *code)
    }

    /// The meter of sign-ins, which a region counts by itself.
    #[must_use]
    pub fn logins(&self) -> Option<&Meter> {
        self.meters.iter().find(|meter| meter.event_type == "meridian.login")
    }

    /// The meter of a code.
    #[must_use]
    pub fn meter(&self, code: &MeterCode) -> Option<&Meter> {
        self.meters.iter().find(|meter| meter.code == *code)
    }
}

impl Meter {
    /// Whether only Meridian itself states what it counts: nobody can send usage events of such a type.
    #[must_use]
    pub fn is_internal(&self) -> bool {
        self.event_type.starts_with("meridian.")
    }
}
