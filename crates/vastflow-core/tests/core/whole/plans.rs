//! Random plans, and what their handlers will answer: settled before the run begins, so that it can be foretold.

use crate::dsl::name;
use crate::property::Choices;
use std::collections::BTreeMap;
use vastflow_core::plan::{
    BasinSpec, BranchSpec, CaseSpec, EdgeSpec, ForEachSpec, Gives, HookSpec, Join, NodeKind, NodeSpec, OnExhausted,
    Partial, PlanSpec, PollPolicy, Source, UndoSpec,
};
use vastflow_core::retry::RetryPolicy;
use vastflow_core::{Name, Plan};

const MAX_DEPTH: usize = 4;

/// What the handlers of one node do, in every scope in which it runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Fate {
    /// So many of the first attempts fail …
    pub(crate) fails: u32,
    /// … in these scopes only: one in three, by their path.
    pub(crate) only_in: Option<usize>,
    /// Nobody knows what the failed attempts did.
    pub(crate) unclear: bool,
    /// A failed attempt says that another would be of no use.
    pub(crate) fatal: bool,
    pub(crate) rescued: bool,
    /// So many polls find it unfinished.
    pub(crate) polls: u32,
    /// The items of a foreach, and how many are in a page.
    pub(crate) items: usize,
    pub(crate) page: usize,
    /// The cases that are chosen, a bit each.
    pub(crate) chosen: u16,
    pub(crate) reduce_fails: bool,
    pub(crate) undo_fails: u32,
    /// 1: each call writes a key of its own; 2: also one that all share.
    pub(crate) writes: usize,
}

impl Fate {
    /// Whether it says more than that all goes well.
    pub(crate) fn is_odd(&self) -> bool {
        let plain = Fate { only_in: self.only_in, page: self.page, ..Fate::default() };
        *self != plain
    }

    /// How many attempts fail in the scope at `path`.
    pub(crate) fn fails_in(&self, path: &str) -> u32 {
        let place = path.bytes().map(usize::from).sum::<usize>() % 3;
        if self.only_in.is_none_or(|only| only == place) { self.fails } else { 0 }
    }
}

/// A plan with the fates of all nodes in it, by their names, which are unique at all depths.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) plan: Plan,
    pub(crate) fates: BTreeMap<Name, Fate>,
}

pub(crate) fn random_case(choices: &mut Choices<'_>, wild: bool) -> Case {
    let mut maker = Maker { fates: BTreeMap::new(), wild, dense: choices.once_in(2) };
    let mut spec = maker.graph(choices, 0);
    spec.on_failure = choices.once_in(3).then(HookSpec::default);
    spec.finally = choices.once_in(3).then(|| HookSpec { retry: RetryPolicy::times(1), ..HookSpec::default() });
    let plan = Plan::new(spec).unwrap_or_else(|errors| panic!("{errors}"));
    Case { plan, fates: maker.fates }
}

struct Maker {
    fates: BTreeMap<Name, Fate>,
    /// With all that makes it impossible to foretell the result.
    wild: bool,
    /// With many joins, inner scopes and undo actions, which say little to each other if they are rare.
    dense: bool,
}

impl Maker {
    fn graph(&mut self, choices: &mut Choices<'_>, depth: usize) -> PlanSpec {
        let mut spec = PlanSpec::new(name("flow"));
        let most = if depth == 0 { 6 } else { 3 };
        for _ in 0..=choices.below(most) {
            let node = self.node(choices, depth, &spec.nodes);
            spec.nodes.push(node);
        }
        spec.cancel_grace = choices.seconds(4);
        if choices.once_in(5) {
            spec.outputs.push(spec.nodes[choices.below(spec.nodes.len())].name.clone());
        }
        if self.wild && choices.once_in(6) {
            spec.timeout = Some(choices.seconds(6));
        }
        spec
    }

    fn node(&mut self, choices: &mut Choices<'_>, depth: usize, before: &[NodeSpec]) -> NodeSpec {
        let called = name(&format!("n{}", self.fates.len()));
        self.fates.insert(called.clone(), Fate::default());
        let kind = self.kind(choices, depth);
        let mut node = NodeSpec::new(called, kind);
        self.edges(choices, &mut node, before);
        self.options(choices, &mut node);
        let fate = random_fate(choices, &node, if self.dense { 10 } else { 3 });
        self.fates.insert(node.name.clone(), fate);
        node
    }

    fn kind(&mut self, choices: &mut Choices<'_>, depth: usize) -> NodeKind {
        let kind = choices.below(18);
        match if self.dense && (6..12).contains(&kind) { kind + 6 } else { kind } {
            0..8 => NodeKind::Task,
            8 | 9 => {
                let times = u32::from(choices.number() % 4);
                NodeKind::River { poll: PollPolicy { times, interval: choices.seconds(3) } }
            }
            10 => NodeKind::Gate,
            11 => NodeKind::Sleep { duration: choices.seconds(3) },
            12 if depth == 0 || choices.once_in(2) => {
                NodeKind::Signal { name: name(&format!("s{}", self.fates.len())) }
            }
            _ if depth + 1 >= MAX_DEPTH => NodeKind::Task,
            12 | 13 => {
                let export = choices.once_in(3).then(|| vec!["shared".into()]);
                NodeKind::Basin(Box::new(BasinSpec { body: self.graph(choices, depth + 1), export }))
            }
            14 | 15 => {
                let count = 1 + choices.below(3);
                let case = |at| CaseSpec { key: format!("c{at}").into(), body: self.graph(choices, depth + 1) };
                let cases = (0..count).map(case).collect();
                let join = self.join(choices, count);
                NodeKind::Branch(Box::new(BranchSpec { cases, join, collect: choices.once_in(3) }))
            }
            _ => NodeKind::ForEach(Box::new(self.foreach(choices, depth))),
        }
    }

