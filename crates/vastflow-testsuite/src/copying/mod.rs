//! Copies of stores, compared with what they are copies of, and carried to the end beside them.

mod plans;
mod player;

use crate::harness::Harness;
use crate::law2::law2;
use crate::rng::Rng;
use crate::{Fault, Faults, Faulty};
use player::Player;
use std::fmt::Debug;
use std::sync::Arc;
use vastflow_core::{Event, Recorded, ScopeId, Seq, Task, Timestamp};
use vastflow_store::{ControlWord, Copied, Durability, QueueRow, RunPage, RunQuery, RunRow, Store, StoreError, copy};

/// What happened in a test of copies: proof that it tested something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyTally {
    /// Runs that were copied.
    pub runs: u64,
    /// Scopes inside them.
    pub inner: u64,
    /// Runs that had not ended.
    pub open: u64,
    /// Runs that had to be told to pause and go on.
    pub marked: u64,
    /// Words that were said again.
    pub words: u64,
    /// Copies that broke off and were made again.
    pub broken: u64,
    /// Runs that gave the same in the end, here and there, and had no choice.
    pub succeeded: u64,
}

impl CopyTally {
    /// The sum of two.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        CopyTally {
            runs: self.runs + other.runs,
            inner: self.inner + other.inner,
            open: self.open + other.open,
            marked: self.marked + other.marked,
            words: self.words + other.words,
            broken: self.broken + other.broken,
            succeeded: self.succeeded + other.succeeded,
        }
    }
}

/// Plays runs of random plans on one store for a while, copies it to another, with a copy that breaks off before if
/// `breaks`, compares all there is to see, and carries the runs to their ends on both: they end alike.
///
/// # Errors
/// The first difference, in words, with the seed.
pub async fn copying(
    from: Arc<dyn Harness>,
    to: Arc<dyn Harness>,
    seed: u64,
    breaks: bool,
) -> Result<CopyTally, String> {
    let mut test = Test { tally: CopyTally::default(), target: to };
    let result = test.run(from.open().await, seed, breaks).await;
    result.map(|()| test.tally).map_err(|why| format!("seed {seed}: {why}"))
}

struct Test {
    tally: CopyTally,
    target: Arc<dyn Harness>,
}

impl Test {
    async fn run(&mut self, from: Arc<dyn Store>, seed: u64, breaks: bool) -> Result<(), String> {
        let mut player = Player::begin(Arc::clone(&from), seed).await;
        player.play(seed).await;
        let mut to = self.target.open().await;
        if breaks {
            to = self.break_off(&*from, to, seed).await?;
        }
        let copied = copy(&*from, &*to, |_| {}).await.map_err(|error| error.to_string())?;
        same("runs", &copied.of, &copied.runs)?;
        self.compare(&player, &*to).await?;
        let again = copy(&*from, &*to, |_| {}).await.map_err(|error| error.to_string())?;
        same("a second copy", &(0, again.of), &(again.events, again.runs))?;
        self.compare(&player, &*to).await?;

        let mut other = Player::new(Arc::clone(&to), player.now);
        player.play_on().await;
        other.play_on().await;
        self.compare_ends(&*from, &*to).await
    }

    /// A copy whose target dies at a commit that chance chooses; gives the target as it is found again.
    async fn break_off(&mut self, from: &dyn Store, to: Arc<dyn Store>, seed: u64) -> Result<Arc<dyn Store>, String> {
        let mut rng = Rng::new(seed ^ 0x00c0_ffee);
        let at = 1 + rng.below(20) as u64;
        let faults = if rng.chance(50) { Faults::none().stop_before(at) } else { Faults::none().stop_after(at) };
        let faulty: Faulty = Faulty::new(Arc::clone(&to), faults);
        let result = copy(from, &faulty, |_| {}).await;
        same("broken off", &(faulty.fired(Fault::Stop) == 1), &result.is_err())?;
        self.tally.broken += u64::from(result.is_err());
        if to.capabilities().durability < Durability::Synced || to.capabilities().fleet {
            return Ok(to);
        }
        let closed = to.close().await;
        assert!(matches!(closed, Ok(()) | Err(StoreError::Closed { .. })), "close: {closed:?}");
        drop((faulty, to));
        Ok(self.target.open().await)
    }

