//! Usage thresholds at which a tenant wants to be notified, in addition to those of its plan.

use crate::change_set::{ChangeSet, State};
use crate::{Actor, AuditAction, Context, FieldProblem, Username};
use catalogue::{Allowance, Plan};
use kernel::MeterCode;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// The most thresholds of one meter that a tenant can add to those of its plan.
pub const THRESHOLDS_MAX: usize = 10;
/// The highest threshold, in percent of what the plan allows.
pub const THRESHOLD_PERCENT_MAX: u16 = 1_000;

/// A tenant's own thresholds by meter, in percent of the plan's allowance in a billing period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AlertThresholds(BTreeMap<MeterCode, BTreeSet<u16>>);

impl AlertThresholds {
    /// Checks thresholds against the plan's allowances. A meter with an empty list is dropped.
    ///
    /// # Errors
    /// When the plan has no allowance of a meter, a meter is named twice, or a list is too long or
    /// has a percentage out of range.
    pub fn of_plan<'a>(
        plan: &Plan,
        wanted: impl IntoIterator<Item = (&'a str, &'a [u16])>,
    ) -> Result<Self, FieldProblem> {
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
        Ok(Self(thresholds))
    }

    /// The thresholds of a meter in percent, in ascending order.
    pub fn of(&self, meter: &MeterCode) -> impl Iterator<Item = u16> {
        self.0.get(meter).into_iter().flatten().copied()
    }

    /// An allowance with the tenant's own thresholds merged into the plan's.
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
