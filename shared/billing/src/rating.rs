//! Rating by charge models: units become an exact amount, with the steps that explain it.

use crate::unrounded::UnroundedAmount;
use catalogue::{ChargeModel, Tier};
use kernel::PlanDecimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An amount before rounding, and the steps that add up to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rated {
    /// The steps, in order.
    pub steps: Vec<Step>,
    /// The sum of the steps.
    pub amount: UnroundedAmount,
}

/// One part of an amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "step", rename_all = "snake_case")]
#[schema(as = RatingStep)]
pub enum Step {
    /// Units of a tier at its price, and the tier's flat fee.
    Tier {
        /// The units in this tier.
        units: UnroundedAmount,
        /// The end of the tier, inclusive; absent if it has no end.
        up_to: Option<PlanDecimal>,
        /// The price of a unit.
        unit_price: PlanDecimal,
        /// The fee for entering the tier.
        flat_fee: PlanDecimal,
        /// units x `unit_price` + `flat_fee`.
        amount: UnroundedAmount,
    },
    /// Units that cost nothing.
    Free {
        /// The number of units.
        units: UnroundedAmount,
    },
    /// Units that are sold in whole packages.
    Package {
        /// The units beyond the free ones.
        units: UnroundedAmount,
        /// The number of packages that cover the units.
        packages: UnroundedAmount,
        /// The units in a package.
        size: PlanDecimal,
        /// The price of a package.
        price: PlanDecimal,
        /// packages x price.
        amount: UnroundedAmount,
    },
}

impl Step {
    /// The price of the step.
    #[must_use]
    pub fn amount(&self) -> UnroundedAmount {
        match self {
            Self::Tier { amount, .. } | Self::Package { amount, .. } => amount.clone(),
            Self::Free { .. } => UnroundedAmount::zero(),
        }
    }

    /// The units that the step covers.
    #[must_use]
    pub const fn units(&self) -> &UnroundedAmount {
        match self {
            Self::Tier { units, .. } | Self::Package { units, .. } | Self::Free { units } => units,
        }
    }
}

/// The reasons why a charge cannot be rated. Each is an error of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RatingRefusal {
    /// The charge has no tiers.
    #[error("a charge has no tiers")]
    NoTiers,
    /// A tier ends at or before the end of the tier before it.
    #[error("the tiers of a charge do not rise")]
    TiersDoNotRise,
    /// The last tier has an end, so that units beyond it have no price, or an inner tier has none.
    #[error("only the last tier of a charge has no end, and it must have none")]
    UnitsWithoutPrice,
    /// A package holds no units.
    #[error("a package of a charge holds no units")]
    EmptyPackage,
}

/// Rates units by a charge model.
///
/// A total below zero is rated as zero, so that usage alone never leads to a credit.
///
/// # Errors
/// [`RatingRefusal`] when the model is inconsistent.
pub fn rate_units(model: &ChargeModel, units: &UnroundedAmount) -> Result<Rated, RatingRefusal> {
    let units = if units.is_positive() {
        units.clone()
    } else {
        UnroundedAmount::zero()
    };
    let steps = match model {
        ChargeModel::Standard { unit_price } => {
            vec![tier_step(units, None, unit_price, &PlanDecimal::zero())]
        }
        ChargeModel::Graduated { tiers } => rate_graduated(tiers, &units)?,
        ChargeModel::Volume { tiers } => rate_volume(tiers, units)?,
        ChargeModel::Package {
            free_units,
            size,
            price,
        } => rate_packages(free_units, size, price, units)?,
    };
    let amount = steps
        .iter()
        .fold(UnroundedAmount::zero(), |sum, step| sum + &step.amount());
    Ok(Rated { steps, amount })
}

/// Rates each tier's units at the tier's price. Any fraction of a unit above a tier enters the next
/// one. The first tier is always entered, so its flat fee applies at zero units too.
fn rate_graduated(tiers: &[Tier], units: &UnroundedAmount) -> Result<Vec<Step>, RatingRefusal> {
    check_tiers(tiers)?;
    let mut steps = Vec::with_capacity(tiers.len());
    let mut below = UnroundedAmount::zero();
    for tier in tiers {
        if !steps.is_empty() && *units <= below {
            break;
        }
        let end = tier.up_to.as_ref().map_or_else(
            || units.clone(),
            |end| UnroundedAmount::from(end).min(units.clone()),
        );
        steps.push(tier_step(
            end.clone() - &below,
            tier.up_to.clone(),
            &tier.unit_price,
            &tier.flat_fee,
        ));
        below = end;
    }
    Ok(steps)
}

/// Rates all units at the price of the tier that the total reaches. A total of 100.5 is above a
/// tier that ends at 100.
fn rate_volume(tiers: &[Tier], units: UnroundedAmount) -> Result<Vec<Step>, RatingRefusal> {
    check_tiers(tiers)?;
    let reaches = |tier: &&Tier| {
        tier.up_to
            .as_ref()
            .is_none_or(|end| units <= UnroundedAmount::from(end))
    };
    let tier = tiers
        .iter()
        .find(reaches)
        .ok_or(RatingRefusal::UnitsWithoutPrice)?;
    Ok(vec![tier_step(
        units,
        tier.up_to.clone(),
        &tier.unit_price,
        &tier.flat_fee,
    )])
}

/// Rates packages: ceil((units - free) / size) x price.
fn rate_packages(
    free: &PlanDecimal,
    size: &PlanDecimal,
    price: &PlanDecimal,
    units: UnroundedAmount,
) -> Result<Vec<Step>, RatingRefusal> {
    let package = UnroundedAmount::from(size);
    if !package.is_positive() {
        return Err(RatingRefusal::EmptyPackage);
    }
    let free = UnroundedAmount::from(free);
    if units <= free {
        return Ok(vec![Step::Free { units }]);
    }
    let paid = units - &free;
    let packages = paid.packages(&package);
    let amount = &packages * &UnroundedAmount::from(price);
    let package = Step::Package {
        units: paid,
        packages,
        size: size.clone(),
        price: price.clone(),
        amount,
    };
    let steps = if free.is_positive() {
        vec![Step::Free { units: free }, package]
    } else {
        vec![package]
    };
    Ok(steps)
}

fn tier_step(
    units: UnroundedAmount,
    up_to: Option<PlanDecimal>,
    unit_price: &PlanDecimal,
    flat_fee: &PlanDecimal,
) -> Step {
    let amount = &units * &UnroundedAmount::from(unit_price) + &UnroundedAmount::from(flat_fee);
    Step::Tier {
        units,
        up_to,
        unit_price: unit_price.clone(),
        flat_fee: flat_fee.clone(),
        amount,
    }
}

fn check_tiers(tiers: &[Tier]) -> Result<(), RatingRefusal> {
    let (last, inner) = tiers.split_last().ok_or(RatingRefusal::NoTiers)?;
    if last.up_to.is_some() {
        return Err(RatingRefusal::UnitsWithoutPrice);
    }
    let mut below = PlanDecimal::zero();
    for tier in inner {
        let end = tier.up_to.clone().ok_or(RatingRefusal::UnitsWithoutPrice)?;
        if end <= below {
            return Err(RatingRefusal::TiersDoNotRise);
        }
        below = end;
    }
    Ok(())
}
