//! Scopes inside a scope: how branches, foreaches and basins open them, hear of their ends, and make one value of it.

use super::evolve::Fold;
use super::input::{Begin, Peer, Word};
use super::open::{Open, Running, Standing, reduce_task};
use super::outstanding::Sink;
use super::state::{Active, NodeState, Phase, Stage, State, Stray};
use super::values::is_ordered;
use crate::context::{Context, Writes};
use crate::event::{Item, KeptScope, ScopeEnd};
use crate::failure::{Failure, FailureKind, RunFailure};
use crate::id::NodeIx;
use crate::limits::MAX_PAYLOAD_BYTES;
use crate::payload::Payload;
use crate::plan::{Gives, NodeKind, Plan};
use crate::retry::mixed;
use crate::time::Timestamp;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec::Vec;

impl State {
    /// What flows into a node as one value: nothing, the only one, or a map by node name.
    pub(super) fn scope_input(&self, plan: &Plan, node: NodeIx) -> Payload {
        let mut values = self.inputs(plan, node);
        match values.len() {
            0 => Payload::null(),
            1 => values.remove(0).1,
            _ => {
                let name = |from: Option<NodeIx>| from.map_or("input", |from| plan.at(from).name.as_str());
                Payload::object(values.iter().map(|(from, value)| (name(*from), value)))
            }
        }
    }
}

