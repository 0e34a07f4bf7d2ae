//! Claiming: the way in for work that no commit of this engine kept: polls, retries, timers, the unfinished runs of a
//! reopened store, other engines' work.

use crate::alone::{Appetite, Aside, quarantine, suspect};
use crate::beat::beat_once;
use crate::call::start_task;
use crate::cell::Cell;
use crate::error::Error;
use crate::lanes::LanePlace;
use crate::mend::catch_up;
use crate::shared::Shared;
use rustc_hash::FxHashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use vastflow_core::{Event, Input, PlanHash, RunId, RunStarted, ScopeId, Seq, State, Task, Timestamp, codec};
use vastflow_sdk::{Bound, BoxFuture};
use vastflow_store::{Claim, ClaimToken, Claimed, Claims, Lease, Message, StoreError, Turn};

/// The longest time without a look into the queue: hints may be lost.
const POLL: Duration = Duration::from_secs(1);
/// How soon a claim that was not answered is made again; twice as long each time that it is not.
const AGAIN: Duration = Duration::from_millis(10);
/// How often those who wait for a run look whether another process has carried it on.
const LOOK: Duration = Duration::from_secs(1);
/// How long a task waits of which its cell knows nothing yet.
const MOMENT: Duration = Duration::from_millis(2);
/// How long nothing is claimed after a task was given back.
const GIVEN_BACK: Duration = Duration::from_millis(1);
/// Events read at once.
const PAGE: usize = 1_000;
/// The most tasks that one claim takes: so many slots wait for it, and for what it has to load.
const CLAIM: usize = 256;
/// The most scopes that are loaded at once.
const LOADS: usize = 32;

/// What claiming goes by, from one claim to the next.
struct Claiming {
    aside: Aside,
    turn: Turn,
    /// How many claims in a row were not answered.
    failures: u32,
}

/// Says, however it ends, that nothing is claimed any more.
struct ClaimsOver<'a>(&'a Shared);

impl Drop for ClaimsOver<'_> {
    fn drop(&mut self) {
        self.0.claims.turn_off();
    }
}

/// Claims until the engine drains.
pub(crate) async fn claim_work(shared: Arc<Shared>) {
    let _over = ClaimsOver(&shared);
    let mut wakeups = shared.store.wakeups();
    let mut claiming = Claiming { aside: Aside::new(shared.life.nonce()), turn: Turn::default(), failures: 0 };
    while !shared.draining.is_off() {
        let next = claim_once(&shared, &mut claiming).await;
        tokio::select! {
            // Looked at first: what a dying worker claims is out of reach until its lease ends.
            biased;
            () = shared.draining.off() => return,
            () = wakeups.next() => shared.metrics.iter().for_each(|metrics| metrics.hints.add(1)),
            () = sleep_until(next) => shared.metrics.iter().for_each(|metrics| metrics.polls.add(1)),
            () = shared.slots.freed() => {}
            () = shared.lanes.freed() => {}
        }
    }
}

/// Claims as much as there is room for; gives the time of the next look.
async fn claim_once(shared: &Arc<Shared>, claiming: &mut Claiming) -> Instant {
    let floor = Instant::now() + jittered(POLL, shared.worker().0);
    let tried = try_claim(shared, claiming).await;
    let floor = claiming.aside.next_look().map_or(floor, |next| next.min(floor));
    claiming.failures = if tried.is_ok() { 0 } else { claiming.failures + 1 };
    match tried {
        Ok(Some(due)) => floor.min(Instant::now() + due.since(shared.now())),
        Ok(None) => floor,
        Err(error) => {
            tracing::warn!("cannot claim work: {error}");
            if !error.is_transient() {
                shared.break_down(&error.into());
            }
            // It may have given something.
            floor.min(Instant::now() + AGAIN * (1 << claiming.failures.min(10)))
        }
    }
}

/// A tenth more or less, differently for each worker, so that a fleet does not look all at once.
fn jittered(wait: Duration, seed: u64) -> Duration {
    wait * 9 / 10 + wait / 5 * u32::from(seed.to_le_bytes()[0]) / 256
}

