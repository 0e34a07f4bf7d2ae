//! All scopes of a run, with the words between them under way: each is delivered late, or twice, or in any order but
//! that of two scopes to each other. What was seen is noted for the judgement at the end.

use super::plans::{Case, Fate};
use crate::dsl::{Bug, Flaw, Run, payload_text, result};
use crate::property::Choices;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use vastflow_core::context::Writes;
use vastflow_core::event::{Choice, Item, Origin, ScopeEnd};
use vastflow_core::plan::{Gives, Join, NodeKind, NodeSpec};
use vastflow_core::run::{Changes, NodeStatus, Peer, Rejection, Start, TaskOutcome, Word};
use vastflow_core::{
    Codec, Event, Failure, FailureKind, Input, NodeIx, Payload, Plan, Reply, RunId, RunStatus, Task, Timestamp,
};

/// More than any case needs: beyond it a run never ends.
const MAX_STEPS: usize = 20_000;

pub(crate) struct World<'a> {
    pub(crate) case: &'a Case,
    pub(crate) scopes: BTreeMap<String, Scope>,
    mail: BTreeMap<(String, String), VecDeque<(Peer, Word)>>,
    now: Timestamp,
    /// Signals that were not sent yet: to which scope, and which node of it waits or will.
    unsent: Vec<(String, NodeIx)>,
    /// Whether they are sent to the very scope, or to the run.
    by_place: bool,
    wild: bool,
    /// Nodes of the outermost scope whose calls take long, a bit each.
    slow: u16,
    bug: Option<Bug>,
    pub(crate) tally: Tally,
}

/// What happened, counted: a world in which nothing goes wrong proves little.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) steps: u64,
    pub(crate) crashes: u64,
    pub(crate) answered_twice: u64,
    pub(crate) delivered_twice: u64,
}

/// One scope, and what was seen of it from outside.
pub(crate) struct Scope {
    pub(crate) run: Run,
    pub(crate) input: Payload,
    /// Nodes that have succeeded, with the number of the step.
    pub(crate) done: Vec<(NodeIx, usize)>,
    pub(crate) outputs: BTreeMap<NodeIx, Payload>,
    /// Keys that calls wrote, with whether the node was needed then, if one can tell.
    pub(crate) written: Vec<(Box<str>, Option<bool>)>,
    /// Ends of scopes inside, with whether their node still waited for them.
    pub(crate) ends: Vec<(NodeIx, Box<str>, ScopeEnd, bool)>,
    /// Scopes that ended when nobody needed them any more: they are taken back by themselves.
    lost: BTreeSet<(NodeIx, Box<str>)>,
    /// Nodes that did something that can be taken back, the last last; with whether they were needed.
    pub(crate) acted: Vec<(NodeIx, Option<bool>)>,
    /// Nodes that were taken back, or of which somebody said that they need not be.
    pub(crate) undone: Vec<NodeIx>,
    /// It was told to stop, or to take back what it did.
    pub(crate) told: BTreeSet<&'static str>,
    pub(crate) steps: usize,
    parks: BTreeMap<NodeIx, u32>,
    /// Nodes whose scopes were under way when nobody needed them any more.
    pub(crate) given_up: BTreeSet<NodeIx>,
    /// Nodes that were under way when nobody needed them any more.
    pub(crate) let_go: BTreeSet<NodeIx>,
    /// Nodes with scopes whose own `on_failure` ended when maybe nobody needed it any more.
    pub(crate) rescued_late: BTreeSet<NodeIx>,
    /// The scopes that it told to stop or to end.
    pub(crate) stopped: BTreeSet<String>,
    /// When scopes inside began, and when keys were last written; a key of which nobody can tell has none.
    begun: BTreeMap<(NodeIx, Box<str>), usize>,
    written_at: BTreeMap<Box<str>, Option<usize>>,
}