impl<S: Sink> Fold<'_, S> {
    pub(super) fn open_basin(&mut self, node: NodeIx) {
        let input = self.state.scope_input(self.plan, node);
        let mut open = Open::new(self.at, &self.state.context);
        open.begun = 1;
        open.running.insert("".into(), Running { index: 0, since: self.state.len, heard: 0 });
        self.state.nodes[node.index()] = NodeState::Open(Box::new(open));
        self.state.in_hand += 1;
        let context = Arc::clone(&self.state.context);
        self.begin_scope(node, (0, "".into()), input, &context);
    }

    pub(super) fn choose(&mut self, node: NodeIx, keys: &[Box<str>], input: Option<&Payload>) {
        if let Some(end) = self.end_of_unwanted(node) {
            return self.leave(node, end);
        }
        let input = input.cloned().unwrap_or_else(|| self.state.scope_input(self.plan, node));
        if keys.is_empty() && !matches!(&self.plan.at(node).kind, NodeKind::Branch(branch) if branch.collect) {
            return self.succeed(node, &input);
        }
        let mut open = Open::new(self.state.since(node).unwrap_or(self.at), &self.state.context);
        open.waiting = keys.iter().map(|key| Item { key: key.clone(), input: input.clone() }).collect();
        self.state.nodes[node.index()] = NodeState::Open(Box::new(open));
        self.carry_on(node);
    }

    pub(super) fn add_items(&mut self, node: NodeIx, items: &[Item], cursor: Option<&Payload>, number: u32) {
        if let Some(end) = self.end_of_unwanted(node) {
            return self.leave(node, end);
        }
        let since = self.state.since(node).unwrap_or(self.at);
        let state = &mut self.state.nodes[node.index()];
        if !matches!(state, NodeState::Open(_)) {
            *state = NodeState::Open(Box::new(Open::new(since, &self.state.context)));
        }
        let NodeState::Open(open) = state else { return };
        open.reading = None;
        open.reads = number;
        open.pages += 1;
        open.cursor = cursor.cloned();
        open.keys.extend(items.iter().filter(|item| !item.key.is_empty()).map(|item| item.key.clone()));
        open.waiting.extend(items.iter().cloned());
        self.carry_on(node);
    }

    /// Does what follows for a node with scopes: it ends, or more begins.
    fn carry_on(&mut self, node: NodeIx) {
        let Some(open) = self.state.open(node) else { return };
        match open.standing(self.plan, node) {
            Standing::Done(output) if output.len() > MAX_PAYLOAD_BYTES => {
                let text = format!(
                    "its result has {} bytes, the limit is {MAX_PAYLOAD_BYTES} (MAX_PAYLOAD_BYTES); reduce it, or hand on \
                     references",
                    output.len()
                );
                self.fail_or_rescue(node, &Failure::new(FailureKind::Engine, text));
            }
            Standing::Done(output) => self.succeed(node, &output),
            Standing::Failed(failure) => self.fail_or_rescue(node, &failure),
            Standing::Going => {
                self.begin_more(node);
                self.read_more(node);
                self.reduce_more(node);
            }
        }
    }

    fn begin_more(&mut self, node: NodeIx) {
        let (window, gives) = match &self.plan.at(node).kind {
            NodeKind::ForEach(foreach) => (foreach.window, Some(foreach.gives)),
            _ => (u32::MAX, None),
        };
        let len = self.state.len;
        while let NodeState::Open(open) = &mut self.state.nodes[node.index()] {
            let index = open.begun;
            let Some((key, item)) = open.next(window, gives, len) else { return };
            let context = Arc::clone(&open.context);
            let is_kept = |kept: &KeptScope| kept.fed == item.input.fingerprint();
            if self.state.kept_scope(node, &key).is_some_and(is_kept) {
                self.state.more_mut().taken.push_back((node, key));
            } else {
                self.begin_scope(node, (index, key), item.input, &context);
            }
        }
    }

    fn begin_scope(&mut self, node: NodeIx, (index, key): (u64, Box<str>), input: Payload, context: &Context) {
        let seed = self.state.started.as_ref().map_or(0, |started| started.seed);
        let place = u64::from(seed) << 32 ^ u64::from(node.0) << 20 ^ index;
        #[expect(clippy::cast_possible_truncation, reason = "any part of a mix is as good as another")]
        let seed = mixed(place) as u32;
        let context: Writes = context.iter().map(|(key, value)| (key.into(), Some(value.clone()))).collect();
        let begin = Begin { seed, input, context };
        self.out.send(Peer::Child { node, key }, Word::Begin(Box::new(begin)));
    }

    /// Asks for the next page of items while there is still something to begin.
    fn read_more(&mut self, node: NodeIx) {
        let NodeKind::ForEach(foreach) = &self.plan.at(node).kind else { return };
        let NodeState::Open(open) = &mut self.state.nodes[node.index()] else { return };
        if open.cursor.is_none() || open.reading.is_some() || open.waiting.len() > foreach.window as usize / 2 {
            return;
        }
        let mut reading = Active::new(Stage::Attempt(open.reads + 1), self.at, Timestamp::ZERO);
        reading.base = open.reads;
        self.out.queue(reading.task(node), reading.due);
        open.reading = Some(reading);
    }

    fn reduce_more(&mut self, node: NodeIx) {
        let NodeKind::ForEach(foreach) = &self.plan.at(node).kind else { return };
        let Gives::Reduced { ordered } = foreach.gives else { return };
        let NodeState::Open(open) = &mut self.state.nodes[node.index()] else { return };
        // With no item at all there is still a first value to be made.
        let is_empty = open.has_all() && open.acc.is_none();
        if open.reducing.is_some() || !is_empty && open.batch(ordered).is_empty() {
            return;
        }
        let mut reducing = Active::new(Stage::Attempt(open.folds + 1), self.at, Timestamp::ZERO);
        reducing.base = open.folds;
        self.out.queue(reduce_task(node, &reducing), reducing.due);
        open.reducing = Some(reducing);
    }

    pub(super) fn reduced(&mut self, node: NodeIx, count: u32, acc: &Payload) {
        let ordered = is_ordered(self.plan, node);
        if let NodeState::Open(open) = &mut self.state.nodes[node.index()] {
            open.folds = open.reducing.take().map_or(open.folds, |call| call.attempt());
            open.batches += 1;
            open.folded(count as usize, ordered);
            open.acc = Some(acc.clone());
        }
        self.carry_on(node);
    }

    pub(super) fn reduce_again(&mut self, node: NodeIx, retry_at: Timestamp) {
        let NodeState::Open(open) = &mut self.state.nodes[node.index()] else { return };
        let Some(call) = &mut open.reducing else { return };
        call.stage = Stage::Attempt(call.attempt() + 1);
        call.due = retry_at;
        self.out.queue(reduce_task(node, call), retry_at);
    }

    pub(super) fn child_ended(&mut self, node: NodeIx, key: &str, end: &ScopeEnd) {
        let stray = self.state.stray(node, key).is_some();
        let is_lost = stray && self.is_lost(node);
        if let Some(more) = &mut self.state.more {
            more.strays.remove(&(node, key.into()));
            more.parked_children.remove(&(node, key.into()));
            more.taken.retain(|(of, taken)| *of != node || **taken != *key);
        }
        self.scopes_listen_no_more(node, Some(key));
        if !is_lost {
            self.merge(node, key, &end.writes);
        }
        let undoable = end.result.is_ok() && self.plan.body(node, key).is_some_and(|body| body.has_undo());
        if undoable && is_lost {
            self.out.send(Peer::Child { node, key: key.into() }, Word::Undo);
            self.state.more_mut().strays.insert((node, key.into()), Stray::Undoing);
        } else if undoable {
            self.state.more_mut().undoable.entry(node).or_default().push(key.into());
        }
        if stray {
            return;
        }
        let gives = match &self.plan.at(node).kind {
            NodeKind::ForEach(foreach) => Some(foreach.gives),
            _ => None,
        };
        let told = |failure: RunFailure| Failure::new(failure.failure.kind.of_inner(), format!("{failure}"));
        if let NodeState::Open(open) = &mut self.state.nodes[node.index()] {
            open.ended(key, end.result.clone().map_err(told), gives);
        }
        self.carry_on(node);
    }

    /// Whether nobody needs what comes of the scopes that a node left behind. A scope that was stopped is not lost: what
    /// it wrote is seen by the hooks, and what it did is undone in its turn.
    fn is_lost(&self, node: NodeIx) -> bool {
        let did_without = matches!(self.state.nodes[node.index()], NodeState::Succeeded { .. } | NodeState::Skipped);
        did_without || self.state.phase == Phase::Going
    }

    /// What an inner scope wrote becomes part of the context, key by key.
    fn merge(&mut self, node: NodeIx, key: &str, writes: &Writes) {
        if writes.is_empty() {
            return;
        }
        let export = match &self.plan.at(node).kind {
            NodeKind::Basin(basin) => basin.export.as_deref(),
            _ => None,
        };
        let goes_out = |key: &str| export.is_none_or(|keys| keys.iter().any(|one| **one == *key));
        let writes: Writes = writes.iter().filter(|(key, _)| goes_out(key)).cloned().collect();
        let since = self.state.open(node).and_then(|open| Some(open.running.get(key)?.since));
        let written = &self.state.more().written;
        let is_clash = |key: &str| since.zip(written.get(key)).is_some_and(|(since, at)| *at > since);
        let clash: Vec<Box<str>> = writes.iter().filter(|(key, _)| is_clash(key)).map(|(key, _)| key.clone()).collect();
        if !clash.is_empty() {
            self.state.more_mut().clash = Some((node, clash));
        }
        self.write(&writes);
    }

    /// Scopes whose node has ended without them are told to stop; calls that it had under way are let go of.
    pub(super) fn close_scopes(&mut self, node: NodeIx, open: Open) {
        self.scopes_listen_no_more(node, None);
        for (task, due) in open.tasks(node) {
            self.out.obsolete(task);
            if due <= self.at {
                self.out.cancel(task);
            }
        }
        let (by, why): (&str, Box<str>) = match &self.state.stop {
            Some(outcome) => ("vastflow", format!("{outcome}").into()),
            None => ("vastflow", "it is not needed any more".into()),
        };
        for key in open.running.into_keys() {
            // What is taken over never began.
            if self.state.more().taken.contains(&(node, key.clone())) {
                self.state.more_mut().strays.insert((node, key), Stray::Stopping);
                continue;
            }
            let word = Word::Cancel { by: by.into(), why: why.clone() };
            self.out.send(Peer::Child { node, key: key.clone() }, word);
            self.state.more_mut().strays.insert((node, key), Stray::Stopping);
        }
    }

    pub(super) fn child_parked(&mut self, node: NodeIx, key: &str, waits: bool) {
        let parked = &mut self.state.more_mut().parked_children;
        if waits {
            parked.insert((node, key.into()));
        } else {
            parked.remove(&(node, key.into()));
        }
    }

    /// The context that the scope around gets back: what was written here, deletes included.
    pub(super) fn written(&self) -> Writes {
        let context = Arc::clone(&self.state.context);
        self.state.more().written.keys().map(|key| (key.clone(), context.get(key).cloned())).collect()
    }
}
