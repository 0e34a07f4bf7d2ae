//! What a run must give, told by plain recursion over its plan: no state, no queue, no events. Where the order of things
//! decides, the oracle is shown what came first, and says what must follow from it.

use super::plans::{Case, Fate};
use super::world::{Scope, World, bytes, children, chosen, inner, item_key, nodes};
use crate::dsl::payload_text;
use std::collections::BTreeMap;
use vastflow_core::plan::{Gives, Join, NodeKind, NodeSpec, OnExhausted, Partial, Source};
use vastflow_core::run::NodeStatus;
use vastflow_core::{Codec, NodeIx, Payload, Plan};

/// What may become of something.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct May {
    pub(crate) succeed: bool,
    pub(crate) fail: bool,
    /// It may never begin.
    pub(crate) skip: bool,
}

const SUCCEEDS: May = May { succeed: true, fail: false, skip: false };
const FAILS: May = May { succeed: false, fail: true, skip: false };

impl May {
    const fn surely_succeeds(self) -> bool {
        self.succeed && !self.fail && !self.skip
    }
}

/// The nodes that a node waits for, with whether they hand on a value, in edge order.
pub(crate) fn parents(plan: &Plan, node: NodeIx) -> impl Iterator<Item = (NodeIx, bool)> + '_ {
    plan.node(node).unwrap().inputs.iter().filter_map(|edge| match &edge.from {
        Source::Node(name) => Some((plan.find(name).unwrap(), !edge.order_only)),
        Source::Input => None,
    })
}

/// The nodes before a node that it needs, or of which it needs some: of a join that takes failures, only what brings no
/// value beside others that do.
pub(crate) fn needed_before(plan: &Plan, node: NodeIx) -> impl Iterator<Item = NodeIx> + '_ {
    let takes_failures = plan.node(node).unwrap().join == Join::AllSettled;
    let some_carry = parents(plan, node).any(|(_, carries)| carries);
    let needs = move |carries: bool| !takes_failures || some_carry && !carries;
    parents(plan, node).filter(move |(_, carries)| needs(*carries)).map(|(parent, _)| parent)
}

/// What may become of a scope that nobody stops.
pub(crate) fn of_scope(case: &Case, plan: &Plan, path: &str) -> May {
    let all: BTreeMap<NodeIx, May> = in_scope(case, plan, path);
    let unhandled = |node: &NodeIx| !is_handled(plan, *node);
    let failing: Vec<NodeIx> = nodes(plan).filter(|node| all[node].fail).filter(unhandled).collect();
    let surely = |node: &NodeIx| all[node] == FAILS && !may_be_given_up(plan, *node);
    May { succeed: !failing.iter().any(surely), fail: !failing.is_empty(), skip: false }
}

pub(crate) fn in_scope(case: &Case, plan: &Plan, path: &str) -> BTreeMap<NodeIx, May> {
    let mut all = BTreeMap::new();
    // Nodes are drawn after those that they wait for.
    for node in nodes(plan) {
        let before: Vec<May> = needed_before(plan, node).map(|parent| all[&parent]).collect();
        let all_come = before.iter().all(|may| may.succeed);
        let some_stays_away = before.iter().any(|may| may.fail || may.skip);
        let runs = || of_node(case, plan, node, path);
        let may = match plan.node(node).unwrap().join {
            Join::All | Join::AllSettled if !all_come => May { skip: true, ..May::default() },
            Join::All | Join::AllSettled => May { skip: some_stays_away, ..runs() },
            join => {
                let may = enough(&before, needed(join, before.len()), runs());
                rescued(case, plan, node, may)
            }
        };
        all.insert(node, may);
    }
    all
}

/// What may become of something that needs so many of `of`, and is `then` when it has them.
fn enough(of: &[May], needs: usize, then: May) -> May {
    let possible = of.iter().filter(|may| may.succeed).count() >= needs;
    let certain = of.iter().filter(|may| may.surely_succeeds()).count() >= needs;
    match (possible, certain) {
        (false, _) => FAILS,
        (true, true) => then,
        (true, false) => May { fail: true, ..then },
    }
}

const fn needed(join: Join, all: usize) -> usize {
    match join {
        Join::All => all,
        Join::Any => 1,
        Join::NOf(count) => count as usize,
        Join::AllSettled => 0,
    }
}

