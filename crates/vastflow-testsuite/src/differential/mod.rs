//! The differential test: the same random steps on a store and on the specification, every answer compared.

mod compare;
mod draw;
mod steps;
mod world;

use crate::harness::Harness;
use std::fmt;
use std::sync::Arc;
use world::World;

/// How many of the last steps a failure shows.
const TAIL: usize = 25;

/// What a store did differently from the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Repeats it.
    pub seed: u64,
    /// The last steps before it, oldest first.
    pub steps: Vec<String>,
    /// The difference.
    pub why: String,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "the store differs from the specification (seed {}): {}", self.seed, self.why)?;
        writeln!(f, "the last steps:")?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  {step}"))
    }
}

impl std::error::Error for Divergence {}

/// What happened in a differential test: proof that it tested something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Commits that took effect.
    pub done: u64,
    /// Commits that were recognised as repetitions.
    pub duplicate: u64,
    /// Commits that came too late.
    pub conflict: u64,
    /// Commits that had no right.
    pub fenced: u64,
    /// Malformed commits.
    pub invalid: u64,
    /// Tasks that were claimed.
    pub claimed: u64,
    /// Tasks of claims whose answer was lost.
    pub unheard: u64,
    /// Claims that came too late.
    pub late: u64,
    /// Messages that were handed over.
    pub messages: u64,
    /// Tasks that were swept.
    pub swept: u64,
    /// Runs that were deleted.
    pub pruned: u64,
    /// Times that the store was opened again.
    pub reopened: u64,
    /// Answers that had to be asked for again.
    pub retried: u64,
}

impl Tally {
    /// The sum of two.
    #[must_use]
    pub const fn plus(self, other: Tally) -> Tally {
        Tally {
            done: self.done + other.done,
            duplicate: self.duplicate + other.duplicate,
            conflict: self.conflict + other.conflict,
            fenced: self.fenced + other.fenced,
            invalid: self.invalid + other.invalid,
            claimed: self.claimed + other.claimed,
            unheard: self.unheard + other.unheard,
            late: self.late + other.late,
            messages: self.messages + other.messages,
            swept: self.swept + other.swept,
            pruned: self.pruned + other.pruned,
            reopened: self.reopened + other.reopened,
            retried: self.retried + other.retried,
        }
    }
}

/// Drives a fresh store of `harness` and the specification with the same `steps` random steps, and compares every
/// answer and, now and then, everything there is to see: journals, tasks, rows, pages, counts.
///
/// A store that answers [`StoreError::Unavailable`](vastflow_store::StoreError::Unavailable) is asked again with the
/// same commits until it answers, so that it can be tested as [`Faulty`](crate::Faulty). A store that survives being
/// closed is closed and opened again now and then.
///
/// The order in which tasks are claimed is compared until something happens after which the specification does not
/// fix it (a release, a sweep, a resume, an opening); from then on only which tasks are claimable.
///
/// # Errors
/// The first [`Divergence`].
pub async fn differential(harness: Arc<dyn Harness>, seed: u64, steps: usize) -> Result<Tally, Divergence> {
    let mut world = World::open(harness, seed).await;
    for step in 0..steps {
        if let Err(why) = world.step(step).await {
            return Err(diverged(world, seed, why));
        }
    }
    match world.compare().await {
        Ok(()) => Ok(world.tally),
        Err(why) => Err(diverged(world, seed, why)),
    }
}

fn diverged(world: World, seed: u64, why: String) -> Divergence {
    let from = world.trace.len().saturating_sub(TAIL);
    Divergence { seed, steps: world.trace[from..].to_vec(), why }
}