async fn try_claim(shared: &Arc<Shared>, claiming: &mut Claiming) -> Result<Option<Timestamp>, StoreError> {
    let Claiming { aside, turn, .. } = claiming;
    if shared.life.is_overdue(shared.lease) {
        // A claim would be a sign of life too, and what was lost before it would not be noticed.
        beat_once(shared).await?;
    }
    while !shared.draining.is_off() {
        let appetite = aside.appetite(shared);
        let max = match appetite {
            Appetite::Usual => shared.slots.take_up_to(CLAIM),
            Appetite::Alone => 1,
            Appetite::NoCalls => 0,
            Appetite::Nothing => return Ok(None),
        };
        // Said before looking, so that a slot freed meanwhile is not missed.
        shared.slots.set_hungry(true);
        let worker = shared.worker();
        let claimed = claim(shared, turn, max, appetite == Appetite::Alone).await;
        // The slots of a call that runs alone are not given back here: they are kept aside.
        let is_usual = appetite == Appetite::Usual;
        let Claims { tasks, more, next_due, windows, alone_waits } = claimed.inspect_err(|_| {
            // These slots are no news: with hunger left, the next look would follow at once, again and again.
            shared.slots.set_hungry(false);
            shared.slots.give_back(if is_usual { max } else { 0 });
        })?;
        shared.windows.note(windows);
        let used = tasks.iter().filter(|claimed| claimed.task.takes_slot()).count();
        shared.slots.set_hungry(more || !is_usual);
        shared.slots.give_back(if is_usual { max - used } else { 0 });
        let is_all = tasks.is_empty() || (used == max && max < CLAIM);
        let begins = |claimed: &&Claimed| claimed.task.takes_slot() && !shared.is_deadly(claimed.crashes);
        if let Some(call) =
            tasks.iter().find(begins).filter(|_| appetite == Appetite::Alone && worker == shared.worker())
        {
            suspect(shared, call);
        }
        aside.learn(shared, alone_waits, (appetite == Appetite::Alone).then_some(used > 0));
        if worker != shared.worker() {
            // It was given up while it claimed, and goes on as another: what the old one was given is nobody's yet.
            give_all_back(shared, &tasks, used).await;
        } else if !begin_all(shared, tasks).await {
            // Claiming it again at once would only keep what it waits for from running.
            tokio::time::sleep(GIVEN_BACK).await;
        }
        if is_all && !aside.is_emptying() {
            return Ok(next_due);
        }
    }
    Ok(None)
}

/// Asks the store for work, with what room there is in lanes.
async fn claim(shared: &Shared, turn: &mut Turn, max: usize, alone: bool) -> Result<Claims, StoreError> {
    *turn = turn.next();
    let mut lanes = shared.lanes.take_all();
    let ask = Claim {
        worker: shared.worker(),
        max,
        lease: shared.lease,
        except: shared.unservable().iter().map(|missing| missing.plan).collect::<Vec<PlanHash>>().into(),
        lanes: lanes.clone().into(),
        limits: Arc::clone(&shared.limits),
        windows: shared.windows.sizes().into(),
        alone,
        watch: shared.quarantines(),
        turn: Some(*turn),
        now: shared.now(),
    };
    let claimed = shared.store.claim(ask).await.inspect(|_| *turn = turn.answered());
    let taken = claimed.iter().flat_map(|claims| &claims.tasks).filter_map(|task| task.lane.as_ref());
    for lane in taken {
        lanes.iter_mut().filter(|(name, _)| name == lane).for_each(|(_, room)| *room -= 1);
    }
    lanes.iter().for_each(|(lane, room)| shared.lanes.give_back(lane, *room));
    claimed
}

async fn give_all_back(shared: &Arc<Shared>, tasks: &[Claimed], slots: usize) {
    shared.slots.give_back(slots);
    for one in tasks {
        give_back(shared, Lease { scope: one.scope.clone(), task: one.task, token: one.token }).await;
    }
}

/// A task in this worker's hands, with a slot if it takes one.
pub(crate) struct Held {
    pub(crate) scope: ScopeId,
    pub(crate) task: Task,
    pub(crate) token: ClaimToken,
    pub(crate) plan: PlanHash,
    /// How long the journal is at least.
    pub(crate) len: Seq,
    /// For [`Task::Deliver`]: what other scopes say, with who says it.
    pub(crate) words: Vec<(ScopeId, Message)>,
    /// Its place in a lane, if it queued in one.
    pub(crate) lane: Option<LanePlace>,
    /// How many workers died while they had this call in hand and no other.
    pub(crate) crashes: u8,
}

impl Held {
    fn new(shared: &Shared, claimed: Claimed) -> Self {
        let Claimed { scope, task, token, lane, crashes, plan, len, messages, .. } = claimed;
        let lane = lane.map(|lane| shared.lanes.place(lane));
        Held { scope, task, token, plan, len, words: messages, lane, crashes }
    }
}