impl<'a> World<'a> {
    pub(crate) fn with(case: &'a Case, choices: &mut Choices<'_>, wild: bool, bug: Option<Bug>) -> Self {
        let (scopes, mail) = (BTreeMap::new(), BTreeMap::new());
        let unsent = signals(&case.plan, "").collect();
        let (now, slow, tally) = (Timestamp::ZERO, choices.number(), Tally::default());
        let by_place = choices.once_in(2);
        let mut world = World { case, scopes, mail, now, unsent, by_place, wild, slow, bug, tally };
        world.scopes.insert(String::new(), Scope::new(case.plan.clone(), bytes("x"), bug));
        let mut start = Start { input: bytes("x"), ..Start::new(RunId::new("run").unwrap()) };
        if wild && choices.once_in(6) {
            start.origin = Some(Box::new(random_origin(choices, &case.plan)));
        }
        world.tell("", Input::Start(start)).unwrap();
        world
    }

    pub(crate) fn play(&mut self, choices: &mut Choices<'_>) {
        for _ in 0..MAX_STEPS {
            if !self.something_happens(choices) {
                return;
            }
        }
        panic!("it does not end within {MAX_STEPS} steps");
    }

    /// False when nothing can happen any more.
    fn something_happens(&mut self, choices: &mut Choices<'_>) -> bool {
        if self.wild && choices.once_in(24) {
            self.interfere(choices);
        }
        let due = self.tasks(|due, now| due <= now);
        let pairs: Vec<_> = self.mail.keys().cloned().collect();
        let asked = self.operator_is_asked();
        let ways = [due.len(), pairs.len(), asked.len(), self.unsent.len()];
        let any: usize = ways.iter().sum();
        if any == 0 || choices.once_in(6) {
            let later = self.tasks(|due, now| due > now).into_iter().map(|(_, _, due)| due).min();
            return match later {
                Some(later) => {
                    self.now = later;
                    true
                }
                None => any > 0,
            };
        }
        let mut at = choices.below(any);
        if at < ways[0] {
            let (path, task, _) = due[at].clone();
            let is_slow = path.is_empty() && task.node().is_some_and(|node| self.slow >> (node.0 % 16) & 1 == 1);
            if is_slow && any > 1 && choices.below(6) > 0 {
                return true;
            }
            if choices.once_in(16) {
                self.scopes.get_mut(&path).unwrap().run.crash();
                self.tally.crashes += 1;
            }
            self.answer(choices, &path, task);
            return true;
        }
        at -= ways[0];
        if at < ways[1] {
            self.deliver(choices, &pairs[at]);
            return true;
        }
        at -= ways[1];
        if at < ways[2] {
            let (path, node) = asked[at].clone();
            self.resolve(choices, &path, node);
            return true;
        }
        let (path, node) = self.unsent.remove(at - ways[2]);
        self.signal(path, node);
        true
    }

    fn signal(&mut self, path: String, node: NodeIx) {
        let NodeKind::Signal { name } = self.scopes[&path].run.plan.node(node).unwrap().kind.clone() else {
            unreachable!()
        };
        let signal = Input::Signal { id: format!("{path}/{name}").into(), payload: bytes(&name), name };
        let to = if self.by_place { path.clone() } else { String::new() };
        match self.tell(&to, signal.clone()) {
            // It is kept for a node that will wait for it, not for a scope that will begin.
            Err(Rejection::NotBegun) => self.unsent.push((path, node)),
            Err(_) => {}
            Ok(()) => assert!(self.tell(&to, signal).is_err(), "the same signal counts twice"),
        }
    }

    fn tasks(&self, wanted: impl Fn(Timestamp, Timestamp) -> bool) -> Vec<(String, Task, Timestamp)> {
        let now = self.now;
        let of = |(path, scope): (&String, &Scope)| {
            let tasks = scope.run.queue.iter().filter(|(_, due)| wanted(**due, now));
            tasks.map(|(task, due)| (path.clone(), *task, *due)).collect::<Vec<_>>()
        };
        self.scopes.iter().flat_map(of).collect()
    }

