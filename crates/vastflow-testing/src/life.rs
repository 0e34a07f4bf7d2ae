//! One run: what of it is recorded and outlives the process, and what the process makes of that.

use rustc_hash::FxHashMap;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use vastflow_core::run::{Changes, Input, Peer, Rejection, StepError, Times, Word};
use vastflow_core::{Event, Plan, Recorded, RunId, RunStatus, ScopeId, Seq, State, Task, Timestamp, codec};
use vastflow_sdk::{Bound, Temporary};
use vastflow_worker::tree::{At, Tree};

/// One run.
pub(crate) struct Life {
    pub(crate) id: RunId,
    pub(crate) bound: Arc<Bound>,
    kept: BTreeMap<ScopeId, Kept>,
    /// Which words were said: a store takes each only once.
    said: BTreeSet<(ScopeId, ScopeId, u32)>,
    pub(crate) memory: Memory,
}

/// What is recorded of a scope.
#[derive(Default)]
struct Kept {
    journal: Vec<Recorded>,
    /// What other scopes said and is not taken yet.
    inbox: VecDeque<(Peer, Vec<u8>)>,
}

/// What dies with the process.
pub(crate) struct Memory {
    pub(crate) tree: Tree,
    /// The tasks that exist, with the times from which they are visible.
    queue: BTreeMap<At, BTreeMap<Task, Timestamp>>,
    /// States folded from the bytes of what was recorded, to be compared with the ones that run ahead.
    shadows: FxHashMap<At, State>,
    /// What nodes that are not durable did, and is recorded only with what follows; with the time of the first of it.
    riding: BTreeMap<At, (Vec<Event>, Timestamp)>,
    pub(crate) temporary: Temporary,
}

/// What a step did.
#[derive(Debug)]
pub(crate) enum Told {
    Recorded {
        /// What, in a few words.
        what: String,
        /// Calls that are to be told to stop.
        cancelled: Vec<Task>,
    },
    /// It will be recorded with what follows from it; these calls are to be told to stop.
    Rides(Vec<Task>),
    Rejected(Rejection),
}

impl Memory {
    fn new(bound: &Arc<Bound>, id: &RunId) -> Self {
        Memory {
            tree: Tree::new(Arc::clone(bound), id.clone()),
            queue: BTreeMap::new(),
            shadows: FxHashMap::default(),
            riding: BTreeMap::new(),
            temporary: Temporary::default(),
        }
    }
}

impl Life {
    pub(crate) fn new(bound: Arc<Bound>, id: RunId) -> Self {
        let memory = Memory::new(&bound, &id);
        Life { id, bound, kept: BTreeMap::new(), said: BTreeSet::new(), memory }
    }

    pub(crate) fn state(&self) -> &State {
        self.memory.tree.state(At::ROOT)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.state().status().is_final()
    }

    /// Whether nothing of it is handed out.
    pub(crate) fn is_held(&self) -> bool {
        self.state().status() == RunStatus::Paused
    }

    /// Whether this input would be recorded at once.
    pub(crate) fn would_record(&self, at: At, input: &Input, may_ride: bool, now: Timestamp) -> bool {
        let (plan, mut state) = (self.memory.tree.bound(at).plan(), self.memory.tree.state(at).clone());
        let (before, mut changes) = (state.status(), Changes::default());
        let taken = state.step(plan, input.clone(), now, &mut changes).is_ok();
        taken && !(may_ride && before == state.status() && is_ridden(&changes))
    }

    /// Whether it is the outcome of a node that is not durable.
    pub(crate) fn could_ride(&self, at: At, input: &Input) -> bool {
        let Input::Outcome(outcome) = input else { return false };
        let plan = self.memory.tree.bound(at).plan();
        outcome.task.node().and_then(|node| plan.node(node)).is_some_and(|node| !node.durable)
    }