/// Tells a scope what other scopes say.
fn deliver(shared: &Arc<Shared>, cell: &Arc<Cell>, held: Held) {
    if shared.stopped.is_off() {
        return;
    }
    if cell.lock().is_gone {
        return begin_later(shared, held);
    }
    let mut words = Vec::with_capacity(held.words.len());
    for (from, message) in &held.words {
        match (cell.peer(from), codec::decode_word(message.body.bytes())) {
            (Some(peer), Ok(word)) => words.push((peer, word)),
            (_, word) => {
                let why = word.err().map_or_else(|| "it is no neighbour".to_owned(), |why| why.to_string());
                shared.metrics.iter().for_each(|metrics| metrics.violations.add(1));
                tracing::error!(scope = %held.scope, "a word from {from} is passed over: {why}");
            }
        }
    }
    cell.answer(shared, Input::Mail(words), (held.task, held.token), 0);
}

/// Begins what was claimed, a few scopes at a time where they have to be loaded; whether all of it was, or will be,
/// begun.
async fn begin_all(shared: &Arc<Shared>, tasks: Vec<Claimed>) -> bool {
    let mut scopes: Vec<Vec<Held>> = Vec::new();
    let mut places: FxHashMap<ScopeId, usize> = FxHashMap::default();
    for claimed in tasks {
        let place = *places.entry(claimed.scope.clone()).or_insert(scopes.len());
        scopes.resize_with(scopes.len().max(place + 1), Vec::new);
        scopes[place].push(Held::new(shared, claimed));
    }
    let mut loads: JoinSet<bool> = JoinSet::new();
    let mut all_begun = true;
    for held in scopes {
        if loads.len() == LOADS {
            all_begun &= loads.join_next().await.is_none_or(|begun| begun.unwrap_or(false));
        }
        let mut begins = Box::pin(begin_scope(Arc::clone(shared), held));
        tokio::select! {
            biased;
            begun = &mut begins => all_begun &= begun,
            () = std::future::ready(()) => drop(loads.spawn(begins)),
        }
    }
    while let Some(begun) = loads.join_next().await {
        all_begun &= begun.unwrap_or(false);
    }
    all_begun
}

/// Begins tasks of one scope: the first loads it if need be, the others find its cell.
async fn begin_scope(shared: Arc<Shared>, tasks: Vec<Held>) -> bool {
    let mut all_begun = true;
    for held in tasks {
        all_begun &= begin(&shared, held).await;
    }
    all_begun
}

/// Begins a claimed task, or gives it back; whether it was, or will be, begun.
async fn begin(shared: &Arc<Shared>, claimed: Held) -> bool {
    let lease = Lease { scope: claimed.scope.clone(), task: claimed.task, token: claimed.token };
    match cell_of(shared, &claimed).await {
        Ok(Some(cell)) if !shared.draining.is_off() => {
            match claimed.task {
                Task::Deliver => deliver(shared, &cell, claimed),
                task if task.takes_slot() && shared.is_deadly(claimed.crashes) => quarantine(shared, &cell, claimed),
                task => start_task(shared, &cell, task, claimed.token, claimed.lane),
            }
            return true;
        }
        // The cell's news will meet a conflict and catch up.
        Ok(None) if !shared.draining.is_off() => {
            begin_later(shared, claimed);
            return true;
        }
        Ok(cell) => {
            // The engine drains: what was loaded for it has nothing to do here.
            if let Some(cell) = cell {
                cell.after(shared);
            }
        }
        Err(error) => {
            tracing::warn!(scope = %claimed.scope, code = error.code(), "cannot begin {:?}: {error}", claimed.task);
            let is_final = matches!(&error, Error::Store(error) if !error.is_transient());
            if is_final || matches!(error, Error::Corrupt { .. }) {
                // Giving it back would only claim it again.
                shared.break_down(&error);
                return true;
            }
        }
    }
    shared.slots.give_back(usize::from(claimed.task.takes_slot()));
    give_back(shared, lease).await;
    false
}

/// Gives a task back. When the store does not answer, it is told so until it does: nobody else would get the task while
/// this worker lives.
pub(crate) async fn give_back(shared: &Arc<Shared>, lease: Lease) {
    if let Err(error) = shared.store.release(std::slice::from_ref(&lease)).await {
        tracing::warn!(scope = %lease.scope, "cannot give a task back: {error}");
        if error.is_transient() {
            shared.runtime.spawn(give_back_later(Arc::clone(shared), lease));
        }
    }
}

