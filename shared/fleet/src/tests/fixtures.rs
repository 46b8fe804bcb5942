//! Values that the tests are written in: regions by letter, moments by second.

use crate::{DesiredPolicy, Publication, Refusal, Tenant, decide_acknowledgement, decide_resend, decide_statement};
use contract::catalogue::Catalogue;
use contract::{Envelope, Stream, TenantPolicyApplied, TenantStatusChanged};
use kernel::{EventId, RegionCode, StatusReason, TenantId, TenantStatus, Timestamp};

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

pub(super) fn stated(place: &str, revision: u64, status: TenantStatus, plan: &str) -> Envelope<TenantStatusChanged> {
    let tenant: TenantId = TENANT.parse().unwrap();
    Envelope {
        id: EVENT.parse().unwrap(),
        region: region(place),
        stream: Stream::Tenant(tenant),
        sequence: revision,
        occurred_at: at(i64::try_from(revision).unwrap()),
        data: TenantStatusChanged {
            tenant,
            alias: "a2b3c4d5e6f7".parse().unwrap(),
            plan: plan.parse().unwrap(),
            status,
            reason: StatusReason::Operator,
            revision,
        },
    }
}

pub(super) fn acknowledged(place: &str, version: u64) -> Envelope<TenantPolicyApplied> {
    let tenant: TenantId = TENANT.parse().unwrap();
    Envelope {
        id: EVENT.parse().unwrap(),
        region: region(place),
        stream: Stream::Tenant(tenant),
        sequence: version,
        occurred_at: at(0),
        data: TenantPolicyApplied { tenant, version },
    }
}

pub(super) fn publication(now: Timestamp) -> Publication {
    Publication { event: EVENT.parse::<EventId>().unwrap(), now }
}

/// Something that happens to a tenant.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Stated(&'static str, u64, TenantStatus, &'static str),
    Acknowledged(&'static str, u64),
    Swept(i64),
}

pub(super) fn decide(current: Option<&Tenant>, step: &Step) -> Result<Option<Tenant>, Refusal> {
    let catalogue = Catalogue::bundled().unwrap();
    match step {
        Step::Stated(place, revision, status, plan) => {
            decide_statement(current, &stated(place, *revision, *status, plan), &catalogue, publication(at(0)))
        }
        Step::Acknowledged(place, version) => decide_acknowledgement(current, &acknowledged(place, *version)),
        Step::Swept(second) => Ok(current.and_then(|tenant| decide_resend(tenant, at(*second)))),
    }
}

/// Takes the steps one after the other; a refused one changes nothing.
pub(super) fn run(steps: &[Step]) -> Option<Tenant> {
    steps.iter().fold(None, |current, step| match decide(current.as_ref(), step) {
        Ok(Some(after)) => Some(after),
        Ok(None) | Err(_) => current,
    })
}

/// What a policy says, without the counters that depend on the way to it.
pub(super) fn content(policy: &DesiredPolicy) -> (String, bool, Vec<String>) {
    let entitlements = policy.policy.entitlements.iter().map(ToString::to_string).collect();
    (policy.policy.plan.to_string(), policy.policy.suspended, entitlements)
}