    async fn compare(&mut self, player: &Player, to: &dyn Store) -> Result<(), String> {
        let from = &*player.store;
        let (ours, theirs) = (rows(from).await, rows(to).await);
        let mut marked = Vec::new();
        for (our, their) in ours.iter().zip(&theirs) {
            if our.len.0 == 1 && their.len.0 == 3 {
                marked.push(our.id.clone());
            }
        }
        let shown = |row: &RunRow| RunRow {
            key: 0,
            control: ControlWord { revision: 0, ..row.control },
            len: if marked.contains(&row.id) { Seq(1) } else { row.len },
            ..row.clone()
        };
        same("rows", &ours.iter().map(shown).collect::<Vec<_>>(), &theirs.iter().map(shown).collect())?;
        let counts = (from.counts().await.map_err(text)?, to.counts().await.map_err(text)?);
        same("counts", &counts.0, &counts.1)?;
        same("plans", &from.plans().await.map_err(text)?, &to.plans().await.map_err(text)?)?;
        for scope in &player.scopes {
            self.compare_scope(from, to, scope).await?;
        }
        let roots: Vec<ScopeId> = ours.iter().map(|row| ScopeId::root(row.id.clone())).collect();
        law2(to, &roots).await?;
        same("queues", &queues(from).await, &queues(to).await)?;
        self.tally.runs += ours.len() as u64;
        self.tally.open += ours.iter().filter(|row| !row.summary.status.is_final()).count() as u64;
        self.tally.marked += marked.len() as u64;
        Ok(())
    }

    async fn compare_scope(&mut self, from: &dyn Store, to: &dyn Store, scope: &ScopeId) -> Result<(), String> {
        let ours = history(from, scope).await;
        let mut theirs = history(to, scope).await;
        let is_marker = |recorded: &Recorded| matches!(&recorded.event, Event::Resumed { by, .. } if **by == *"copy");
        if theirs.len() == 3 && theirs.last().is_some_and(is_marker) {
            theirs.truncate(1);
        }
        same(&format!("history of {scope}"), &ours, &theirs)?;
        let (our_tasks, their_tasks) = (tasks(from, scope).await, tasks(to, scope).await);
        let work = |tasks: &[(Task, Timestamp)]| -> Vec<_> {
            tasks.iter().filter(|(task, _)| *task != Task::Deliver).copied().collect()
        };
        same(&format!("tasks of {scope}"), &work(&our_tasks), &work(&their_tasks))?;
        let has_mail = |tasks: &[(Task, Timestamp)]| tasks.iter().any(|(task, _)| *task == Task::Deliver);
        if has_mail(&their_tasks) && !has_mail(&our_tasks) {
            return Err(format!("{scope} is told something again that it has heard"));
        }
        self.tally.words += u64::from(has_mail(&their_tasks));
        self.tally.inner += u64::from(!scope.is_root() && !ours.is_empty());
        Ok(())
    }

    /// What came of the runs.
    async fn compare_ends(&mut self, from: &dyn Store, to: &dyn Store) -> Result<(), String> {
        for (our, their) in rows(from).await.into_iter().zip(rows(to).await) {
            let (ours, theirs) = (our.summary, their.summary);
            same(&format!("status of {}", our.id), &ours.status, &theirs.status)?;
            let plan = from.plan(ours.started.plan).await.map_err(text)?;
            if plan.is_some_and(|plan| !plans::has_race(plan.spec())) {
                same(&format!("output of {}", our.id), &ours.output, &theirs.output)?;
                self.tally.succeeded += u64::from(ours.output.is_some());
            }
        }
        Ok(())
    }
}

/// How far a copy came, told step by step: it only ever grows, and ends with all.
///
/// # Errors
/// Where it does not.
pub fn steadily(steps: &[Copied]) -> Result<(), String> {
    let grows = steps.windows(2).all(|two| two[0].runs <= two[1].runs && two[0].events <= two[1].events);
    let is_whole = steps.last().is_some_and(|last| last.runs == last.of);
    if grows && is_whole { Ok(()) } else { Err(format!("the progress is {steps:?}")) }
}

async fn rows(store: &dyn Store) -> Vec<RunRow> {
    let page: RunPage = store.runs(&RunQuery { limit: 1_000, ..RunQuery::default() }).await.expect("a list");
    page.rows
}

async fn history(store: &dyn Store, scope: &ScopeId) -> Vec<Recorded> {
    store.history(scope, Seq::ZERO, usize::MAX).await.expect("a journal")
}

async fn tasks(store: &dyn Store, scope: &ScopeId) -> Vec<(Task, Timestamp)> {
    let tasks = store.tasks(scope).await.expect("tasks");
    let mut tasks: Vec<_> = tasks.into_iter().map(|known| (known.task, known.due)).collect();
    tasks.sort_unstable();
    tasks
}

/// How many calls there are of each plan: what is in hand is not so in a copy, and what a run that stops will not begin
/// may stand in a lane or not.
async fn queues(store: &dyn Store) -> Vec<(vastflow_core::PlanHash, usize)> {
    let rows = store.queues().await.expect("queues");
    let count = |row: &QueueRow| row.ready + row.later + row.in_hand + row.held;
    let mut all = std::collections::BTreeMap::new();
    rows.iter().for_each(|row| *all.entry(row.plan).or_default() += count(row));
    all.into_iter().collect()
}

fn same<T: PartialEq + Debug>(what: &str, wanted: &T, found: &T) -> Result<(), String> {
    if wanted == found { Ok(()) } else { Err(format!("{what}: {wanted:#?} in the source, {found:#?} in the copy")) }
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn text(error: StoreError) -> String {
    error.to_string()
}
