//! Signals: kept until somebody waits for them, given to whoever has waited longest, here or in an inner scope.
//!
//! A scope in which somebody waits for a name that nobody there has a signal of says so to the scope around, which
//! remembers it in line with its own nodes. A signal that comes there goes down to it, once for each time it was said.

use super::evolve::Fold;
use super::input::{Peer, Word};
use super::outstanding::Sink;
use super::state::{NodeState, Phase, State};
use crate::id::{Name, NodeIx};
use crate::payload::Payload;
use crate::plan::{NodeKind, Plan};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;

/// A signal that came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Signal {
    pub(super) id: Box<str>,
    pub(super) name: Name,
    pub(super) payload: Payload,
}

/// Who waits for a signal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Listener {
    Node(NodeIx),
    /// Somebody in the scope that a node opened.
    Scope {
        node: NodeIx,
        key: Box<str>,
        name: Name,
    },
}

impl Listener {
    /// What it waits for.
    fn name<'a>(&'a self, plan: &'a Plan) -> Option<&'a Name> {
        match self {
            Listener::Scope { name, .. } => Some(name),
            Listener::Node(node) => match &plan.at(*node).kind {
                NodeKind::Signal { name } => Some(name),
                _ => None,
            },
        }
    }

    fn is_in(&self, of: NodeIx, scope: Option<&str>) -> bool {
        matches!(self, Listener::Scope { node, key, .. } if *node == of && scope.is_none_or(|scope| **key == *scope))
    }
}

impl State {
    /// Whether it is news that somebody in an inner scope waits for a signal, or no more.
    pub(super) fn may_listen(&self, node: NodeIx, key: &str, (name, waits): (&Name, bool), turn: u32) -> bool {
        let running = || self.open(node)?.running.get(key);
        let is_news = self.phase == Phase::Going && running().is_some_and(|running| turn > running.heard);
        let of = Listener::Scope { node, key: key.into(), name: name.clone() };
        is_news && self.more().listening.contains(&of) != waits
    }

    /// Whether a signal may be handed on to this scope.
    pub(super) fn may_take(&self, plan: &Plan, id: &str) -> bool {
        plan.is_body() && self.phase == Phase::Going && !self.more().signal_ids.contains(id)
    }
}

impl<S: Sink> Fold<'_, S> {
    /// A node waits for a signal, or takes one that has come.
    pub(super) fn listen(&mut self, node: NodeIx, name: &Name) {
        if let Some(early) = self.early(name) {
            return self.succeed(node, &early.payload);
        }
        self.state.nodes[node.index()] = NodeState::Listening { since: self.at };
        self.state.more_mut().listening.push(Listener::Node(node));
    }

    /// A signal of this name that nobody has taken.
    fn early(&mut self, name: &Name) -> Option<Signal> {
        let signals = &mut self.state.more.as_mut()?.signals;
        let at = signals.iter().position(|signal| signal.name == *name)?;
        signals.remove(at)
    }

    pub(super) fn listen_no_more(&mut self, node: NodeIx) {
        if let Some(more) = &mut self.state.more {
            more.listening.retain(|one| *one != Listener::Node(node));
        }
    }

    /// Nobody in the scopes of a node, or in one of them, is listened to any more.
    pub(super) fn scopes_listen_no_more(&mut self, node: NodeIx, key: Option<&str>) {
        if let Some(more) = &mut self.state.more {
            more.listening.retain(|one| !one.is_in(node, key));
        }
    }

    /// A signal goes to whoever has waited for it longest, or waits for one that will.
    pub(super) fn signal(&mut self, signal: Signal) {
        let plan = self.plan;
        let more = self.state.more_mut();
        more.signal_ids.insert(signal.id.clone());
        match more.listening.iter().position(|one| one.name(plan) == Some(&signal.name)) {
            None => more.signals.push_back(signal),
            Some(at) => match more.listening.remove(at) {
                Listener::Node(node) => self.succeed(node, &signal.payload),
                Listener::Scope { node, key, .. } => self.hand_on(node, key, signal),
            },
        }
    }

    /// The scope around handed on a signal; should more be waited for, it is told again.
    pub(super) fn take(&mut self, signal: Signal) {
        self.state.more_mut().says_listens.remove(&signal.name);
        self.signal(signal);
    }

    fn hand_on(&mut self, node: NodeIx, key: Box<str>, signal: Signal) {
        let more = self.state.more_mut();
        more.signal_turns += 1;
        let (Signal { id, name, payload }, turn) = (signal, more.signal_turns);
        self.out.send(Peer::Child { node, key }, Word::Signal { id, name, payload, turn });
    }

    pub(super) fn child_listens(&mut self, node: NodeIx, key: &str, (name, waits): (&Name, bool), turn: u32) {
        if let NodeState::Open(open) = &mut self.state.nodes[node.index()]
            && let Some(running) = open.running.get_mut(key)
        {
            running.heard = turn;
        }
        let of = Listener::Scope { node, key: key.into(), name: name.clone() };
        if !waits {
            return self.state.more_mut().listening.retain(|one| *one != of);
        }
        match self.early(name) {
            Some(signal) => self.hand_on(node, key.into(), signal),
            None => self.state.more_mut().listening.push(of),
        }
    }

    /// Tells the scope around which signals are waited for in here, when that has changed.
    pub(super) fn tell_who_listens(&mut self) {
        let (plan, more) = (self.plan, self.state.more());
        if !plan.is_body() || more.listening.is_empty() && more.says_listens.is_empty() {
            return;
        }
        let is_going = self.state.phase == Phase::Going;
        let names = more.listening.iter().filter(|_| is_going).filter_map(|one| one.name(plan).cloned());
        let wanted: BTreeSet<Name> = names.collect();
        let changed: BTreeSet<Name> = wanted.symmetric_difference(&more.says_listens).cloned().collect();
        for name in changed {
            let waits = wanted.contains(&name);
            let more = self.state.more_mut();
            more.listen_turns += 1;
            let turn = more.listen_turns;
            self.out.send(Peer::Parent, Word::Listens { name, waits, turn });
        }
        self.state.more_mut().says_listens = wanted;
    }
}
