//! The catalogue of meters, plans and charges.
//!
//! It ships with the code, so that every region of a release has the same one. Invariant: a
//! [`Catalogue`] is all that reading an event or rating a period needs. Imports `kernel` only.

mod meter;
mod path;
mod plan;

pub use meter::{Aggregation, Dimension, Meter};
pub use path::{PathStep, ValuePath};
pub use plan::{AlertThresholds, Allowance, Charge, ChargeModel, Plan, Tier};

use kernel::{MeterCode, PlanCode};
use serde::{Deserialize, Serialize};

#[cfg(test)]
mod tests;

/// All meters and plans.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Grows with every change.
    pub version: u64,
    /// The meters.
    pub meters: Vec<Meter>,
    /// The plans.
    pub plans: Vec<Plan>,
}

impl Catalogue {
    /// The catalogue of this release.
    ///
    /// # Errors
    /// When `catalogue.json` is malformed, which a test of this crate rules out.
    pub fn bundled() -> Result<Self, serde_json::Error> {
        serde_json::from_str(include_str!("catalogue.json"))
    }

    /// The plan with a code.
    #[must_use]
    pub fn plan(&self, code: &PlanCode) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.code == *code)
    }

    /// The meter of sign-ins, which the region counts itself.
    #[must_use]
    pub fn logins(&self) -> Option<&Meter> {
        self.meters
            .iter()
            .find(|meter| meter.event_type == "meridian.login")
    }

    /// The meter with a code.
    #[must_use]
    pub fn meter(&self, code: &MeterCode) -> Option<&Meter> {
        self.meters.iter().find(|meter| meter.code == *code)
    }
}
