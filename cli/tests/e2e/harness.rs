//! Plays the journeys that are registered: some side by side, the others alone, and says how long
//! each took.

use crate::quiet::sweep;
use crate::{redelivery, residency};
use anyhow::{Context, Result, bail};
use futures::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Failed, Trial};
use meridian::local::{Stack, UpOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// How many journeys run side by side, unless `--test-threads` says otherwise.
///
/// Measured on 2 cores: fewer leave a core idle while they wait, more make waits longer than they
/// are.
const SIDE_BY_SIDE: usize = 4;

/// A journey through the whole stack, as `#[journey]` registers it.
pub(crate) struct Journey {
    pub(crate) name: &'static str,
    pub(crate) turn: Turn,
    pub(crate) play: for<'a> fn(&'a Stack) -> LocalBoxFuture<'a, Result<()>>,
}

/// When a journey runs; in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Turn {
    /// Beside others, with tenants of its own.
    Together,
    /// Alone, before a clock is moved or something is lost.
    First,
    /// Alone in a region, beside those of other regions.
    Apart(&'static str),
    /// Alone.
    Alone,
    /// Alone, after all others.
    Last,
}

impl Turn {
    /// Whether a journey may begin while others run.
    fn may_begin(self, running: &[Self]) -> bool {
        running.iter().all(|other| match (self, *other) {
            (Self::Together, Self::Together) => true,
            (Self::Apart(region), Self::Apart(other)) => region != other,
            _ => false,
        })
    }
}

inventory::collect!(Journey);

/// What all journeys share.
#[derive(Default)]
struct Stage {
    stack: OnceCell<Result<Stack, String>>,
    running: Mutex<Vec<Turn>>,
    ended: Condvar,
    took: Mutex<Vec<(Duration, &'static str)>>,
}

/// Plays the journeys that the command line asks for.
pub(crate) fn run() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SIDE_BY_SIDE);
    let Ok(runtime) = Runtime::new().map(Arc::new) else {
        return ExitCode::FAILURE;
    };
    let stage: Arc<Stage> = Arc::default();
    let trials = in_turn().into_iter().map(|journey| {
        let (runtime, stage) = (Arc::clone(&runtime), Arc::clone(&stage));
        Trial::test(journey.name, move || {
            stage.begin(journey.turn);
            let played = runtime.block_on(stage.play(journey));
            stage.end(journey.turn);
            played.map_err(|error| Failed::from(format!("{error:#}")))
        })
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    let ended = runtime.block_on(stage.close());
    if let Err(error) = &ended {
        eprintln!("{error:#}");
    }
    if ended.is_err() {
        return ExitCode::FAILURE;
    }
    conclusion.exit_code()
}

/// Every journey, in the order of the turns. Those of different regions alternate, so that none of
/// these waits for one region while another is idle.
fn in_turn() -> Vec<&'static Journey> {
    let mut journeys: Vec<&Journey> = inventory::iter::<Journey>.into_iter().collect();
    journeys.sort_by_key(|journey| journey.name);
    let mut earlier: BTreeMap<Turn, usize> = BTreeMap::new();
    let mut numbered: Vec<_> = Vec::new();
    for journey in journeys {
        let of_region = earlier.entry(journey.turn).or_default();
        *of_region += 1;
        let (phase, number) = match journey.turn {
            Turn::Apart(_) => (Turn::Apart(""), *of_region),
            turn => (turn, 0),
        };
        numbered.push((phase, number, journey));
    }
    numbered.sort_by_key(|(phase, number, _)| (*phase, *number));
    numbered.into_iter().map(|(.., journey)| journey).collect()
}

impl Stage {
    /// Waits until a journey may begin.
    fn begin(&self, turn: Turn) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = |running: &mut Vec<Turn>| !turn.may_begin(running);
        let running = self.ended.wait_while(running, wait);
        running.unwrap_or_else(PoisonError::into_inner).push(turn);
    }

    fn end(&self, turn: Turn) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = running.iter().position(|other| *other == turn) {
            running.swap_remove(at);
        }
        self.ended.notify_all();
    }

    /// Plays a journey.
    async fn play(&self, journey: &Journey) -> Result<()> {
        let stack = self
            .stack
            .get_or_init(async || up(self).await.map_err(|error| format!("{error:#}")))
            .await;
        let stack = stack.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
        if journey.turn > Turn::Together {
            redelivery::hasten_alone(stack).await?;
        }
        let began = Instant::now();
        let mut played = (journey.play)(stack).await;
        if !matches!(journey.turn, Turn::Together | Turn::Apart(_)) {
            let whole = make_whole(stack).await.context("after the journey");
            played = played.and(whole);
        }
        self.note(journey.name, began);
        played
    }

    fn note(&self, name: &'static str, began: Instant) {
        let mut took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        took.push((began.elapsed(), name));
    }

    /// Searches for what the journeys have left to search for, stops the stack, and says how long
    /// everything took.
    async fn close(&self) -> Result<()> {
        let Some(stack) = self.stack.get() else {
            return Ok(());
        };
        let searched = match stack {
            Ok(stack) => residency::search(stack).await,
            Err(_) => Ok(()),
        };
        let stopped = Stack::down(&checkout()).await;
        let mut took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        took.sort();
        for (time, name) in took.iter().rev() {
            println!("{:6.1} s {name}", time.as_secs_f64());
        }
        searched?;
        stopped.context("the stack does not stop").map(|_| ())
    }
}

/// Makes a stack whole again, whatever a journey has done to it.
async fn make_whole(stack: &Stack) -> Result<()> {
    stack.control().heal().await?;
    for region in stack.state().regions.keys() {
        if stack.start_region(region).await? {
            sweep(stack, region).await?;
        }
    }
    Ok(())
}

async fn up(stage: &Stage) -> Result<Stack> {
    let began = Instant::now();
    let checkout = checkout();
    let regions = Stack::status(&checkout).await?.regions;
    if regions.iter().any(|region| region.pid.is_some()) {
        bail!(
            "a local stack of this checkout is running, and these tests begin with an empty one: meridian local down"
        );
    }
    let stack = Stack::up(UpOptions {
        reset: true,
        ..UpOptions::new(checkout)
    })
    .await?;
    redelivery::hasten(&stack).await?;
    stage.note("until the stack is up", began);
    Ok(stack)
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
