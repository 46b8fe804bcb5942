//! Fixtures of the tests: regions by letter, times by second.

use crate::Refusal;
use crate::directory::{
    Tenant, decide_acknowledgement, decide_erasure, decide_plan_change, decide_published_status,
    decide_resend, decide_suspension,
};
use crate::policy::{DesiredPolicy, Publication, SuspensionChange};
use catalogue::Catalogue;
use contract::{
    Envelope, PlanChangeRequested, Stream, TenantErased, TenantPolicyApplied, TenantStatusChanged,
};
use kernel::{EventId, RegionCode, StatusReason, Suspension, TenantId, TenantStatus, Timestamp};
use std::collections::VecDeque;

pub(super) const TENANT: &str = "0199a1f0-0000-7000-8000-00000000000a";
const EVENT: &str = "0199a1f0-0000-7000-8000-0000000000ee";

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

pub(super) fn region(letter: &str) -> RegionCode {
    match letter {
        "us" => "us-east-1",
        "eu" => "eu-central-1",
        "in" => "ap-south-1",
        _ => panic!("no such region in the tests"),
    }
    .parse()
    .unwrap()
}

/// An event of the tenant that occurred at a second.
fn event<T>(place: &str, sequence: u64, second: i64, data: T) -> Envelope<T> {
    Envelope {
        id: EVENT.parse().unwrap(),
        region: region(place),
        stream: Stream::Tenant(tenant()),
        sequence,
        occurred_at: at(second),
        data,
    }
}

fn tenant() -> TenantId {
    TENANT.parse().unwrap()
}

fn published(
    place: &str,
    revision: u64,
    status: TenantStatus,
    plan: &str,
) -> Envelope<TenantStatusChanged> {
    let change = TenantStatusChanged {
        tenant: tenant(),
        alias: "a2b3c4d5e6f7".parse().unwrap(),
        plan: plan.parse().unwrap(),
        status,
        reason: StatusReason::Operator,
        revision,
    };
    event(place, revision, i64::try_from(revision).unwrap(), change)
}

fn requested(place: &str, revision: u64, plan: &str) -> Envelope<PlanChangeRequested> {
    event(
        place,
        revision,
        0,
        PlanChangeRequested {
            tenant: tenant(),
            plan: plan.parse().unwrap(),
            revision,
        },
    )
}

pub(super) fn publication(now: Timestamp) -> Publication {
    Publication {
        event: EVENT.parse::<EventId>().unwrap(),
        now,
    }
}

/// A step in a tenant's history.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// Region, revision, status, plan.
    Published(&'static str, u64, TenantStatus, &'static str),
    /// Region, number of the request, plan.
    Requested(&'static str, u64, &'static str),
    /// A change of an operator or of the dunning policy.
    Suspension(SuspensionChange),
    /// Region, version.
    Acknowledged(&'static str, u64),
    /// Region, second.
    Erased(&'static str, i64),
    /// Second.
    Polled(i64),
}

pub(super) fn decide(current: Option<&Tenant>, step: &Step) -> Result<Option<Tenant>, Refusal> {
    let catalogue = Catalogue::bundled().unwrap();
    let publication = publication(at(0));
    match step {
        Step::Published(place, revision, status, plan) => decide_published_status(
            current,
            &published(place, *revision, *status, plan),
            &catalogue,
            publication,
        ),
        Step::Requested(place, revision, plan) => decide_plan_change(
            current,
            &requested(place, *revision, plan),
            &catalogue,
            publication,
        ),
        Step::Suspension(change) => decide_suspension(current, *change, publication),
        Step::Acknowledged(place, version) => {
            let word = TenantPolicyApplied {
                tenant: tenant(),
                version: *version,
            };
            decide_acknowledgement(current, &event(place, *version, 0, word))
        }
        Step::Erased(place, second) => decide_erasure(
            current,
            &event(place, 9, *second, TenantErased { tenant: tenant() }),
        ),
        Step::Polled(second) => Ok(current.and_then(|tenant| decide_resend(tenant, at(*second)))),
    }
}

/// Applies the steps in order. A refused step changes nothing.
pub(super) fn run(steps: &[Step]) -> Option<Tenant> {
    steps
        .iter()
        .fold(None, |current, step| match decide(current.as_ref(), step) {
            Ok(Some(after)) => Some(after),
            Ok(None) | Err(_) => current,
        })
}

/// Delivers the steps as a queue does: a refused step is delivered again after the others.
pub(super) fn deliver(steps: &[Step]) -> Option<Tenant> {
    let mut waiting: VecDeque<&Step> = steps.iter().collect();
    let mut current = None;
    let mut refused_in_a_row = 0;
    while let Some(step) = waiting.pop_front() {
        match decide(current.as_ref(), step) {
            Ok(after) => {
                current = after.or(current);
                refused_in_a_row = 0;
            }
            Err(_) if refused_in_a_row > waiting.len() => break,
            Err(_) => {
                waiting.push_back(step);
                refused_in_a_row += 1;
            }
        }
    }
    current
}

/// The content of a policy, without the counters that depend on its history.
pub(super) fn content(policy: &DesiredPolicy) -> (String, Option<Suspension>, Vec<String>) {
    let entitlements = policy
        .policy
        .entitlements
        .iter()
        .map(ToString::to_string)
        .collect();
    (
        policy.policy.plan.to_string(),
        policy.policy.suspension,
        entitlements,
    )
}
