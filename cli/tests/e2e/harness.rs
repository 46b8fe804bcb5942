//! Runs the registered journeys, some side by side and the others alone, and prints the time of
//! each.

use crate::streams::redeliver;
use crate::{redelivery, residency};
use anyhow::{Context, Result, bail};
use futures::future::LocalBoxFuture;
use libtest_mimic::{Arguments, Failed, Trial};
use local_aws::{Stack, UpOptions};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::sync::OnceCell;

/// How many journeys run side by side, unless `--test-threads` sets another number. On 2 cores, the
/// journeys that may took 106 s one after the other, 49 s three at a time, 39 s four at a time, and
/// 43 s six at a time.
const SIDE_BY_SIDE: usize = 4;

/// A journey through the whole stack, as `#[journey]` registers it.
pub(crate) struct Journey {
    pub(crate) name: &'static str,
    pub(crate) turn: Turn,
    pub(crate) play: for<'a> fn(&'a Stack) -> LocalBoxFuture<'a, Result<()>>,
}

/// The phase in which a journey runs. The phases follow in this order.
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
    /// Alone, after all that use the regions as their callers do.
    Last,
    /// Alone, after all others.
    After,
}

impl Turn {
    /// The phase of a turn. Journeys of one phase run in any order.
    const fn phase(self) -> Self {
        match self {
            Self::Apart(_) => Self::Apart(""),
            turn => turn,
        }
    }
}

/// The turns of the journeys that run, and of those that wait.
#[derive(Default)]
struct Turns {
    running: Vec<Turn>,
    waiting: Vec<Turn>,
}

impl Turns {
    /// Whether a journey may begin: no journey of an earlier phase waits, and it may run beside all
    /// those that run.
    fn may_begin(&self, turn: Turn) -> bool {
        let is_first = |other: &Turn| other.phase() >= turn.phase();
        self.waiting.iter().all(is_first)
            && self.running.iter().all(|running| match (turn, *running) {
                (Turn::Together, Turn::Together) => true,
                (Turn::Apart(region), Turn::Apart(other)) => region != other,
                _ => false,
            })
    }
}

/// Removes one of several equal turns.
fn remove(turns: &mut Vec<Turn>, turn: Turn) {
    if let Some(at) = turns.iter().position(|other| *other == turn) {
        turns.swap_remove(at);
    }
}

inventory::collect!(Journey);

/// The state that all journeys share.
#[derive(Default)]
struct Stage {
    stack: OnceCell<Result<Stack, String>>,
    turns: Mutex<Turns>,
    ended: Condvar,
    took: Mutex<Vec<(Duration, &'static str)>>,
}

/// Runs the journeys that the command line selects.
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
            let _turn = stage.begin(journey.turn);
            let played = runtime.block_on(stage.play(journey));
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

/// Lists every journey in the order of the turns. Journeys of different regions alternate, so that
/// none waits for one region while another is idle.
fn in_turn() -> Vec<&'static Journey> {
    let mut journeys: Vec<&Journey> = inventory::iter::<Journey>.into_iter().collect();
    journeys.sort_by_key(|journey| journey.name);
    let mut earlier: BTreeMap<Turn, usize> = BTreeMap::new();
    let mut numbered: Vec<_> = Vec::new();
    for journey in journeys {
        let of_region = earlier.entry(journey.turn).or_default();
        *of_region += 1;
        numbered.push((journey.turn.phase(), *of_region, journey));
    }
    numbered.sort_by_key(|(phase, number, _)| (*phase, *number));
    numbered.into_iter().map(|(.., journey)| journey).collect()
}

impl Stage {
    /// Waits until a journey may begin.
    fn begin(&self, turn: Turn) -> Begun<'_> {
        let mut turns = self.turns();
        turns.waiting.push(turn);
        let waited = self.ended.wait_while(turns, |turns| !turns.may_begin(turn));
        let mut turns = waited.unwrap_or_else(PoisonError::into_inner);
        remove(&mut turns.waiting, turn);
        turns.running.push(turn);
        // A journey that waited behind this one may begin now, too.
        self.ended.notify_all();
        Begun { stage: self, turn }
    }

    fn turns(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs a journey.
    async fn play(&self, journey: &Journey) -> Result<()> {
        let stack = self
            .stack
            .get_or_init(async || up(self).await.map_err(|error| format!("{error:#}")))
            .await;
        let stack = stack.as_ref().map_err(|error| anyhow::anyhow!("{error}"))?;
        // Not before one region has only one journey: a message that takes longer would be delivered
        // again, and five times is a dead letter.
        if matches!(journey.turn, Turn::Alone | Turn::Last | Turn::After) {
            redelivery::shorten_for_one_journey(stack).await?;
        }
        let began = Instant::now();
        let mut played = (journey.play)(stack).await;
        let repaired = match journey.turn {
            Turn::Together => Ok(()),
            // Faults may be of a journey beside it, in another region.
            Turn::Apart(region) => start_again(stack, region).await,
            Turn::First | Turn::Alone | Turn::Last | Turn::After => repair(stack).await,
        };
        played = played.and(repaired.context("after the journey"));
        self.note(journey.name, began);
        played
    }

    fn note(&self, name: &'static str, began: Instant) {
        let mut took = self.took.lock().unwrap_or_else(PoisonError::into_inner);
        took.push((began.elapsed(), name));
    }

    /// Searches for the personal data that the journeys have planted, stops the stack, and prints
    /// the times.
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
        println!("How long it took:");
        for (time, name) in took.iter().rev() {
            println!("{:6.1} s {name}", time.as_secs_f64());
        }
        searched?;
        stopped.context("the stack does not stop").map(|_| ())
    }
}

/// A journey's turn. It ends when this value is dropped, also after a panic of the journey.
struct Begun<'s> {
    stage: &'s Stage,
    turn: Turn,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        remove(&mut self.stage.turns().running, self.turn);
        self.stage.ended.notify_all();
    }
}

/// Repairs a stack after a journey: removes faults and starts stopped regions.
async fn repair(stack: &Stack) -> Result<()> {
    stack.control().heal().await?;
    for region in stack.deployment().regions.keys() {
        start_again(stack, region).await?;
    }
    Ok(())
}

/// Starts a region if a journey has left it stopped.
async fn start_again(stack: &Stack, region: &str) -> Result<()> {
    if stack.start_region(region).await? {
        redeliver(stack, region).await?;
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
    redelivery::shorten(&stack).await?;
    stage.note("until the stack is up", began);
    Ok(stack)
}

fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