    /// Tells a scope something, records what follows, and checks both laws. What may ride is not recorded yet, if what
    /// follows from it can begin at once.
    pub(crate) fn tell(&mut self, at: At, input: Input, may_ride: bool, now: Timestamp) -> Result<Told, String> {
        let settles = match &input {
            Input::Outcome(outcome) => Some(outcome.task),
            Input::Timer(task) | Input::NotStarted(task) => Some(*task),
            Input::Admit => Some(Task::Admit),
            _ => None,
        };
        let mut changes = Changes::default();
        let before = self.memory.tree.state(at).status();
        let recorded_at = self.memory.riding.get(&at).map_or(now, |(_, at)| *at);
        let times = Times { now, recorded_at };
        let events = match self.memory.tree.tell(at, input, times, &mut changes) {
            Ok(events) => events,
            Err(StepError::Rejected(rejection)) => return Ok(Told::Rejected(rejection)),
            Err(StepError::Illegal(illegal)) => return Err(format!("{}: {illegal}", self.memory.tree.id(at))),
        };
        let rides = may_ride && before == self.memory.tree.state(at).status() && is_ridden(&changes);
        let what = self.in_words(at, &events);
        let (riding, _) = self.memory.riding.entry(at).or_insert_with(|| (Vec::new(), now));
        riding.extend(events);
        if !rides {
            let events = std::mem::take(riding);
            self.memory.riding.remove(&at);
            self.record(at, &events, recorded_at)?;
        }
        let Changes { queue, obsolete, cancel, words, .. } = changes;
        for (peer, word) in words {
            self.send(at, &peer, &word)?;
        }
        let tasks = self.memory.queue.entry(at).or_default();
        settles.into_iter().chain(obsolete).for_each(|task| _ = tasks.remove(&task));
        tasks.extend(queue);
        self.check(at)?;
        Ok(if rides { Told::Rides(cancel) } else { Told::Recorded { what, cancelled: cancel } })
    }

    fn in_words(&self, at: At, events: &[Event]) -> String {
        let Some(event) = events.first() else { return String::new() };
        let (scope, plan) = (self.memory.tree.id(at), self.memory.tree.bound(at).plan());
        let before = if scope.is_root() { String::new() } else { format!("{}/", scope.path()) };
        match event.node().and_then(|node| plan.node(node)) {
            Some(node) => format!("{} of {before}{}", event.name(), node.name),
            None if scope.is_root() => event.name().to_owned(),
            None => format!("{} of {}", event.name(), scope.path()),
        }
    }

    /// Whether something of a scope rides since before a task was due: it is recorded before the task begins, because a
    /// task that is due later than an event counts as one that only waits.
    pub(crate) fn rides_since_before(&self, at: At, task: Task) -> bool {
        let due = self.memory.tree.state(at).due(task);
        self.memory.riding.get(&at).is_some_and(|(_, since)| due.is_some_and(|due| *since < due))
    }

    /// Records what rides.
    pub(crate) fn flush(&mut self, at: At) -> Result<Told, String> {
        let (events, since) = self.memory.riding.remove(&at).unwrap_or_default();
        let what = self.in_words(at, &events);
        self.record(at, &events, since)?;
        self.check(at)?;
        Ok(Told::Recorded { what, cancelled: Vec::new() })
    }

    /// Tells a scope the oldest words that wait for it, as many as are asked for.
    pub(crate) fn deliver(&mut self, at: At, count: usize, now: Timestamp) -> Result<Told, String> {
        let id = self.memory.tree.id(at).clone();
        let waiting = self.kept.get(&id).map(|kept| &kept.inbox).into_iter().flatten().take(count);
        let read = waiting.map(|(peer, body)| Ok((peer.clone(), codec::decode_word(body)?)));
        let words: Result<Vec<_>, codec::CodecError> = read.collect();
        let words = words.map_err(|error| format!("{id}: {error}"))?;
        let taken = words.len();
        let told = self.tell(at, Input::Mail(words), false, now)?;
        if let (Told::Recorded { .. }, Some(kept)) = (&told, self.kept.get_mut(&id)) {
            kept.inbox.drain(..taken);
        }
        match told {
            Told::Rejected(why) => Err(format!("{id}: words from other scopes were refused: {why}")),
            told => Ok(told),
        }
    }

    /// How many words wait for a scope.
    pub(crate) fn words_for(&self, at: At) -> usize {
        self.kept.get(self.memory.tree.id(at)).map_or(0, |kept| kept.inbox.len())
    }

    /// The tasks that exist in a scope.
    pub(crate) fn tasks(&self, at: At) -> impl Iterator<Item = (Task, Timestamp)> {
        self.memory.queue.get(&at).into_iter().flatten().map(|(task, due)| (*task, *due))
    }

    /// What is recorded, by scope, the root first.
    pub(crate) fn journals(&self) -> impl Iterator<Item = (&ScopeId, &[Recorded])> {
        self.kept.iter().map(|(scope, kept)| (scope, &*kept.journal)).filter(|(_, journal)| !journal.is_empty())
    }

    /// The process has ended, and another one finds what is recorded.
    pub(crate) fn crash(&mut self) -> Result<(), String> {
        self.memory = Memory::new(&self.bound, &self.id);
        for (scope, kept) in &self.kept {
            let at = self.memory.tree.open(scope).ok_or_else(|| format!("{scope}: the plan has no such scope"))?;
            for recorded in &kept.journal {
                self.memory.tree.fold(at, recorded).map_err(|illegal| format!("{scope}: {illegal}"))?;
            }
            let state = self.memory.tree.state(at);
            self.memory.queue.insert(at, outstanding(state, self.memory.tree.bound(at).plan()));
            self.memory.shadows.insert(at, state.clone());
        }
        Ok(())
    }