/// What may become of a node that has begun.
fn of_node(case: &Case, plan: &Plan, node: NodeIx, path: &str) -> May {
    let spec = plan.node(node).unwrap();
    let fate = &case.fates[&spec.name];
    let fails = fate.fails_in(path);
    let calls_succeed = fails == 0 || !fate.fatal && fails <= spec.retry.retries;
    let body = |key: &str| of_scope(case, plan.body(node, key).unwrap(), &inner(path, plan, node, key));
    let own = match &spec.kind {
        NodeKind::Gate | NodeKind::Sleep { .. } | NodeKind::Signal { .. } => return SUCCEEDS,
        NodeKind::Basin(_) => body(""),
        // An operator sees to it that it has a result.
        _ if !calls_succeed && spec.on_exhausted == OnExhausted::Pause => match &spec.kind {
            NodeKind::Task | NodeKind::River { .. } => SUCCEEDS,
            _ => May { succeed: true, fail: true, skip: false },
        },
        _ if !calls_succeed => FAILS,
        NodeKind::River { poll } if poll.times > 0 && fate.polls >= poll.times => {
            if spec.on_exhausted == OnExhausted::Pause { SUCCEEDS } else { FAILS }
        }
        NodeKind::Branch(branch) => {
            let arms: Vec<May> = chosen(spec, fate).iter().map(|key| body(key)).collect();
            let needs = needed(branch.join, arms.len());
            match arms.len() {
                // The chooser is refused; an operator may see to a result.
                some if some < needs => May { succeed: spec.on_exhausted == OnExhausted::Pause, ..FAILS },
                0 if !branch.collect => SUCCEEDS,
                _ => enough(&arms, needs, SUCCEEDS),
            }
        }
        NodeKind::ForEach(foreach) => {
            let items: Vec<May> = (0..fate.items).map(|at| body(&scope_key(spec, at))).collect();
            let tolerated = match foreach.partial {
                Partial::Tolerate(most) if foreach.join == Join::All => most as usize,
                _ => 0,
            };
            let needs = needed(foreach.join, items.len()).saturating_sub(tolerated);
            let reduces = matches!(foreach.gives, Gives::Reduced { .. });
            let then = if reduces && fate.reduce_fails && spec.retry.retries == 0 { FAILS } else { SUCCEEDS };
            enough(&items, needs, then)
        }
        _ => SUCCEEDS,
    };
    rescued(case, plan, node, own)
}

fn rescued(case: &Case, plan: &Plan, node: NodeIx, may: May) -> May {
    let spec = plan.node(node).unwrap();
    if !spec.rescue || !case.fates[&spec.name].rescued {
        return may;
    }
    May { succeed: may.succeed || may.fail, fail: false, ..may }
}

/// Whether all that waits for the node can do without it.
pub(crate) fn is_handled(plan: &Plan, node: NodeIx) -> bool {
    let mut after = children(plan, node).peekable();
    !plan.outputs().contains(&node) && after.peek().is_some() && after.all(|child| can_do_without(plan, child, node))
}

/// Whether `child` may begin although `node` did not succeed.
fn can_do_without(plan: &Plan, child: NodeIx, node: NodeIx) -> bool {
    match plan.node(child).unwrap().join {
        Join::All => false,
        Join::Any | Join::NOf(_) => true,
        Join::AllSettled => needed_before(plan, child).all(|needed| needed != node),
    }
}

/// Whether all ways from the node lead to joins that may go on without it.
pub(crate) fn may_be_given_up(plan: &Plan, node: NodeIx) -> bool {
    let mut after = children(plan, node).peekable();
    let does_without = |child: NodeIx| {
        matches!(plan.node(child).unwrap().join, Join::Any | Join::NOf(_)) || may_be_given_up(plan, child)
    };
    !plan.outputs().contains(&node) && after.peek().is_some() && after.all(does_without)
}

/// What stands for a text that is not foretold.
const ANY: &str = "¿";

/// Whether `text` is `pattern`, which may have gaps.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split(ANY);
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// What the nodes of one scope must have given, by what came first.
pub(crate) struct Values<'a> {
    pub(crate) case: &'a Case,
    pub(crate) world: &'a World<'a>,
    pub(crate) path: &'a str,
}