async fn give_back_later(shared: Arc<Shared>, lease: Lease) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(jittered(POLL, shared.worker().0)) => {}
            () = shared.stopped.off() => return,
        }
        match shared.store.release(std::slice::from_ref(&lease)).await {
            Err(error) if error.is_transient() => {}
            _ => return,
        }
    }
}

/// Tries again in a moment, with the task in hand.
pub(crate) fn begin_later(shared: &Arc<Shared>, held: Held) {
    let later = Arc::clone(shared);
    shared.runtime.spawn(async move {
        tokio::time::sleep(MOMENT).await;
        let begun: BoxFuture<bool> = Box::pin(async move { begin(&later, held).await });
        begun.await;
    });
}

/// The cell of a claimed task, if it knows the journal as far as the claim does.
async fn cell_of(shared: &Arc<Shared>, claimed: &Held) -> Result<Option<Arc<Cell>>, Error> {
    let known = shared.cell(&claimed.scope);
    let (bound, state) = match &known {
        Some(cell) => {
            let inner = cell.lock();
            if inner.state.len() >= claimed.len {
                drop(inner);
                return Ok(known);
            }
            if !inner.is_quiet() {
                drop(inner);
                // What waits to ride with something that may take long goes out now.
                cell.after(shared);
                return Ok(None);
            }
            (Arc::clone(&cell.bound), inner.state.clone())
        }
        None => (shared.bound_of(claimed.plan, &claimed.scope).await?, State::default()),
    };
    // A scope that has just been spoken to for the first time has no journal to ask for: each item of a foreach has that.
    let loaded = match claimed.len {
        Seq::ZERO => Ok(state),
        _ => load(shared, &claimed.scope, &bound, state).await,
    };
    if let (Err(_), Some(cell)) = (&loaded, &known) {
        cell.after(shared);
    }
    let state = loaded?;
    // Whoever finds the cell from now on must not take its run for one that has not begun.
    let begun = match claimed.scope.is_root() {
        true => None,
        false => shared.begun(claimed.scope.run()).await?,
    };
    let fresh = Cell::within(claimed.scope.clone(), bound, begun, state);
    let cell = shared.admit(Arc::clone(&fresh));
    if Arc::ptr_eq(&cell, &fresh) {
        return Ok(Some(cell));
    }
    let state = std::mem::take(&mut fresh.lock().state);
    let mut inner = cell.lock();
    inner.learn(cell.bound.plan(), state);
    let knows_all = inner.state.len() >= claimed.len;
    drop(inner);
    Ok(knows_all.then_some(cell))
}

/// Folds the journal of a scope into `state`, from where that stands.
pub(crate) async fn load(shared: &Shared, scope: &ScopeId, bound: &Bound, mut state: State) -> Result<State, Error> {
    loop {
        let page = shared.store.history(scope, state.len(), PAGE).await?;
        for recorded in &page {
            state
                .evolve(bound.plan(), &recorded.event, recorded.at, &mut ())
                .map_err(|source| Error::Corrupt { id: scope.run().clone(), source })?;
        }
        if page.len() < PAGE {
            return Ok(state);
        }
    }
}

/// Looks what other engines have done, until the engine stops: where hints do not reach, or were lost, nobody says so.
pub(crate) async fn look_around(shared: Arc<Shared>) {
    let mut looks = tokio::time::interval(LOOK.min(shared.lease / 3));
    let mut had_company = false;
    loop {
        tokio::select! {
            _ = looks.tick() => {}
            () = shared.stopped.off() => return,
        }
        // One look more when it has gone: it may have done something before.
        let has_company = shared.has_company.load(Ordering::Relaxed);
        if !std::mem::replace(&mut had_company, has_company) && !has_company {
            continue;
        }
        shared.watchers.nudge();
        for cell in shared.calling_cells() {
            if let Err(error) = catch_up(&shared, &cell).await {
                tracing::warn!(scope = %cell.scope, code = error.code(), "cannot look what became of it: {error}");
            }
        }
    }
}

/// How a run began; none when there is no such run.
pub(crate) async fn started_of(shared: &Shared, run: &RunId) -> Result<Option<Arc<RunStarted>>, Error> {
    let first = shared.store.history(&ScopeId::root(run.clone()), Seq::ZERO, 1).await?;
    Ok(first.into_iter().next().and_then(|recorded| match recorded.event {
        Event::RunStarted(started) => Some(started),
        _ => None,
    }))
}