    fn operator_is_asked(&self) -> Vec<(String, NodeIx)> {
        let mut asked = Vec::new();
        for (path, scope) in &self.scopes {
            for node in nodes(&scope.run.plan) {
                let stuck = || matches!(last_undo(&scope.run, node), Some(Event::UndoFailed { retry_at: None, .. }));
                if scope.run.state.parked_for(node).is_some() || scope.run.state.needs_attention() && stuck() {
                    asked.push((path.clone(), node));
                }
            }
        }
        asked
    }

    fn resolve(&mut self, choices: &mut Choices<'_>, path: &str, node: NodeIx) {
        let parks = self.scopes.get_mut(path).unwrap().parks.entry(node).or_default();
        *parks += 1;
        let choice = match choices.below(3) {
            0 if *parks < 4 => Choice::Retry,
            1 => Choice::Skip,
            _ => Choice::MarkDone(bytes("by-hand")),
        };
        let input = Input::Resolve { node, choice, by: "ops".into(), why: "why".into() };
        if let Err(why) = self.tell(path, input) {
            assert_eq!(why, Rejection::NothingToResolve);
        }
    }

    /// Whatever somebody may do at any time.
    fn interfere(&mut self, choices: &mut Choices<'_>) {
        let (by, why) = ("ops".into(), "why".into());
        let input = match choices.below(8) {
            0 | 1 => Input::Cancel { by, why },
            2 => Input::Kill { by, why },
            3 | 4 => Input::Pause { by, why },
            5 | 6 => Input::Resume { by, why },
            _ => {
                let tasks = self.tasks(|due, now| due <= now);
                if !tasks.is_empty() {
                    let (path, task, _) = tasks[choices.below(tasks.len())].clone();
                    let _ = self.tell(&path, Input::Quarantine { task, deaths: 3 });
                }
                return;
            }
        };
        let _ = self.tell("", input);
    }

    fn deliver(&mut self, choices: &mut Choices<'_>, pair: &(String, String)) {
        let line = self.mail.get_mut(pair).unwrap();
        let (from, word) = line[0].clone();
        // A word that stays in the box is delivered again.
        if choices.once_in(6) {
            self.tally.delivered_twice += 1;
        } else {
            line.pop_front();
            if line.is_empty() {
                self.mail.remove(pair);
            }
        }
        let told = match &word {
            Word::Cancel { .. } => Some("cancel"),
            Word::Kill { .. } => Some("kill"),
            Word::Undo => Some("undo"),
            _ => None,
        };
        let outcome = self.tell(&pair.1, Input::Told { from, word });
        match (outcome, told) {
            (Ok(()), Some(told)) => {
                self.scopes.get_mut(&pair.1).unwrap().told.insert(told);
            }
            (Ok(()), None) => {}
            (Err(why), _) => assert!(
                matches!(
                    why,
                    Rejection::NotAwaited
                        | Rejection::AlreadyBegun
                        | Rejection::AlreadyStopping
                        | Rejection::Finishing
                        | Rejection::Ended(_)
                ),
                "{pair:?}: {why}"
            ),
        }
    }

    fn answer(&mut self, choices: &mut Choices<'_>, path: &str, task: Task) {
        let scope = &self.scopes[path];
        if task.is_timer() {
            return self.tell(path, Input::Timer(task)).unwrap();
        }
        if !scope.run.state.may_start(&scope.run.plan, task) && choices.once_in(2) {
            return self.tell(path, Input::NotStarted(task)).unwrap();
        }
        let mut writes = Writes::new();
        if let Some(node) = task.node() {
            let spec = scope.run.plan.node(node).unwrap();
            let fate = &self.case.fates[&spec.name];
            if fate.writes > 0 {
                writes.push((format!("{}:{task:?}@{path}", spec.name).into(), Some(bytes("v"))));
            }
            if fate.writes > 1 {
                writes.push(("shared".into(), Some(bytes(&spec.name))));
            }
        }
        let reply = self.reply(choices, path, task);
        let outcome = TaskOutcome { task, reply, writes, took: Duration::from_micros(7) };
        self.tell(path, Input::Outcome(outcome.clone())).unwrap();
        if choices.once_in(12) {
            self.answer_again(path, outcome);
        }
    }

