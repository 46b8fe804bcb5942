//! Plans: what a tenant buys, and what usage costs.

use kernel::{Currency, EntitlementCode, MeterCode, PlanCode, PlanDecimal};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

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
    pub fixed_fee: PlanDecimal,
    /// What the tenant may use.
    pub entitlements: Vec<EntitlementCode>,
    /// How much usage the plan is meant for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowances: Vec<Allowance>,
    /// What usage costs.
    pub charges: Vec<Charge>,
}

/// How much of a meter a plan is meant for in a billing period. Nothing is refused beyond it; the
/// application is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// The meter.
    pub meter: MeterCode,
    /// The usage of a period.
    pub quantity: PlanDecimal,
    /// The thresholds that are told, in percent, rising.
    pub alert_percents: Vec<u16>,
}

/// The thresholds of usage that a tenant wants to be told besides those of its plan: of each meter, in
/// percent of what the plan allows in a billing period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertThresholds(BTreeMap<MeterCode, BTreeSet<u16>>);

impl AlertThresholds {
    /// Those of a meter, in percent, rising.
    pub fn of(&self, meter: &MeterCode) -> impl Iterator<Item = u16> {
        self.0.get(meter).into_iter().flatten().copied()
    }

    /// An allowance with the tenant's own thresholds among those of the plan.
    #[must_use]
    pub fn added_to(&self, allowance: &Allowance) -> Allowance {
        let percents: BTreeSet<u16> = allowance
            .alert_percents
            .iter()
            .copied()
            .chain(self.of(&allowance.meter))
            .collect();
        Allowance {
            alert_percents: percents.into_iter().collect(),
            ..allowance.clone()
        }
    }
}

impl FromIterator<(MeterCode, BTreeSet<u16>)> for AlertThresholds {
    fn from_iter<I: IntoIterator<Item = (MeterCode, BTreeSet<u16>)>>(thresholds: I) -> Self {
        Self(thresholds.into_iter().collect())
    }
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
        unit_price: PlanDecimal,
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
        free_units: PlanDecimal,
        /// Units of a package. More than zero.
        size: PlanDecimal,
        /// The price of a package.
        price: PlanDecimal,
    },
}

/// A range of units with its price.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PriceTier)]
pub struct Tier {
    /// The last unit of the tier; absent in the last tier.
    pub up_to: Option<PlanDecimal>,
    /// The price of a unit.
    pub unit_price: PlanDecimal,
    /// What entering the tier costs.
    pub flat_fee: PlanDecimal,
}
