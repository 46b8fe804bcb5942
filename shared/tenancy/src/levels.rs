//! Levels of usage that a tenant wants to be told, besides those of its plan.

use crate::outcome::{Outcome, State};
use crate::{Actor, AuditAction, FieldProblem, Occasion, Username};
use catalogue::{OwnLevels, Plan};
use std::collections::{BTreeMap, BTreeSet};

/// How many levels of one meter a tenant adds to those of its plan.
pub const LEVELS_MAX: usize = 10;
/// The highest level, in percent of what the plan allows.
pub const LEVEL_PERCENT_MAX: u16 = 1_000;

/// Own levels of meters that a plan has allowances of; those of a meter may be none.
///
/// # Errors
/// When the plan has no allowance of a meter, or a meter comes twice or with levels that cannot be.
pub fn levels_of_plan<'a>(
    plan: &Plan,
    wanted: impl IntoIterator<Item = (&'a str, &'a [u16])>,
) -> Result<OwnLevels, FieldProblem> {
    let mut levels = BTreeMap::new();
    for (meter, percents) in wanted {
        let allowance = plan
            .allowances
            .iter()
            .find(|allowance| allowance.meter.as_str() == meter);
        let allowance = allowance.ok_or(FieldProblem {
            field: "meter",
            reason: "a meter that the plan has an allowance of",
        })?;
        let known: BTreeSet<u16> = percents.iter().copied().collect();
        if percents.len() > LEVELS_MAX
            || known
                .iter()
                .any(|percent| !(1..=LEVEL_PERCENT_MAX).contains(percent))
        {
            return Err(FieldProblem {
                field: "percents",
                reason: "at most 10 numbers from 1 to 1000",
            });
        }
        if levels.insert(allowance.meter.clone(), known).is_some() {
            return Err(FieldProblem {
                field: "meter",
                reason: "named once",
            });
        }
    }
    levels.retain(|_, percents| !percents.is_empty());
    Ok(levels.into_iter().collect())
}

/// Decides that these are a tenant's own levels from now on, in place of those before; nothing
/// where they are already.
#[must_use]
pub fn decide_levels(
    state: &State,
    levels: &OwnLevels,
    by: Username,
    occasion: &Occasion,
) -> Option<Outcome> {
    if state.tenant.usage_levels == *levels {
        return None;
    }
    let mut outcome = Outcome::of(state);
    outcome.tenant.usage_levels = levels.clone();
    outcome.note(Actor::User(by), AuditAction::SetUsageLevels, None, occasion);
    Some(outcome)
}
