//! Reads the region's gauges, all concurrently and each within a time limit.

use crate::store::HeartbeatStore;
use aws_types::SdkConfig;
use contract::{Dependency, DependencyHealth, DependencyState, EventCounts, TenantCounts};
use outbox::{Backlog, Outbox};
use std::error::Error;
use std::time::{Duration, Instant};
use tenant_store::TenantReader;
use usage_store::{UsageBacklog, UsageMonitor};

/// A table that takes longer than this counts as down: its users could not work with it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// The gauges of a region.
pub(crate) struct Gauges {
    probe: HeartbeatStore,
    tables: [(Dependency, String); 3],
    tenants: TenantReader,
    usage: UsageMonitor,
    outbox: Outbox,
}

/// The measurements. A gauge that did not answer is absent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured {
    pub(crate) dependencies: Vec<DependencyHealth>,
    pub(crate) tenants: Option<TenantCounts>,
    pub(crate) events: Option<EventCounts>,
    pub(crate) outbox: Option<Backlog>,
    pub(crate) usage: Option<UsageBacklog>,
}

impl Gauges {
    pub(crate) fn new(
        aws: &SdkConfig,
        regional_table: String,
        usage_table: String,
        outbox_table: String,
    ) -> Self {
        Self {
            probe: HeartbeatStore::new(aws, outbox_table.clone()),
            tenants: TenantReader::new(aws, regional_table.clone()),
            usage: UsageMonitor::new(aws, usage_table.clone()),
            outbox: Outbox::new(aws, outbox_table.clone()),
            tables: [
                (Dependency::RegionalTable, regional_table),
                (Dependency::UsageTable, usage_table),
                (Dependency::OutboxTable, outbox_table),
            ],
        }
    }

    pub(crate) async fn read(&self) -> Measured {
        let [regional, usage, outbox] = &self.tables;
        let (regional, usage, outbox, tenants, events, backlog, pending) = tokio::join!(
            self.probe_table(regional),
            self.probe_table(usage),
            self.probe_table(outbox),
            answer("tenant counts", self.tenants.counts()),
            answer("event counts", self.usage.counts()),
            answer("outbox backlog", self.outbox.backlog()),
            answer("usage backlog", self.usage.backlog()),
        );
        let dependencies = vec![
            regional.unless(tenants.is_none()),
            usage.unless(events.is_none() || pending.is_none()),
            outbox.unless(backlog.is_none()),
        ];
        Measured {
            dependencies,
            tenants,
            events,
            outbox: backlog,
            usage: pending,
        }
    }

    async fn probe_table(&self, (dependency, table): &(Dependency, String)) -> ProbeResult {
        let started = Instant::now();
        let answered = answer("a probe", self.probe.probe(table)).await;
        ProbeResult {
            dependency: *dependency,
            is_up: answered.is_some(),
            took: started.elapsed(),
        }
    }
}

/// The result of probing a table.
struct ProbeResult {
    dependency: Dependency,
    is_up: bool,
    took: Duration,
}

impl ProbeResult {
    /// The health of a table. A table is up when it answered both the probe and its gauges.
    fn unless(self, has_failed_gauge: bool) -> DependencyHealth {
        let is_up = self.is_up && !has_failed_gauge;
        DependencyHealth {
            dependency: self.dependency,
            state: if is_up {
                DependencyState::Up
            } else {
                DependencyState::Down
            },
            latency_ms: u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// The value of a gauge. None, with a warning in the log, when it fails or exceeds
/// [`ANSWER_TIMEOUT`].
async fn answer<T, E: Error>(
    gauge: &'static str,
    reading: impl Future<Output = Result<T, E>>,
) -> Option<T> {
    match tokio::time::timeout(ANSWER_TIMEOUT, reading).await {
        Ok(Ok(value)) => Some(value),
        Ok(Err(error)) => {
            tracing::warn!(gauge, error = error.to_string(), "a gauge failed");
            None
        }
        Err(_) => {
            tracing::warn!(gauge, "a gauge did not answer in time");
            None
        }
    }
}