    /// A worker that was given up reports as well: nobody listens.
    fn answer_again(&mut self, path: &str, mut outcome: TaskOutcome) {
        self.tally.answered_twice += 1;
        let run = &self.scopes[path].run;
        if run.flaw.is(Bug::SkipsTheTokenCheck) {
            let of_node = |task: &&Task| task.node() == outcome.task.node() && !task.is_timer();
            outcome.task = run.queue.keys().find(of_node).copied().unwrap_or(outcome.task);
            let _ = self.tell(path, Input::Outcome(outcome));
            return;
        }
        let told = self.tell(path, Input::Outcome(outcome));
        assert!(matches!(told, Err(Rejection::Stale(_) | Rejection::Ended(_))), "{path:?}: answered twice: {told:?}");
    }

    fn reply(&self, choices: &mut Choices<'_>, path: &str, task: Task) -> Reply {
        let (plan, state) = (&self.scopes[path].run.plan, &self.scopes[path].run.state);
        let Some(node) = task.node() else { return Reply::Done(Payload::null()) };
        let spec = plan.node(node).unwrap();
        let fate = &self.case.fates[&spec.name];
        let kind = if fate.unclear { FailureKind::Timeout } else { FailureKind::Error };
        let failed = || Reply::Failed { failure: Failure::new(kind, "boom"), retryable: !fate.fatal };
        match task {
            Task::Attempt { attempt, .. } if attempt <= fate.fails_in(path) => match spec.kind {
                NodeKind::River { .. } if !fate.fatal => Reply::Retry { cause: "busy".into() },
                _ => failed(),
            },
            Task::Attempt { .. } => attempted(spec, fate, || self.items(path, node), || result(plan, state, task)),
            Task::Poll { tick, .. } if tick <= fate.polls => Reply::Continue { cause: "not yet".into() },
            Task::Rescue { .. } if !fate.rescued => failed(),
            Task::Reduce { attempt: 1, .. } if fate.reduce_fails => {
                Reply::Failed { failure: Failure::new(FailureKind::Error, "boom"), retryable: true }
            }
            Task::Reduce { .. } => {
                let (acc, items) = state.to_reduce(plan, node).unwrap();
                let count = if items.is_empty() { 0 } else { 1 + choices.below(items.len()) };
                let acc = acc.map_or(String::new(), |acc| payload_text(&acc));
                let acc = items[..count].iter().fold(acc, |acc, (_, item)| format!("{acc}|{}", payload_text(item)));
                Reply::Reduced { count: u32::try_from(count).unwrap(), acc: bytes(&acc) }
            }
            Task::Undo { attempt, .. } if attempt <= fate.undo_fails => {
                Reply::Failed { failure: Failure::new(FailureKind::Error, "boom"), retryable: true }
            }
            Task::Rescue { .. } => Reply::Done(rescued(plan, state, node)),
            _ => Reply::Done(Payload::null()),
        }
    }

    fn items(&self, path: &str, node: NodeIx) -> Reply {
        let run = &self.scopes[path].run;
        let spec = run.plan.node(node).unwrap();
        let fate = &self.case.fates[&spec.name];
        let begin = run.state.cursor(node).map_or(0, |cursor| payload_text(cursor).parse().unwrap());
        let end = fate.items.min(begin + fate.page);
        let items = (begin..end).map(|at| Item { key: item_key(spec, at), input: bytes(&format!("i{at}")) }).collect();
        Reply::Items { items, cursor: (end < fate.items).then(|| bytes(&end.to_string())) }
    }

