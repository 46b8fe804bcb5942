//! Charge models: how units become an exact amount that explains itself.

use crate::UnroundedAmount;
use catalogue::{ChargeModel, Tier};
use kernel::PlanDecimal;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An amount before rounding, with the steps that it is the sum of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rated {
    /// What the units went through, in order.
    pub steps: Vec<Step>,
    /// The sum of the steps.
    pub amount: UnroundedAmount,
}

/// One part of an amount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "step", rename_all = "snake_case")]
#[schema(as = RatingStep)]
pub enum Step {
    /// Units at a price, and the flat fee of having entered the tier.
    Tier {
        /// The units that this tier prices.
        units: UnroundedAmount,
        /// The last unit of the tier; absent where it has no end.
        up_to: Option<PlanDecimal>,
        /// The price of a unit.
        unit_price: PlanDecimal,
        /// What entering the tier costs.
        flat_fee: PlanDecimal,
        /// units x `unit_price` + `flat_fee`.
        amount: UnroundedAmount,
    },
    /// Units that cost nothing.
    Free {
        /// How many.
        units: UnroundedAmount,
    },
    /// Units that are sold in whole packages.
    Package {
        /// The units to be covered.
        units: UnroundedAmount,
        /// How many packages cover them.
        packages: UnroundedAmount,
        /// Units of a package.
        size: PlanDecimal,
        /// The price of a package.
        price: PlanDecimal,
        /// packages x price.
        amount: UnroundedAmount,
    },
}

impl Step {
    /// What the step costs.
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

/// Why a charge cannot be rated: the catalogue contradicts itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RatingRefusal {
    /// There is no tier to rate by.
    #[error("a charge has no tiers")]
    NoTiers,
    /// A tier ends before it begins.
    #[error("the tiers of a charge do not rise")]
    TiersDoNotRise,
    /// Units beyond the last tier would have no price.
    #[error("only the last tier of a charge has no end, and it must have none")]
    UnitsWithoutPrice,
    /// No number of packages holds any unit.
    #[error("a package of a charge holds no units")]
    EmptyPackage,
}

/// Rates units by a charge model.
///
/// A total below zero is rated as zero: usage by itself never makes a credit.
///
/// # Errors
/// When the model contradicts itself.
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

/// Each tier's units at its price. A tier is entered by the first part of a unit above the tier
/// before; the first tier is entered always, so its flat fee applies at zero units too.
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

/// All units at the price of the tier that the total reaches: 100.5 is above a tier that ends at
/// 100.
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

/// ceil((units - free) / size) x price.
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
