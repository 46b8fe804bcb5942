//! Responses for operators.

use central_store::RegionRecord;
use contract::{DependencyHealth, EventCounts, RegionBillingTotaled, TenantPolicy};
use fleet::{
    Condition, DirectoryEntry, Incidents, RefusedPlan, Status, Tenant, decide_incidents,
    decide_status, find_conditions,
};
use kernel::{Mode, RegionCode, Suspension, Timestamp};
use serde::Serialize;
use std::collections::BTreeSet;

/// The response of `GET /fleet`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Fleet))]
pub(crate) struct FleetAnswer {
    /// The time at which health is evaluated.
    as_of: Timestamp,
    regions: Vec<RegionAnswer>,
}

/// One region. Values from heartbeats are absent until there was one.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = FleetRegion))]
struct RegionAnswer {
    region: RegionCode,
    mode: Option<Mode>,
    status: Status,
    last_heartbeat_at: Option<Timestamp>,
    last_heartbeat_age_seconds: Option<i64>,
    /// Tenants by status, as home counts them.
    tenants: TenantsAnswer,
    /// Absent too if the region has too few tenants to publish a total.
    events: Option<EventCounts>,
    /// Events waiting to be published.
    outbox: Option<QueueAnswer>,
    /// Usage segments waiting to be rolled up.
    usage: Option<QueueAnswer>,
    /// The state of each dependency.
    dependencies: Vec<DependencyHealth>,
    /// Policies that the region has not applied yet.
    unapplied_policies: PoliciesAnswer,
    /// The open incidents with their times.
    incidents: Vec<IncidentAnswer>,
    /// The billing totals, if the region bills its tenants itself.
    billing: Vec<RegionBillingTotaled>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = FleetTenants))]
struct TenantsAnswer {
    pending: i64,
    active: i64,
    other: i64,
    closed: i64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Queue))]
struct QueueAnswer {
    waiting: u64,
    /// The age of the oldest one.
    lag_ms: u64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = UnappliedPolicies))]
struct PoliciesAnswer {
    waiting: i64,
    /// Policies that were repeated so often that somebody should investigate.
    stuck: i64,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = Incident))]
struct IncidentAnswer {
    condition: Condition,
    since: Timestamp,
}

/// The response of `GET /tenants/{id}`: the entry as the region published it, and the policy that
/// home wants.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = DirectoryTenant))]
pub(crate) struct TenantAnswer {
    #[serde(flatten)]
    entry: DirectoryEntry,
    policy: PolicyAnswer,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(utoipa::ToSchema), schema(as = DesiredPolicy))]
struct PolicyAnswer {
    /// The policy with the plan and the reason for a suspension that takes precedence.
    desired: TenantPolicy,
    /// All reasons for a suspension.
    suspended_by: BTreeSet<Suspension>,
    /// The latest requested plan that was refused, unless a later request was granted.
    refused_plan: Option<RefusedPlan>,
    applied_version: u64,
    is_applied: bool,
    is_stuck: bool,
    sent_at: Timestamp,
    resent: u32,
    next_resend_at: Option<Timestamp>,
}

impl FleetAnswer {
    pub(crate) fn of(records: Vec<RegionRecord>, now: Timestamp) -> Self {
        let regions = records
            .into_iter()
            .map(|record| RegionAnswer::of(record, now))
            .collect();
        Self {
            as_of: now,
            regions,
        }
    }
}

impl RegionAnswer {
    fn of(record: RegionRecord, now: Timestamp) -> Self {
        let found = find_conditions(record.heartbeat.as_ref(), record.counts.stuck, now);
        let latest = record.heartbeat.as_ref();
        let report = latest.map(|heartbeat| &heartbeat.report);
        let queue = |waiting, lag_ms| QueueAnswer { waiting, lag_ms };
        // Incidents that the monitor has not recorded yet are shown as of now.
        let incidents = decide_incidents(&record.incidents, &found, now)
            .map_or(record.incidents, |change| change.after);
        Self {
            mode: report.map(|report| report.mode),
            status: decide_status(&found),
            last_heartbeat_at: latest.map(|heartbeat| heartbeat.occurred_at),
            last_heartbeat_age_seconds: latest
                .map(|heartbeat| now.duration_since(heartbeat.occurred_at).as_secs()),
            tenants: TenantsAnswer {
                pending: record.counts.pending,
                active: record.counts.active,
                other: record.counts.other,
                closed: record.counts.closed,
            },
            events: report.and_then(|report| report.events),
            outbox: report.map(|report| queue(report.outbox_waiting, report.outbox_lag_ms)),
            usage: report.map(|report| queue(report.usage_waiting, report.usage_lag_ms)),
            dependencies: report
                .map(|report| report.dependencies.clone())
                .unwrap_or_default(),
            unapplied_policies: PoliciesAnswer {
                waiting: record.counts.unapplied,
                stuck: record.counts.stuck,
            },
            incidents: incidents_of(incidents),
            billing: record
                .billing
                .into_iter()
                .map(|published| published.total)
                .collect(),
            region: record.region,
        }
    }
}

impl TenantAnswer {
    pub(crate) fn of(tenant: Tenant) -> Self {
        let Tenant { entry, policy } = tenant;
        let is_open = |refused: &RefusedPlan| refused.revision > policy.plan_revision;
        let policy = PolicyAnswer {
            refused_plan: policy.refused_plan.clone().filter(is_open),
            applied_version: policy.applied_version,
            is_applied: policy.is_applied(),
            is_stuck: policy.is_stuck(),
            sent_at: policy.sent_at,
            resent: policy.attempts,
            next_resend_at: policy.is_waiting().then_some(policy.due_at),
            suspended_by: policy.suspended_by,
            desired: policy.policy,
        };
        Self { entry, policy }
    }
}

fn incidents_of(incidents: Incidents) -> Vec<IncidentAnswer> {
    let open = incidents.open.into_iter();
    open.map(|(condition, since)| IncidentAnswer { condition, since })
        .collect()
}