    /// One input, with all that is noted of it and the words that it led to.
    fn tell(&mut self, path: &str, input: Input) -> Result<(), Rejection> {
        self.tally.steps += 1;
        let scope = self.scopes.get_mut(path).unwrap();
        let before = scope.statuses();
        scope.run.now = self.now;
        let was_stopping = scope.run.state.status() == RunStatus::Stopping;
        let (events, changes) = scope.run.step(input)?;
        scope.note(&before, &events);
        if was_stopping {
            scope.nothing_new_begins(&changes);
        }
        let plan = scope.run.plan.clone();
        self.send(path, &plan, changes);
        if matches!(events.last(), Some(Event::RunEnded { .. })) {
            let open = self.scopes.iter().filter(|(_, scope)| !scope.run.state.status().is_final());
            let inside = open.map(|(inside, _)| inside).find(|inside| self.is_waited_for(path, inside));
            assert_eq!(inside, None, "{path:?} ends before what is in it");
        }
        Ok(())
    }

    /// Whether the end of a scope waits for the one at `inside`: what is killed waits for nothing that is in it.
    fn is_waited_for(&self, path: &str, inside: &str) -> bool {
        let mut outer = inside;
        while let Some((further_out, _)) = outer.rsplit_once('/') {
            outer = further_out;
            if self.scopes[outer].was_killed() {
                return false;
            }
            if outer == path {
                return true;
            }
        }
        false
    }

    fn send(&mut self, path: &str, plan: &Plan, changes: Changes) {
        for (to, word) in changes.words {
            let (to, from) = match to {
                Peer::Parent => {
                    let (parent, node, key) = split(path);
                    let plan = &self.scopes[parent].run.plan;
                    (parent.to_owned(), Peer::Child { node: plan.find(node).unwrap(), key: key.into() })
                }
                Peer::Child { node, key } => {
                    let inside = inner(path, plan, node, &key);
                    let sender = self.scopes.get_mut(path).unwrap();
                    if matches!(word, Word::Cancel { .. } | Word::Kill { .. }) {
                        sender.stopped.insert(inside.clone());
                    }
                    if let Word::Begin(begin) = &word {
                        sender.begun.insert((node, key.clone()), sender.steps);
                        let body = (**plan.body(node, &key).unwrap()).clone();
                        let known = self.scopes.insert(inside.clone(), Scope::new(body, begin.input.clone(), self.bug));
                        assert!(known.is_none(), "{inside} begins twice");
                        self.unsent.extend(signals(plan.body(node, &key).unwrap(), &inside));
                    }
                    (inside, Peer::Parent)
                }
            };
            self.mail.entry((path.to_owned(), to)).or_default().push_back((from, word));
        }
    }
}

impl Scope {
    fn new(plan: Plan, input: Payload, bug: Option<Bug>) -> Self {
        let mut run = Run::new(plan);
        run.flaw = Flaw::of(bug);
        Scope {
            run,
            input,
            done: Vec::new(),
            outputs: BTreeMap::new(),
            written: Vec::new(),
            ends: Vec::new(),
            lost: BTreeSet::new(),
            acted: Vec::new(),
            undone: Vec::new(),
            told: BTreeSet::new(),
            steps: 0,
            parks: BTreeMap::new(),
            given_up: BTreeSet::new(),
            let_go: BTreeSet::new(),
            rescued_late: BTreeSet::new(),
            stopped: BTreeSet::new(),
            begun: BTreeMap::new(),
            written_at: BTreeMap::new(),
        }
    }

    pub(crate) fn status(&self, node: NodeIx) -> NodeStatus {
        self.run.state.node_status(node).unwrap_or(NodeStatus::Waiting)
    }

    fn statuses(&self) -> Vec<NodeStatus> {
        nodes(&self.run.plan).map(|node| self.status(node)).collect()
    }

