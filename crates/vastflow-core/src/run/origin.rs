//! Going on from another run: which of its results are kept.

use super::error::Illegal;
use super::state::{NodeState, State};
use crate::context::Writes;
use crate::event::{Event, Recorded};
use crate::id::NodeIx;
use crate::payload::Payload;
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
        for recorded in history {
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
        Ok(Legacy { kept, context: context(plan, history, &nodes) })
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