    fn foreach(&mut self, choices: &mut Choices<'_>, depth: usize) -> ForEachSpec {
        let body = self.graph(choices, depth + 1);
        let window = 1 + u32::try_from(choices.below(3)).unwrap();
        let join = if choices.once_in(3) { self.join(choices, 3) } else { Join::All };
        let (mut partial, mut gives) = (Partial::Stop, [Gives::List, Gives::Map][choices.below(2)]);
        if join == Join::All {
            partial = [Partial::Stop, Partial::Finish, Partial::Tolerate(1)][choices.below(3)];
            gives = match choices.below(4) {
                2 => Gives::Reduced { ordered: false },
                3 => Gives::Reduced { ordered: true },
                _ => gives,
            };
        }
        ForEachSpec { body, window, join, partial, gives }
    }

    fn edges(&self, choices: &mut Choices<'_>, node: &mut NodeSpec, before: &[NodeSpec]) {
        let is_gate = node.kind == NodeKind::Gate;
        let (some, order) = (choices.number(), choices.number() & choices.number() & choices.number());
        for (at, parent) in before.iter().enumerate().filter(|(at, _)| some >> at & 1 == 1) {
            let mut edge = EdgeSpec::data(Source::Node(parent.name.clone()));
            edge.order_only = is_gate || order >> at & 1 == 1;
            node.inputs.push(edge);
        }
        let parents = node.inputs.len();
        if parents > 0 {
            node.join = self.join(choices, parents);
        }
        if matches!(node.join, Join::Any | Join::NOf(_)) {
            // What only orders is not joined with values.
            let only_orders = node.inputs.iter().all(|edge| edge.order_only);
            node.inputs.iter_mut().for_each(|edge| edge.order_only = only_orders);
        }
        if !is_gate && node.join == Join::All && (parents == 0 || choices.once_in(3)) {
            node.inputs.push(EdgeSpec::data(Source::Input));
        }
    }

    fn join(&self, choices: &mut Choices<'_>, of: usize) -> Join {
        match choices.below(8) {
            2..6 if self.dense => Join::Any,
            5 => Join::Any,
            6 => Join::NOf(1 + u32::try_from(choices.below(of)).unwrap()),
            7 => Join::AllSettled,
            _ => Join::All,
        }
    }

    fn options(&self, choices: &mut Choices<'_>, node: &mut NodeSpec) {
        let is_task = matches!(node.kind, NodeKind::Task | NodeKind::River { .. });
        let calls = is_task || matches!(node.kind, NodeKind::Branch(_) | NodeKind::ForEach(_));
        if calls {
            node.retry = RetryPolicy::times(u32::from(choices.number() % 3)).every(choices.seconds(3));
        }
        node.isolated = choices.once_in(6);
        node.atomic = choices.once_in(8) && !has_signal(&node.kind);
        if node.kind != NodeKind::Gate {
            node.rescue = choices.once_in(6);
        }
        if is_task && (self.dense || choices.once_in(2)) {
            node.undo = Some(UndoSpec { retry: RetryPolicy::times(u32::from(choices.number() % 2)) });
        }
        if calls && !node.rescue && choices.once_in(10) {
            node.on_exhausted = OnExhausted::Pause;
        }
        if self.wild && node.kind != NodeKind::Gate {
            node.timeout = choices.once_in(5).then(|| choices.limit(5));
        }
    }
}

/// Whether a node of this kind waits for a signal, or one inside of it does.
fn has_signal(kind: &NodeKind) -> bool {
    let node = NodeSpec::new(name("n"), kind.clone());
    let inside = || node.bodies().into_iter().flat_map(|body| &body.nodes).any(|node| has_signal(&node.kind));
    matches!(kind, NodeKind::Signal { .. }) || inside()
}

fn random_fate(choices: &mut Choices<'_>, node: &NodeSpec, one_in: usize) -> Fate {
    let fails = if choices.once_in(one_in) { 1 + u32::try_from(choices.below(3)).unwrap() } else { 0 };
    let is_foreach = matches!(node.kind, NodeKind::ForEach(_));
    Fate {
        // A foreach counts its attempts through all pages, so that only the very first can be foretold.
        fails: if is_foreach { fails.min(1) } else { fails },
        only_in: choices.once_in(2).then(|| choices.below(3)),
        unclear: choices.once_in(3),
        fatal: choices.once_in(6),
        rescued: choices.once_in(2),
        polls: u32::try_from(choices.below(4)).unwrap(),
        items: choices.below(5),
        page: 1 + choices.below(3),
        chosen: choices.number() >> 8 | choices.number() >> 8,
        reduce_fails: choices.once_in(6),
        undo_fails: if choices.once_in(4) { 1 + u32::try_from(choices.below(2)).unwrap() } else { 0 },
        writes: choices.below(3),
    }
}