    /// Whether the node was needed when the nodes stood like this; none where the order of things decides.
    fn was_needed(&self, node: NodeIx, before: &[NodeStatus]) -> Option<bool> {
        let plan = &self.run.plan;
        let children: Vec<NodeIx> = children(plan, node).collect();
        let waits = |child: &NodeIx| before[child.index()] == NodeStatus::Waiting;
        if plan.outputs().contains(&node) || children.is_empty() || children.iter().any(waits) {
            return Some(true);
        }
        let goes_on_without = |child: &NodeIx| {
            let ended = matches!(before[child.index()], NodeStatus::Skipped | NodeStatus::Failed | NodeStatus::Dropped);
            let is_join = matches!(plan.node(*child).unwrap().join, Join::Any | Join::NOf(_));
            // A rescue may be for a join that could not be, which needs nothing but says nothing of it either.
            is_join && !ended && !plan.node(*child).unwrap().rescue
        };
        children.iter().all(goes_on_without).then_some(false)
    }

    fn was_killed(&self) -> bool {
        self.run.journal.iter().any(|recorded| matches!(recorded.event, Event::Killed { .. }))
    }

    fn nothing_new_begins(&self, changes: &Changes) {
        let is_atomic = |node: NodeIx| self.run.plan.node(node).unwrap().atomic;
        for (task, _) in &changes.queue {
            let is_end = matches!(task, Task::Undo { .. } | Task::Hook { .. });
            assert!(is_end || task.node().is_some_and(is_atomic), "{task:?} is new in a scope that stops");
        }
        for (to, word) in &changes.words {
            if let (Peer::Child { node, key }, Word::Begin(_)) = (to, word) {
                assert!(is_atomic(*node), "{node:?}[{key}] begins in a scope that stops");
            }
        }
    }

    /// A clash is a key that was written elsewhere since the scope began, and is recorded at once.
    fn note_merge(&mut self, node: NodeIx, key: &str, end: &ScopeEnd, awaited: bool, events: &[Event]) {
        let plan = &self.run.plan;
        let export = match &plan.node(node).unwrap().kind {
            NodeKind::Basin(basin) => basin.export.as_ref(),
            _ => None,
        };
        let goes_out = |key: &str| export.is_none_or(|keys| keys.iter().any(|one| **one == *key));
        let keys: Vec<Box<str>> = end.writes.iter().map(|(key, _)| key.clone()).filter(|key| goes_out(key)).collect();
        let since = self.begun[&(node, key.into())];
        let written = |key: &str| self.written_at.get(key).copied().unwrap_or(Some(0));
        let clash: Vec<Box<str>> =
            keys.iter().filter(|key| written(key).is_some_and(|at| at > since)).cloned().collect();
        let told = events.iter().find_map(|event| match event {
            Event::Clashed { keys, .. } => Some(keys.clone()),
            _ => None,
        });
        let can_tell = keys.iter().all(|key| written(key).is_some());
        if can_tell && awaited {
            assert_eq!(told.unwrap_or_default(), clash, "clashes of {node:?}[{key}]");
        }
        for key in keys {
            // Of a scope that stops, it depends on how its node ended.
            self.written_at.insert(key, awaited.then_some(self.steps));
        }
    }

