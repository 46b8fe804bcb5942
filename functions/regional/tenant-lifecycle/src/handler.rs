//! One run over everything that is due.
//!
//! It may be cut off anywhere: what is done is stored, and what is not done is still due.

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

/// How long a run begins something new: the function's timeout is a minute.
const RUN_TIME: Duration = Duration::from_secs(40);
/// How long one tenant is worked on before others have their turn.
const TURN_TIME: Duration = Duration::from_secs(10);
/// How much of each partition is loaded at once.
const PAGE: u16 = 25;
const TURNS_AT_ONCE: usize = 8;

/// Works through what is due at the schedule's time until nothing is, or until the time is over.
/// One tenant that fails does not stop the others; then the run as a whole has failed.
pub(crate) async fn handle(adapters: &Adapters, event: Scheduled) -> Result<(), Failure> {
    adapters.run(event.time, Instant::now() + RUN_TIME).await
}

/// What is still due, and why.
#[derive(Debug, thiserror::Error)]
#[error("{} of the tenant {} is still due", due.kind.as_str(), due.tenant)]
struct TaskPending {
    due: ScheduledTask,
    #[source]
    source: TaskError,
}

/// Why something could not be done.
#[derive(Debug, thiserror::Error)]
enum TaskError {
    #[error("the tenant is not changed")]
    NotStored(#[source] TenantStoreError),
    #[error("whether usage waits is not known")]
    UsageUnknown(#[source] UsageStoreError),
    #[error("the tenant's data is not all erased")]
    NotErased(#[source] EraseError),
    #[error("a client that has ended is still there")]
    ClientsLeft(#[source] EraseError),
}

/// What became of a turn.
enum TaskOutcome {
    Done,
    /// The time was over. What was done is stored.
    Unfinished,
}

impl Adapters {
    /// Round after round, since what is done may make something else due at once. What failed is
    /// left alone for this run, and does not keep what comes behind it from being loaded. The first
    /// failure is the run's.
    async fn run(&self, now: Timestamp, end: Instant) -> Result<(), Failure> {
        let mut failed = HashSet::new();
        let mut changes = Ok(());
        while Instant::now() < end {
            let limit = PAGE.saturating_add(u16::try_from(failed.len()).unwrap_or(u16::MAX));
            let due = self.tenants.reader().load_due_tasks(now, limit).await;
            let mut due = due.map_err(|error| Failure::of("TasksNotLoaded", &error))?;
            due.retain(|due| !failed.contains(due));
            if due.is_empty() {
                break;
            }
            let mut turns = iter(due)
                .map(async |due| (due, self.take_slot(due, now, end).await))
                .buffer_unordered(TURNS_AT_ONCE);
            while let Some((due, turn)) = turns.next().await {
                if turn.is_err() {
                    failed.insert(due);
                }
                changes = changes.and(turn);
            }
        }
        changes
    }

    /// Does one thing that is due, as far as the time goes: what is not finished has its next turn
    /// in the next round or run.
    async fn take_slot(
        &self,
        due: ScheduledTask,
        now: Timestamp,
        end: Instant,
    ) -> Result<(), Failure> {
        let (tenant, kind) = (due.tenant, due.kind.as_str());
        match self
            .attend(&due, now, end.min(Instant::now() + TURN_TIME))
            .await
        {
            Ok(TaskOutcome::Done) => tracing::info!(%tenant, kind, "done what was due"),
            Ok(TaskOutcome::Unfinished) => tracing::info!(%tenant, kind, "not finished yet"),
            Err(source) => return Err(Failure::of("TaskPending", &TaskPending { due, source })),
        }
        Ok(())
    }

    /// Does what a tenant is looked at for, and decides what follows.
    async fn attend(
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

    /// The circumstances of a decision that is made now.
    pub(crate) fn context(&self, now: Timestamp) -> Context {
        Context {
            region: self.region.clone(),
            event: EventId::from_uuid(runtime::new_uuid()),
            now,
        }
    }
}
