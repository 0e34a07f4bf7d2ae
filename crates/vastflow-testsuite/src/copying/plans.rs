//! Random plans of all kinds of nodes, two scopes deep.

use crate::fixture::name;
use crate::rng::Rng;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::Plan;
use vastflow_core::plan::{
    BasinSpec, BranchSpec, CaseSpec, EdgeSpec, ForEachSpec, Gives, HookSpec, Join, NodeKind, NodeSpec, Partial,
    PlanSpec, PollPolicy, Source, UndoSpec,
};
use vastflow_core::retry::RetryPolicy;

/// How many scopes may stand inside each other, besides the root.
const DEPTH: usize = 2;
const SECOND: Duration = Duration::from_secs(1);

/// A plan that a seed repeats.
pub(super) fn plan(rng: &mut Rng, flow: &str) -> Arc<Plan> {
    let mut spec = spec(rng, flow, DEPTH);
    if rng.chance(30) {
        spec.finally = Some(HookSpec { retry: RetryPolicy::times(2).every(SECOND), ..HookSpec::default() });
    }
    if rng.chance(30) {
        spec.timeout = Some(3_600 * SECOND);
    }
    Arc::new(Plan::new(spec).expect("a plan that can be made"))
}

fn spec(rng: &mut Rng, flow: &str, depth: usize) -> PlanSpec {
    let mut spec = PlanSpec::new(name(flow));
    spec.nodes = (0..=rng.below(4)).map(|at| node(rng, flow, at, depth)).collect();
    spec
}

fn node(rng: &mut Rng, flow: &str, at: usize, depth: usize) -> NodeSpec {
    let mut node = NodeSpec::new(name(&format!("n{at}")), kind(rng, flow, depth));
    let from = match rng.below(at + 1) {
        0 => Source::Input,
        before => Source::Node(name(&format!("n{}", before - 1))),
    };
    node.inputs.push(EdgeSpec::data(from));
    if !matches!(node.kind, NodeKind::Basin(_) | NodeKind::Signal { .. } | NodeKind::Sleep { .. }) {
        node.retry = RetryPolicy::times(2).every(SECOND);
    }
    if matches!(node.kind, NodeKind::Task) {
        node.undo = rng.chance(30).then(|| UndoSpec { retry: RetryPolicy::times(2).every(SECOND) });
        node.lane = rng.chance(20).then(|| name("narrow"));
    }
    node
}

fn kind(rng: &mut Rng, flow: &str, depth: usize) -> NodeKind {
    match rng.below(if depth > 0 { 11 } else { 7 }) {
        0 => NodeKind::River { poll: PollPolicy { times: 4, interval: SECOND } },
        1 => NodeKind::Sleep { duration: 2 * SECOND },
        2 => NodeKind::Signal { name: name("go") },
        7 => NodeKind::Basin(Box::new(BasinSpec { body: spec(rng, flow, depth - 1), export: None })),
        8 => {
            let case = |key: &str, body| CaseSpec { key: key.into(), body };
            let cases = vec![case("a", spec(rng, flow, depth - 1)), case("b", spec(rng, flow, depth - 1))];
            NodeKind::Branch(Box::new(BranchSpec { cases, join: join(rng), collect: true }))
        }
        9 | 10 => NodeKind::ForEach(Box::new(ForEachSpec {
            body: spec(rng, flow, depth - 1),
            window: 2,
            join: join(rng),
            partial: Partial::default(),
            gives: Gives::List,
        })),
        _ => NodeKind::Task,
    }
}

fn join(rng: &mut Rng) -> Join {
    if rng.chance(30) { Join::Any } else { Join::All }
}

/// Whether what a run gives depends on which of several scopes ends first.
pub(super) fn has_race(spec: &PlanSpec) -> bool {
    spec.nodes.iter().any(|node| match &node.kind {
        NodeKind::Basin(basin) => has_race(&basin.body),
        NodeKind::Branch(branch) => branch.join != Join::All || branch.cases.iter().any(|case| has_race(&case.body)),
        NodeKind::ForEach(each) => each.join != Join::All || has_race(&each.body),
        _ => false,
    })
}
