//! Going on from another run: which of its results are kept.

use super::error::Illegal;
use super::state::{NodeState, State};
use crate::context::Writes;
use crate::event::{Event, KeptScope, Recorded, ScopeEnd};
use crate::id::NodeIx;
use crate::limits::MAX_KEPT_BYTES;
use crate::payload::{Fingerprint, Payload};
use crate::plan::{NodeKind, Plan};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// What a run leaves to one that goes on from it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Legacy {
    /// Results of finished nodes.
    pub kept: Vec<(NodeIx, Payload)>,
    /// The context as the kept nodes left it.
    pub context: Writes,
    /// What came of scopes inside nodes that are not kept, but need not be done again as a whole.
    pub scopes: Vec<KeptScope>,
}

impl Legacy {
    /// What a run with this history leaves when everything that `redo` names, and all that follows from it, is done
    /// again. What has not succeeded, or was undone, is done again in any case.
    ///
    /// # Errors
    /// [`Illegal`] when the history is damaged or belongs to another plan.
    pub fn of(plan: &Plan, history: &[Recorded], redo: &[NodeIx]) -> Result<Self, Illegal> {
        let mut state = State::default();
        let mut results: BTreeMap<NodeIx, Payload> = BTreeMap::new();
        let mut inner = InnerScopes::default();
        for recorded in history {
            inner.note(plan, &state, &recorded.event);
            state.evolve(plan, &recorded.event, recorded.at, &mut ())?;
            for (node, output) in state.results() {
                results.entry(node).or_insert_with(|| output.clone());
            }
        }
        let again = behind(plan, redo);
        let stands = |node: &NodeIx| matches!(state.nodes[node.index()], NodeState::Succeeded { .. });
        let all = (0..plan.len()).map(super::evolve::node_ix);
        let nodes: BTreeSet<NodeIx> = all.filter(|node| stands(node) && !again.contains(node)).collect();
        let kept = nodes.iter().map(|node| (*node, results.remove(node).unwrap_or_else(Payload::null))).collect();
        let scopes = inner.left(|node| !nodes.contains(&node) && !again.contains(&node));
        Ok(Legacy { kept, context: context(plan, history, &nodes), scopes })
    }
}

/// What came of the scopes that nodes opened.
#[derive(Default)]
struct InnerScopes {
    /// What those are fed with that have begun or will.
    fed: BTreeMap<(NodeIx, Box<str>), Fingerprint>,
    /// How many items of a foreach were read.
    read: BTreeMap<NodeIx, usize>,
    good: Vec<KeptScope>,
}

impl InnerScopes {
    /// Notes an event; `before` is the state that it follows.
    fn note(&mut self, plan: &Plan, before: &State, event: &Event) {
        match event {
            // What was taken over is still good, should nobody have come to it.
            Event::RunStarted(started) => {
                self.good.extend(started.origin.iter().flat_map(|origin| &origin.scopes).cloned());
            }
            Event::BranchChosen { node, keys, input, .. } => {
                let input = input.clone().unwrap_or_else(|| before.scope_input(plan, *node));
                let fed = input.fingerprint();
                self.fed.extend(keys.iter().map(|key| ((*node, key.clone()), fed)));
            }
            Event::ItemsAdded { node, items, .. } => {
                let read = self.read.entry(*node).or_default();
                for item in items {
                    self.fed.insert((*node, item.scope_key(*read as u64)), item.input.fingerprint());
                    *read += 1;
                }
            }
            Event::ChildEnded { node, key, end: ScopeEnd { result: Ok(output), writes } } => {
                let can_be_undone = plan.body(*node, key).is_none_or(|body| body.has_undo());
                if let (Some(&fed), false) = (self.fed.get(&(*node, key.clone())), can_be_undone) {
                    let (output, writes) = (output.clone(), writes.clone());
                    self.good.push(KeptScope { node: *node, key: key.clone(), fed, output, writes });
                }
            }
            _ => {}
        }
    }

    /// The last that is known of each scope of such nodes, in order, as far as there is room.
    fn left(self, of: impl Fn(NodeIx) -> bool) -> Vec<KeptScope> {
        let mut kept = BTreeMap::new();
        let mut room = MAX_KEPT_BYTES;
        for scope in self.good.into_iter().rev().filter(|scope| of(scope.node)) {
            let at = (scope.node, scope.key.clone());
            let value = |(key, value): &(Box<str>, Option<Payload>)| key.len() + value.as_ref().map_or(0, Payload::len);
            let size = scope.key.len() + scope.output.len() + scope.writes.iter().map(value).sum::<usize>();
            if size <= room && !kept.contains_key(&at) {
                room -= size;
                kept.insert(at, scope);
            }
        }
        kept.into_values().collect()
    }
}

impl State {
    /// The results that are at hand now.
    fn results(&self) -> impl Iterator<Item = (NodeIx, &Payload)> {
        self.nodes.iter().enumerate().filter_map(|(at, node)| match node {
            NodeState::Succeeded { output: Some(output), .. } => Some((super::evolve::node_ix(at), output)),
            _ => None,
        })
    }
}

/// These nodes and all that wait for them.
fn behind(plan: &Plan, nodes: &[NodeIx]) -> BTreeSet<NodeIx> {
    let mut found = BTreeSet::new();
    let mut next: Vec<NodeIx> = nodes.to_vec();
    while let Some(node) = next.pop() {
        if found.insert(node) {
            next.extend(plan.links(node).children.iter().map(|(child, _)| *child));
        }
    }
    found
}

/// What the run began with, and what the kept nodes wrote.
fn context(plan: &Plan, history: &[Recorded], kept: &BTreeSet<NodeIx>) -> Writes {
    let mut context: BTreeMap<Box<str>, Option<Payload>> = BTreeMap::new();
    for recorded in history {
        let writes = match &recorded.event {
            Event::RunStarted(started) => &started.context,
            Event::ChildEnded { node, end, .. } if kept.contains(node) => {
                let exports = |key: &str| match &plan.at(*node).kind {
                    NodeKind::Basin(basin) => {
                        basin.export.as_ref().is_none_or(|keys| keys.iter().any(|one| **one == *key))
                    }
                    _ => true,
                };
                context.extend(end.writes.iter().filter(|(key, _)| exports(key)).cloned());
                continue;
            }
            event => match (event.node(), event.call()) {
                (Some(node), Some(call)) if kept.contains(&node) => &call.writes,
                _ => continue,
            },
        };
        context.extend(writes.iter().cloned());
    }
    context.into_iter().filter(|(_, value)| value.is_some()).collect()
}
