//! Usage thresholds at which a tenant wants to be notified, in addition to those of its plan.

use crate::audit::{Actor, AuditAction};
use crate::change_set::{ChangeSet, State};
use crate::registration::FieldProblem;
use crate::tenant::Context;
use crate::user::Username;
use catalogue::{AlertThresholds, Plan};
use std::collections::{BTreeMap, BTreeSet};

/// The most thresholds of one meter that a tenant can add to those of its plan.
pub const THRESHOLDS_MAX: usize = 10;
/// The highest threshold, in percent of what the plan allows.
pub const THRESHOLD_PERCENT_MAX: u16 = 1_000;

/// Own thresholds of meters that a plan has allowances of; those of a meter may be none.
///
/// # Errors
/// When the plan has no allowance of a meter, or a meter comes twice or with thresholds that cannot be.
pub fn thresholds_of_plan<'a>(
    plan: &Plan,
    wanted: impl IntoIterator<Item = (&'a str, &'a [u16])>,
) -> Result<AlertThresholds, FieldProblem> {
    let mut thresholds = BTreeMap::new();
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
        if percents.len() > THRESHOLDS_MAX
            || known
                .iter()
                .any(|percent| !(1..=THRESHOLD_PERCENT_MAX).contains(percent))
        {
            return Err(FieldProblem {
                field: "percents",
                reason: "at most 10 numbers from 1 to 1000",
            });
        }
        if thresholds.insert(allowance.meter.clone(), known).is_some() {
            return Err(FieldProblem {
                field: "meter",
                reason: "named once",
            });
        }
    }
    thresholds.retain(|_, percents| !percents.is_empty());
    Ok(thresholds.into_iter().collect())
}

/// Replaces a tenant's own thresholds. `None` if they are the same already.
#[must_use]
pub fn decide_alert_thresholds(
    state: &State,
    thresholds: &AlertThresholds,
    by: Username,
    context: &Context,
) -> Option<ChangeSet> {
    if state.tenant.alert_thresholds == *thresholds {
        return None;
    }
    let mut changes = ChangeSet::of(state);
    changes.tenant.alert_thresholds = thresholds.clone();
    changes.note(
        Actor::User(by),
        AuditAction::SetAlertThresholds,
        None,
        context,
    );
    Some(changes)
}