    fn note(&mut self, before: &[NodeStatus], events: &[Event]) {
        self.steps += 1;
        let event = &events[0];
        if let (Some(node), Some(call)) = (event.node(), event.call()) {
            let is_undo = matches!(event, Event::Undone { .. } | Event::UndoFailed { .. });
            let is_open = before[node.index()] == NodeStatus::Open;
            let was_needed = if is_undo || is_open { Some(true) } else { self.was_needed(node, before) };
            self.written.extend(call.writes.iter().map(|(key, _)| (key.clone(), was_needed)));
            for (key, _) in call.writes.iter().filter(|_| was_needed != Some(false)) {
                self.written_at.insert(key.clone(), was_needed.map(|_| self.steps));
            }
            let unclear = match event {
                Event::NodeSucceeded { .. } | Event::Submitted { .. } => true,
                Event::AttemptFailed { failure, .. }
                | Event::NodeFailed { failure, .. }
                | Event::NodeParked { failure, .. } => failure.kind.is_unclear(),
                _ => false,
            };
            if unclear && self.run.plan.node(node).unwrap().undo.is_some() {
                self.acted.retain(|(other, _)| *other != node);
                self.acted.push((node, was_needed));
            }
        }
        match event {
            Event::NodeSucceeded { node, output, .. } => {
                self.outputs.insert(*node, output.clone());
            }
            Event::Resolved { node, choice, .. } if before[node.index()] == NodeStatus::Parked => match choice {
                Choice::Retry => {}
                Choice::Skip => {
                    self.outputs.insert(*node, Payload::null());
                    self.acted.retain(|(other, _)| other != node);
                }
                Choice::MarkDone(output) => {
                    self.outputs.insert(*node, output.clone());
                    if self.run.plan.node(*node).unwrap().undo.is_some() {
                        self.acted.retain(|(other, _)| other != node);
                        self.acted.push((*node, Some(true)));
                    }
                }
            },
            Event::Resolved { node, choice: Choice::Skip | Choice::MarkDone(_), .. } | Event::Undone { node, .. } => {
                self.undone.push(*node);
            }
            Event::GraceOver | Event::Killed { .. } => {
                let calls = [NodeStatus::Running, NodeStatus::Retrying, NodeStatus::Polling, NodeStatus::Rescuing];
                for node in nodes(&self.run.plan).filter(|node| calls.contains(&before[node.index()])) {
                    if self.run.plan.node(node).unwrap().undo.is_some() {
                        self.acted.retain(|(other, _)| *other != node);
                        self.acted.push((node, None));
                    }
                }
            }
            Event::ChildEnded { node, key, end } => {
                let awaited = before[node.index()] == NodeStatus::Open;
                self.ends.push((*node, key.clone(), end.clone(), awaited));
                self.note_merge(*node, key, end, awaited, events);
                if !awaited && self.run.state.outcome().is_none() {
                    self.lost.insert((*node, key.clone()));
                }
            }
            _ => {}
        }
        for node in nodes(&self.run.plan) {
            let was = before[node.index()];
            if self.status(node) == NodeStatus::Succeeded && was != NodeStatus::Succeeded {
                self.done.push((node, self.steps));
                let can_undo = |(of, key, end, _): &(NodeIx, Box<str>, ScopeEnd, bool)| {
                    let is_lost = self.lost.contains(&(*of, key.clone()));
                    *of == node && !is_lost && end.result.is_ok() && self.run.plan.body(node, key).unwrap().has_undo()
                };
                if self.ends.iter().any(can_undo) {
                    // A node whose scopes are under way ends at once when nobody needs it; its own `on_failure` goes on.
                    let is_rescued = was == NodeStatus::Rescuing;
                    let needed = if is_rescued { self.was_needed(node, before) } else { Some(true) };
                    self.acted.push((node, needed));
                }
            }
            if self.status(node) == NodeStatus::Skipped && was == NodeStatus::Open {
                self.given_up.insert(node);
            }
            if self.status(node) == NodeStatus::Skipped && was != NodeStatus::Waiting && was != NodeStatus::Skipped {
                self.let_go.insert(node);
            }
            let has_scopes = !self.run.plan.bodies(node).is_empty();
            let is_rescued = was == NodeStatus::Rescuing && self.status(node) != NodeStatus::Rescuing;
            if has_scopes && is_rescued && self.was_needed(node, before) != Some(true) {
                self.rescued_late.insert(node);
            }
            if self.status(node) == NodeStatus::Undone && was != NodeStatus::Undone && has_scopes {
                self.undone.push(node);
            }
        }
    }

    /// How the scope ended before anything was taken back, if it did.
    pub(crate) fn went_well(&self) -> bool {
        self.told.contains("undo") || self.run.state.status() == RunStatus::Succeeded
    }
}