    fn record(&mut self, at: At, events: &[Event], now: Timestamp) -> Result<(), String> {
        let id = self.memory.tree.id(at).clone();
        let in_words = |error: codec::CodecError| format!("{id}: {error}");
        let bytes = codec::encode(events, Vec::new()).map_err(in_words)?;
        let kept = self.kept.entry(id.clone()).or_default();
        let shadow = self.memory.shadows.entry(at).or_default();
        let plan = self.memory.tree.bound(at).plan();
        for event in codec::decode(&bytes).map_err(in_words)? {
            shadow.evolve(plan, &event, now, &mut ()).map_err(|illegal| format!("{id}: {illegal}"))?;
            kept.journal.push(Recorded { seq: Seq(kept.journal.len() as u64), at: now, event });
        }
        Ok(())
    }

    fn send(&mut self, from: At, peer: &Peer, word: &Word) -> Result<(), String> {
        let Some((to, speaker)) = self.memory.tree.hearer(from, peer) else {
            return Err(format!("{}: it speaks to {peer:?}, who is not there", self.memory.tree.id(from)));
        };
        let (from, to) = (self.memory.tree.id(from), self.memory.tree.id(to));
        if self.said.insert((from.clone(), to.clone(), word.kind())) {
            let body = codec::encode_word(word).map_err(|error| format!("{from}: {error}"))?;
            self.kept.entry(to.clone()).or_default().inbox.push_back((speaker, body));
        }
        Ok(())
    }

    /// Law 1: folding what was recorded gives the state. Law 2: the tasks are what the state asks for.
    fn check(&self, at: At) -> Result<(), String> {
        let Memory { tree, queue, shadows, riding, .. } = &self.memory;
        let (id, state) = (tree.id(at), tree.state(at));
        if !riding.contains_key(&at) && shadows.get(&at) != Some(state) {
            return Err(format!("law 1 is broken in {id}: folding its journal gives another state than it is in"));
        }
        let asked = outstanding(state, tree.bound(at).plan());
        match queue.get(&at) {
            Some(found) if *found == asked => Ok(()),
            found => {
                let found = found.cloned().unwrap_or_default();
                Err(format!("law 2 is broken in {id}: the journal asks for {asked:?}, the queue has {found:?}"))
            }
        }
    }
}

/// Whether all that follows can begin at once, so that what it follows from can be recorded with it.
fn is_ridden(changes: &Changes) -> bool {
    let at_once = |(task, due): &(Task, Timestamp)| task.takes_slot() && *due == Timestamp::ZERO;
    !changes.queue.is_empty() && changes.queue.iter().all(at_once) && changes.words.is_empty()
}

fn outstanding(state: &State, plan: &Plan) -> BTreeMap<Task, Timestamp> {
    let mut changes = Changes::default();
    state.outstanding(plan, &mut changes);
    changes.queue.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vastflow_core::run::Start;
    use vastflow_sdk::{Flow, Library, Node, Result};

    async fn same(n: u32) -> Result<u32> {
        Ok(n)
    }

    /// A run that has begun, with one task.
    fn begun() -> Life {
        let flow = Flow::dag("one", |dag, n: Node<'_, u32>| dag.node("n", same, n)).unwrap();
        let mut library = Library::default();
        library.add_flow(flow.name().clone(), Arc::clone(flow.code())).unwrap();
        let id = RunId::new("r").unwrap();
        let mut life = Life::new(Arc::new(library.bind(flow.plan()).unwrap()), id.clone());
        life.tell(At::ROOT, Input::Start(Start::new(id)), false, Timestamp::ZERO).unwrap();
        life.check(At::ROOT).unwrap();
        life
    }

    #[test]
    fn a_lost_or_a_stray_task_breaks_law_2() {
        let mut life = begun();
        let tasks = life.memory.queue.remove(&At::ROOT).unwrap();
        assert!(life.check(At::ROOT).unwrap_err().starts_with("law 2 is broken in r"));
        life.memory.queue.insert(At::ROOT, tasks);
        life.check(At::ROOT).unwrap();
        life.memory.queue.entry(At::ROOT).or_default().insert(Task::Grace, Timestamp::ZERO);
        assert!(life.check(At::ROOT).unwrap_err().starts_with("law 2"));
    }

    #[test]
    fn a_state_that_the_journal_does_not_give_breaks_law_1() {
        let mut life = begun();
        life.memory.shadows.clear();
        assert!(life.check(At::ROOT).unwrap_err().starts_with("law 1 is broken in r"));
        // What is recorded is what counts.
        life.crash().unwrap();
        life.check(At::ROOT).unwrap();
        assert_eq!(life.tasks(At::ROOT).count(), 1);
    }
}