impl Values<'_> {
    fn scope(&self) -> &Scope {
        &self.world.scopes[self.path]
    }

    fn plan(&self) -> &Plan {
        &self.scope().run.plan
    }

    fn fate(&self, node: NodeIx) -> &Fate {
        &self.case.fates[&self.spec(node).name]
    }

    fn spec(&self, node: NodeIx) -> &NodeSpec {
        self.plan().node(node).unwrap()
    }

    /// What the whole scope gives.
    pub(crate) fn result(&self) -> Payload {
        match self.plan().outputs() {
            [only] => self.value(*only),
            several => object(several.iter().map(|node| (self.spec(*node).name.to_string(), self.value(*node)))),
        }
    }

    /// What a node that has succeeded gave.
    pub(crate) fn value(&self, node: NodeIx) -> Payload {
        // Of a rescue, an operator, and of what calls code there is a word in the journal.
        if let Some(output) = self.scope().outputs.get(&node) {
            return output.clone();
        }
        let ends = || self.scope().ends.iter().filter(move |(of, _, _, awaited)| *of == node && *awaited);
        match &self.spec(node).kind {
            NodeKind::Signal { name } => bytes(name),
            NodeKind::Sleep { .. } => self.flowed_in(node),
            NodeKind::Basin(_) => ends().next().map(|(_, _, end, _)| end.result.clone().unwrap()).unwrap(),
            NodeKind::Branch(branch) => {
                let keys = chosen(self.spec(node), self.fate(node));
                if keys.is_empty() && !branch.collect {
                    return if self.fate(node).chosen >> 7 & 1 == 1 { bytes("chosen") } else { self.flowed_in(node) };
                }
                let values = self.joined(node, branch.join, &keys);
                match values.as_slice() {
                    [(_, only)] if !branch.collect => only.clone(),
                    _ => object(values),
                }
            }
            NodeKind::ForEach(foreach) => {
                let keys: Vec<Box<str>> = (0..self.fate(node).items).map(|at| scope_key(self.spec(node), at)).collect();
                let mut values = self.joined(node, foreach.join, &keys);
                match foreach.gives {
                    _ if foreach.join == Join::Any => values.remove(0).1,
                    Gives::List => list(values.into_iter().map(|(_, value)| value)),
                    Gives::Map => object(values),
                    Gives::Reduced { ordered: true } => folded(values.iter().map(|(_, value)| value)),
                    Gives::Reduced { .. } => folded(ends().filter_map(|(_, _, end, _)| end.result.as_ref().ok())),
                }
            }
            _ => Payload::null(),
        }
    }

    /// The results of scopes that a node opened, as its join picks them, in the order of `keys`.
    fn joined(&self, node: NodeIx, join: Join, keys: &[Box<str>]) -> Vec<(String, Payload)> {
        let ends: Vec<_> = self.scope().ends.iter().filter(|(of, _, _, awaited)| *of == node && *awaited).collect();
        let mut good: Vec<_> = ends.iter().filter(|(_, _, end, _)| end.result.is_ok()).collect();
        good.truncate(needed(join, usize::MAX).max(usize::from(join == Join::All)));
        let value = |key: &str| -> Option<Payload> {
            if join == Join::AllSettled {
                let (_, _, end, _) = ends.iter().find(|(_, of, _, _)| **of == *key)?;
                return Some(settled(end.result.as_ref().ok()));
            }
            good.iter().find(|(_, of, _, _)| **of == *key).map(|(_, _, end, _)| end.result.clone().unwrap())
        };
        keys.iter().filter_map(|key| Some((key.to_string(), value(key)?))).collect()
    }

    /// What flows into a node that makes one value of it.
    fn flowed_in(&self, node: NodeIx) -> Payload {
        let mut ways = self.inputs(node);
        if ways.len() != 1 {
            return bytes(ANY);
        }
        one_value(ways.remove(0))
    }

    /// All that may have flowed into a node as one value.
    pub(crate) fn may_have_flowed_in(&self, node: NodeIx) -> Vec<Payload> {
        self.inputs(node).into_iter().map(one_value).collect()
    }

    /// What may have flowed into a node, in edge order, or in the order of coming: one list for each way in which it may
    /// have come.
    pub(crate) fn inputs(&self, node: NodeIx) -> Vec<Vec<(String, Payload)>> {
        let spec = self.spec(node);
        if let Join::Any | Join::NOf(_) = spec.join {
            let needs = needed(spec.join, 0);
            let carries: BTreeMap<NodeIx, bool> = parents(self.plan(), node).collect();
            let came: Vec<(NodeIx, usize)> =
                self.scope().done.iter().filter(|(of, _)| carries.contains_key(of)).copied().collect();
            let some = |order: Vec<NodeIx>| {
                let carrying = order.into_iter().filter(|of| carries[of]);
                carrying.map(|of| (self.spec(of).name.to_string(), self.value(of))).collect()
            };
            return first_of(&came, needs).into_iter().map(some).collect();
        }
        let mut values = Vec::new();
        for edge in spec.inputs.iter().filter(|edge| !edge.order_only) {
            let (name, value) = match &edge.from {
                Source::Input => ("input".into(), self.scope().input.clone()),
                Source::Node(name) => (name.to_string(), self.handed_on(self.plan().find(name).unwrap(), spec.join)),
            };
            values.push((name, value));
        }
        vec![values]
    }

    fn handed_on(&self, from: NodeIx, join: Join) -> Payload {
        let came = self.scope().done.iter().any(|(of, _)| *of == from);
        match join {
            Join::AllSettled => settled(came.then(|| self.value(from)).as_ref()),
            _ if came => self.value(from),
            _ => bytes(ANY),
        }
    }

    /// Whether a task's output is made of what it was to get.
    pub(crate) fn is_made_of_inputs(&self, node: NodeIx, output: &Payload) -> bool {
        let text = payload_text(output);
        self.inputs(node).into_iter().any(|values| {
            let values: Vec<_> = values.iter().map(|(_, value)| payload_text(value)).collect();
            fits(&format!("{}({})", self.spec(node).name, values.join(",")), &text)
        })
    }

    pub(crate) fn status(&self, node: NodeIx) -> NodeStatus {
        self.scope().status(node)
    }
}