/// A run before this one of which any results are kept.
fn random_origin(choices: &mut Choices<'_>, plan: &Plan) -> Origin {
    let some = choices.number();
    let kept = nodes(plan).filter(|node| some >> node.0 & 1 == 1).map(|node| (node, bytes("kept"))).collect();
    let input = choices.once_in(2).then(|| (NodeIx(0), bytes("edited")));
    let (run, verb) = (RunId::new("before").unwrap(), "fork".into());
    Origin { run, verb, by: "ops".into(), why: "why".into(), kept, input, scopes: Vec::new() }
}

fn attempted(spec: &NodeSpec, fate: &Fate, items: impl Fn() -> Reply, result: impl Fn() -> Payload) -> Reply {
    match &spec.kind {
        NodeKind::River { .. } => Reply::Submitted,
        NodeKind::ForEach(_) => items(),
        NodeKind::Branch(_) => {
            let input = (fate.chosen >> 7 & 1 == 1).then(|| bytes("chosen"));
            Reply::Chosen { keys: chosen(spec, fate), input }
        }
        _ => Reply::Done(result()),
    }
}

fn rescued(plan: &Plan, state: &vastflow_core::State, node: NodeIx) -> Payload {
    let inputs: Vec<_> = state.inputs(plan, node).iter().map(|(_, value)| payload_text(value)).collect();
    bytes(&format!("{}({})", plan.node(node).unwrap().name, inputs.join(",")))
}

pub(crate) fn chosen(spec: &NodeSpec, fate: &Fate) -> Vec<Box<str>> {
    let NodeKind::Branch(branch) = &spec.kind else { return Vec::new() };
    let keys = branch.cases.iter().enumerate().filter(|(at, _)| fate.chosen >> at & 1 == 1);
    keys.map(|(_, case)| case.key.clone()).collect()
}

pub(crate) fn item_key(spec: &NodeSpec, at: usize) -> Box<str> {
    match &spec.kind {
        NodeKind::ForEach(foreach) if foreach.gives == Gives::Map => format!("k{at}").into(),
        _ => "".into(),
    }
}

fn last_undo(run: &Run, node: NodeIx) -> Option<&Event> {
    let undo =
        |event: &&Event| matches!(event, Event::Undone { .. } | Event::UndoFailed { .. } | Event::Resolved { .. });
    run.journal.iter().rev().map(|recorded| &recorded.event).filter(|event| event.node() == Some(node)).find(undo)
}

pub(crate) fn nodes(plan: &Plan) -> impl Iterator<Item = NodeIx> + use<> {
    (0..u32::try_from(plan.len()).unwrap()).map(NodeIx)
}

pub(crate) fn children(plan: &Plan, of: NodeIx) -> impl Iterator<Item = NodeIx> + '_ {
    nodes(plan).filter(move |child| super::oracle::parents(plan, *child).any(|(parent, _)| parent == of))
}

/// The nodes of a scope that wait for signals.
fn signals(plan: &Plan, path: &str) -> impl Iterator<Item = (String, NodeIx)> {
    let waits = |node: &NodeIx| matches!(plan.node(*node).unwrap().kind, NodeKind::Signal { .. });
    nodes(plan).filter(waits).map(|node| (path.to_owned(), node)).collect::<Vec<_>>().into_iter()
}

/// The path of the scope that a node opens.
pub(crate) fn inner(path: &str, plan: &Plan, node: NodeIx, key: &str) -> String {
    format!("{path}/{}[{key}]", plan.node(node).unwrap().name)
}

fn split(path: &str) -> (&str, &str, &str) {
    let (parent, step) = path.rsplit_once('/').unwrap();
    let (node, key) = step.strip_suffix(']').unwrap().split_once('[').unwrap();
    (parent, node, key)
}

pub(crate) fn bytes(text: &str) -> Payload {
    Payload::new(Codec::Bytes, text.to_owned())
}
