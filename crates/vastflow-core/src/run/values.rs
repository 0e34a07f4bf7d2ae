//! The values that a state holds: what flows into a node, what a call folds, what the run gives.

use super::open::ItemResult;
use super::state::{NodeState, State};
use crate::event::RunStatus;
use crate::id::NodeIx;
use crate::payload::Payload;
use crate::plan::{Gives, Join, NodeKind, Plan, Source};
use alloc::format;
use alloc::vec::Vec;

/// What was made of the results before, and the next results with the keys of their items.
pub type ToReduce<'a> = (Option<Payload>, Vec<(&'a str, &'a Payload)>);

impl State {
    /// The values that flow into a node, in edge order, with the node that each comes from (none: the scope's input).
    /// Of a join that does not wait for all: those that came first, in the order in which they came; of one that takes
    /// failed ones too, each as `{"Ok":…}` or `{"Err":"…"}`. Complete while the node is active.
    #[must_use]
    pub fn inputs(&self, plan: &Plan, node: NodeIx) -> Vec<(Option<NodeIx>, Payload)> {
        let Some(spec) = plan.node(node) else { return Vec::new() };
        let edited = self.started.as_ref().and_then(|started| started.origin.as_ref()?.input.as_ref());
        if let Some((_, edited)) = edited.filter(|(edited, _)| *edited == node) {
            return Vec::from([(None, edited.clone())]);
        }
        if let (Join::Any | Join::NOf(_), Some(came)) = (spec.join, self.more().joins.get(&node)) {
            let carries = |from: &&NodeIx| plan.links(node).parents.contains(&(**from, true));
            return came.iter().filter(carries).map(|&from| (Some(from), self.value(Some(from)))).collect();
        }
        let mut parents = plan.links(node).parents.iter();
        let mut values = Vec::with_capacity(spec.inputs.len());
        for edge in &spec.inputs {
            let from = match edge.from {
                Source::Input => None,
                Source::Node(_) => parents.next().map(|(parent, _)| *parent),
            };
            if !edge.order_only {
                let value = if spec.join == Join::AllSettled { self.settled(from) } else { self.value(from) };
                values.push((from, value));
            }
        }
        values
    }

    fn value(&self, from: Option<NodeIx>) -> Payload {
        match from.map(|node| self.nodes.get(node.index())) {
            Some(Some(NodeState::Succeeded { output: Some(output), .. })) => output.clone(),
            Some(_) => Payload::null(),
            None => self.started.as_ref().map_or_else(Payload::null, |started| started.input.clone()),
        }
    }

    fn settled(&self, from: Option<NodeIx>) -> Payload {
        match from.and_then(|node| self.nodes.get(node.index())) {
            Some(NodeState::Failed(Some(failure))) => Payload::settled(Err(&format!("{failure}"))),
            Some(NodeState::Succeeded { .. }) => Payload::settled(Ok(&self.value(from))),
            _ => Payload::settled(Err("skipped")),
        }
    }

    /// The run's result: the output of its last node, or, of several, a map by node name. None before it succeeded.
    #[must_use]
    pub fn output(&self, plan: &Plan) -> Option<Payload> {
        if self.status() != RunStatus::Succeeded {
            return None;
        }
        Some(self.result(plan))
    }

    pub(super) fn result(&self, plan: &Plan) -> Payload {
        match plan.outputs() {
            [only] => self.value(Some(*only)),
            several => {
                let parts: Vec<_> =
                    several.iter().map(|&node| (plan.at(node).name.clone(), self.value(Some(node)))).collect();
                Payload::map(&parts)
            }
        }
    }

    /// Where the page of items begins that a foreach's handler is asked for; none for the first.
    #[must_use]
    pub fn cursor(&self, node: NodeIx) -> Option<&Payload> {
        self.open(node)?.cursor.as_ref()
    }

    /// How many pages of a foreach's items have been read: the same for every attempt to read the next one.
    #[must_use]
    pub fn pages_read(&self, node: NodeIx) -> u32 {
        self.open(node).map_or(0, |open| open.pages)
    }

    /// How many batches of a foreach's results have been folded: the same for every attempt to fold the next one.
    #[must_use]
    pub fn batches_folded(&self, node: NodeIx) -> u32 {
        self.open(node).map_or(0, |open| open.batches)
    }

    /// What a call that folds results of a foreach is given: what was made of those before (none at first), and the
    /// next results, each with the key of its item.
    #[must_use]
    pub fn to_reduce(&self, plan: &Plan, node: NodeIx) -> Option<ToReduce<'_>> {
        let open = self.open(node)?;
        let good = |one: &ItemResult| one.result.is_ok();
        debug_assert!(open.results.iter().all(good), "only good results wait to be folded");
        let results = open.batch(is_ordered(plan, node)).into_iter();
        let results = results.filter_map(|one| Some((&*one.key, one.result.as_ref().ok()?)));
        Some((open.acc.clone(), results.collect()))
    }

    /// Whether a call can have folded so many of the results that wait.
    pub(super) fn can_fold(&self, plan: &Plan, node: NodeIx, count: u32) -> bool {
        let ready = self.open(node).map_or(0, |open| open.batch(is_ordered(plan, node)).len());
        // One that folds nothing of what there is would be made again and again.
        count as usize <= ready && (count > 0 || ready == 0)
    }

    /// What the undo action of a node takes back: the node's result, or none when nobody knows what it did.
    #[must_use]
    pub fn to_undo(&self, node: NodeIx) -> Option<&Payload> {
        match self.nodes.get(node.index())? {
            NodeState::Succeeded { output, .. } => output.as_ref(),
            _ => None,
        }
    }
}

/// Whether a foreach folds its results in the order of the items.
pub(super) fn is_ordered(plan: &Plan, node: NodeIx) -> bool {
    matches!(&plan.at(node).kind, NodeKind::ForEach(foreach) if foreach.gives == Gives::Reduced { ordered: true })
}