/// The key of an item's scope.
fn scope_key(spec: &NodeSpec, at: usize) -> Box<str> {
    let key = item_key(spec, at);
    if key.is_empty() { at.to_string().into() } else { key }
}

/// The ways in which the first `count` can have come; those of one step in any order.
fn first_of(came: &[(NodeIx, usize)], count: usize) -> Vec<Vec<NodeIx>> {
    if count == 0 {
        return vec![Vec::new()];
    }
    let Some(first) = came.iter().map(|(_, step)| *step).min() else { return Vec::new() };
    let mut ways = Vec::new();
    for (node, _) in came.iter().filter(|(_, step)| *step == first) {
        let rest: Vec<_> = came.iter().filter(|(of, _)| of != node).copied().collect();
        ways.extend(first_of(&rest, count - 1).into_iter().map(|way| [vec![*node], way].concat()));
    }
    ways
}

fn one_value(mut values: Vec<(String, Payload)>) -> Payload {
    match values.len() {
        0 => Payload::null(),
        1 => values.remove(0).1,
        _ => object(values),
    }
}

fn settled(value: Option<&Payload>) -> Payload {
    match value {
        Some(value) => Payload::new(Codec::Json, format!("{{\"Ok\":{}}}", json(value))),
        None => Payload::new(Codec::Json, format!("{{\"Err\":\"{ANY}\"}}")),
    }
}

fn json(value: &Payload) -> String {
    match value.codec() {
        _ if payload_text(value) == ANY => ANY.into(),
        Codec::Json => payload_text(value),
        _ => format!("\"{}\"", payload_text(value).replace('\\', "\\\\").replace('"', "\\\"")),
    }
}

fn object(parts: impl IntoIterator<Item = (String, Payload)>) -> Payload {
    let parts: Vec<_> = parts.into_iter().map(|(name, value)| format!("\"{name}\":{}", json(&value))).collect();
    Payload::new(Codec::Json, format!("{{{}}}", parts.join(",")))
}

fn list(parts: impl IntoIterator<Item = Payload>) -> Payload {
    let parts: Vec<_> = parts.into_iter().map(|value| json(&value)).collect();
    Payload::new(Codec::Json, format!("[{}]", parts.join(",")))
}

fn folded<'a>(parts: impl IntoIterator<Item = &'a Payload>) -> Payload {
    bytes(&parts.into_iter().map(|value| format!("|{}", payload_text(value))).collect::<String>())
}
