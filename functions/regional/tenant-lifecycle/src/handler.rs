//! One run over all due tasks.
//!
//! It may be interrupted anywhere: what is done is stored, and a task that is not done is still
//! due.

use crate::adapters::Adapters;
use crate::erasure::EraseError;
use futures::stream::{StreamExt as _, iter};
use kernel::{EventId, Timestamp};
use runtime::{Failure, Scheduled};
use std::collections::HashSet;
use std::time::{Duration, Instant};
use tenancy::{Context, ScheduledTask, TaskKind, decide_task, is_erasable};
use tenant_store::{Leaving, LoadOptions, TenantStoreError};
use usage_store::UsageStoreError;

/// How long a run starts new work: two thirds of the function's timeout of a minute.
const RUN_TIME: Duration = Duration::from_secs(40);
/// The length of one tenant's time slot, so that a large erasure does not hold up the others.
const SLOT_TIME: Duration = Duration::from_secs(10);
/// The most tasks that are loaded from each partition at once.
const PAGE: u16 = 25;
/// The time slots that run concurrently.
const SLOTS_AT_ONCE: usize = 8;

/// Runs the tasks that are due at the schedule's time until none is left or the time is over. A
/// tenant that fails does not stop the others, but the run as a whole fails then.
pub(crate) async fn handle(adapters: &Adapters, event: Scheduled) -> Result<(), Failure> {
    adapters.run(event.time, Instant::now() + RUN_TIME).await
}

/// A task that is still due, and the reason.
#[derive(Debug, thiserror::Error)]
#[error("{} of the tenant {} is still due", due.kind.as_str(), due.tenant)]
struct TaskPending {
    due: ScheduledTask,
    #[source]
    source: TaskError,
}

/// Why a task failed.
#[derive(Debug, thiserror::Error)]
enum TaskError {
    #[error("the tenant is not changed")]
    NotStored(#[source] TenantStoreError),
    #[error("the pending usage could not be read")]
    UsageUnknown(#[source] UsageStoreError),
    #[error("the tenant's data is not all erased")]
    NotErased(#[source] EraseError),
    #[error("a client that has ended is still there")]
    ClientsLeft(#[source] EraseError),
}

/// The result of a time slot.
enum TaskOutcome {
    Done,
    /// The time is over. Completed steps are stored.
    Unfinished,
}

impl Adapters {
    /// Runs round after round, because a task may make another one due at once. A failed task is
    /// skipped for the rest of this run; each page grows by the failed ones, so that they do not
    /// hide the tasks behind them. The first failure is the run's.
    async fn run(&self, now: Timestamp, end: Instant) -> Result<(), Failure> {
        let mut failed = HashSet::new();
        let mut result = Ok(());
        while Instant::now() < end {
            let limit = PAGE.saturating_add(u16::try_from(failed.len()).unwrap_or(u16::MAX));
            let due = self.tenants.reader().load_due_tasks(now, limit).await;
            let mut due = due.map_err(|error| Failure::of("TasksNotLoaded", &error))?;
            due.retain(|due| !failed.contains(due));
            if due.is_empty() {
                break;
            }
            let mut slots = iter(due)
                .map(async |due| (due, self.run_slot(due, now, end).await))
                .buffer_unordered(SLOTS_AT_ONCE);
            while let Some((due, slot)) = slots.next().await {
                if slot.is_err() {
                    failed.insert(due);
                }
                result = result.and(slot);
            }
        }
        result
    }

    /// Runs one task for at most a time slot. An unfinished task gets its next slot in the next
    /// round or run.
    async fn run_slot(
        &self,
        due: ScheduledTask,
        now: Timestamp,
        end: Instant,
    ) -> Result<(), Failure> {
        let (tenant, kind) = (due.tenant, due.kind.as_str());
        match self
            .run_task(&due, now, end.min(Instant::now() + SLOT_TIME))
            .await
        {
            Ok(TaskOutcome::Done) => tracing::info!(%tenant, kind, "task done"),
            Ok(TaskOutcome::Unfinished) => tracing::info!(%tenant, kind, "task not finished yet"),
            Err(source) => return Err(Failure::of("TaskPending", &TaskPending { due, source })),
        }
        Ok(())
    }

    /// Does the work of a task, then decides what follows for the tenant.
    async fn run_task(
        &self,
        due: &ScheduledTask,
        now: Timestamp,
        until: Instant,
    ) -> Result<TaskOutcome, TaskError> {
        let state = match self.tenants.load(due.tenant, LoadOptions::SIGNUP).await {
            Ok(loaded) => loaded.state,
            Err(TenantStoreError::UnknownTenant) => {
                return self
                    .tenants
                    .drop_due(due)
                    .await
                    .map(|()| TaskOutcome::Done)
                    .map_err(TaskError::NotStored);
            }
            Err(error) => return Err(TaskError::NotStored(error)),
        };
        if due.kind == TaskKind::Clients {
            self.end_clients(&state.tenant, now)
                .await
                .map_err(TaskError::ClientsLeft)?;
        }
        if due.kind == TaskKind::Mail
            && !self
                .send_owed(&state, now, until)
                .await
                .map_err(TaskError::NotStored)?
        {
            return Ok(TaskOutcome::Unfinished);
        }
        let is_drained = match due.kind {
            TaskKind::Drain => !self
                .usage
                .has_pending(due.tenant)
                .await
                .map_err(TaskError::UsageUnknown)?,
            _ => false,
        };
        if due.kind == TaskKind::Erasure && is_erasable(&state) {
            let left = self
                .erase(&state, now, until)
                .await
                .map_err(TaskError::NotErased)?;
            if left == Leaving::Some {
                return Ok(TaskOutcome::Unfinished);
            }
        }
        let context = self.context(now);
        let changed = self
            .tenants
            .change(due.tenant, LoadOptions::SIGNUP, |loaded| {
                decide_task(
                    &loaded.state,
                    due,
                    is_drained,
                    &self.catalogue,
                    &self.settings,
                    &context,
                )
                .map(Some)
            });
        changed
            .await
            .map(|_| TaskOutcome::Done)
            .map_err(TaskError::NotStored)
    }

    /// The context of a decision that is made now.
    pub(crate) fn context(&self, now: Timestamp) -> Context {
        Context {
            region: self.region.clone(),
            event: EventId::from_uuid(runtime::new_uuid()),
            now,
        }
    }
}
