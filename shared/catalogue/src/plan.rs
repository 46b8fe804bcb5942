//! Plans: fees, entitlements, allowances and prices of usage.

use kernel::{Currency, EntitlementCode, MeterCode, PlanCode, PlanDecimal};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// A plan that a tenant can subscribe to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// The plan's code.
    pub code: PlanCode,
    /// The name on an invoice.
    pub name: String,
    /// Whether the tenant's resources are shared or its own.
    pub tier: kernel::Tier,
    /// The currency of all prices.
    pub currency: Currency,
    /// The fee of a period, independent of usage.
    pub fixed_fee: PlanDecimal,
    /// The features that are included.
    pub entitlements: Vec<EntitlementCode>,
    /// The usage that the plan is meant for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub allowances: Vec<Allowance>,
    /// The prices of usage.
    pub charges: Vec<Charge>,
}

/// The usage of a meter that a plan is meant for in a billing period. Usage beyond it is accepted,
/// and the application is notified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Allowance {
    /// The meter.
    pub meter: MeterCode,
    /// The allowed usage of a period.
    pub quantity: PlanDecimal,
    /// The alert thresholds in percent, in ascending order.
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
    /// The pricing model.
    pub model: ChargeModel,
}

/// The pricing model: how units become an amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum ChargeModel {
    /// Every unit costs the same.
    Standard {
        /// The price of a unit.
        unit_price: PlanDecimal,
    },
    /// The units of each tier cost that tier's price, plus the flat fee of every tier that is
    /// reached.
    Graduated {
        /// In ascending order; the last one has no end.
        tiers: Vec<Tier>,
    },
    /// All units cost the price of the tier that the total reaches, plus that tier's flat fee.
    Volume {
        /// In ascending order; the last one has no end.
        tiers: Vec<Tier>,
    },
    /// Units beyond the free ones are sold in whole packages.
    Package {
        /// Units that cost nothing.
        free_units: PlanDecimal,
        /// The units of a package. More than zero.
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
    /// The fee for reaching the tier.
    pub flat_fee: PlanDecimal,
}
