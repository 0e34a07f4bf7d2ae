//! What a flow takes and waits for, held against what is given: a value that no node could read is refused at once.
//!
//! Where what is given has a type, the types are compared; where it has none (JSON that came from elsewhere, bytes), the
//! value itself is looked at.

use crate::error::Error;
use crate::shared::Shared;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use vastflow_core::plan::{NodeKind, NodeSpec, Schema, Source};
use vastflow_core::{Name, NodeIx, Payload, Plan, PlanHash, RunId, ScopeId};
use vastflow_sdk::{Flow, Misfit, misfit, shown};

/// A flow that new runs can be started of.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    /// The plan that they follow.
    pub(crate) plan: PlanHash,
    /// What they take.
    takes: Schema,
    /// The same for what has no type.
    reads: Arc<Reads>,
}

impl Served {
    pub(crate) fn of<In, Out>(flow: &Flow<In, Out>) -> Self {
        let takes = flow.takes().clone();
        let reads = if takes.is_any() { Reads::of(flow.plan()) } else { Reads(vec![(takes.clone(), None)]) };
        Served { plan: flow.plan().hash(), takes, reads: Arc::new(reads) }
    }

    /// The plan, if its runs can read what is given.
    pub(crate) fn plan_for(&self, flow: &str, given: &Schema) -> Result<PlanHash, Error> {
        match self.takes.reads(given) {
            true => Ok(self.plan),
            false => {
                let (takes, given) = (shown(&self.takes), format!("{given} was given"));
                Err(Error::InputMismatch { flow: flow.to_owned(), takes, given })
            }
        }
    }
}

/// What a run's input is read as, by all that read it: nothing where nobody minds.
#[derive(Debug, Default)]
pub(crate) struct Reads(Vec<(Schema, Option<Schema>)>);

impl Reads {
    /// What the nodes take that get the input of the run, and nothing else.
    pub(crate) fn of(plan: &Plan) -> Self {
        let inputs = plan.spec().nodes.iter().filter(|node| node.inputs.iter().any(|edge| edge.from == Source::Input));
        let mut all: Vec<(Schema, Option<Schema>)> = Vec::new();
        for reads in inputs.filter_map(only_value) {
            if !all.contains(&reads) {
                all.push(reads);
            }
        }
        Reads(all)
    }

    /// What of a value nobody could read, with what is taken.
    fn misfit(&self, value: &Payload) -> Option<(&Schema, Misfit)> {
        self.0.iter().find_map(|reads| Some((&reads.0, misfit_of(reads, value)?)))
    }
}

/// What a node takes that gets one value, as it is: with what that may be instead, where it may be the only one of
/// several.
fn only_value(node: &NodeSpec) -> Option<(Schema, Option<Schema>)> {
    let mut values = node.inputs.iter().filter(|edge| !edge.order_only);
    let (Some(edge), None) = (values.next(), values.next()) else { return None };
    if node.takes.is_any() || edge.forwarder || node.aggregator {
        return None;
    }
    match (&node.kind, &node.takes) {
        // With it comes the place where a page begins.
        (NodeKind::ForEach(_), Schema::Tuple(_)) => None,
        (_, Schema::List(one)) => Some((node.takes.clone(), Some((**one).clone()))),
        (_, Schema::Tuple(parts)) if parts.len() == 1 => Some((node.takes.clone(), parts.first().cloned())),
        _ => Some((node.takes.clone(), None)),
    }
}

fn misfit_of((takes, or): &(Schema, Option<Schema>), value: &Payload) -> Option<Misfit> {
    let wrong = misfit(takes, value.bytes())?;
    match or {
        Some(or) => misfit(or, value.bytes()).map(|_| wrong),
        None => Some(wrong),
    }
}

/// The input of a run as its nodes read it, unless they cannot. No bytes at all are JSON's nothing to who reads JSON.
pub(crate) fn readable(shared: &Shared, plan: &Plan, input: Payload) -> Result<Payload, Error> {
    let served = {
        let flows = shared.flows.read().unwrap_or_else(PoisonError::into_inner);
        flows.get(plan.flow()).filter(|served| served.plan == plan.hash()).map(|served| Arc::clone(&served.reads))
    };
    let reads = served.unwrap_or_else(|| shared.catalogue.reads(plan));
    if reads.0.is_empty() {
        return Ok(input);
    }
    let input = if input.is_empty() { Payload::null() } else { input };
    match reads.misfit(&input) {
        None => Ok(input),
        Some((takes, wrong)) => {
            let (flow, takes, given) = (plan.flow().to_string(), shown(takes), wrong.to_string());
            Err(Error::InputMismatch { flow, takes, given })
        }
    }
}

/// Refuses a value that a node cannot get instead of what flows into it.
pub(crate) fn check_taken(run: &RunId, node: &NodeSpec, value: &Payload) -> Result<(), Error> {
    let wrong = only_value(node).and_then(|reads| misfit_of(&reads, value));
    wrong.map_or(Ok(()), |wrong| Err(value_mismatch(run, node, format!("takes {}", shown(&node.takes)), &wrong)))
}

/// Refuses a value that a node cannot have given.
pub(crate) fn check_given(run: &RunId, node: &NodeSpec, value: &Payload) -> Result<(), Error> {
    let wrong = misfit(&node.gives, value.bytes());
    wrong.map_or(Ok(()), |wrong| Err(value_mismatch(run, node, format!("gives {}", shown(&node.gives)), &wrong)))
}

fn value_mismatch(run: &RunId, node: &NodeSpec, wants: String, wrong: &Misfit) -> Error {
    Error::ValueMismatch { id: run.clone(), node: node.name.clone(), wants, given: wrong.to_string() }
}

/// Whether a node of the scope, which follows `plan`, or of one inside of it waits for such a signal: one that carries
/// `payload`, which looks like `given` as far as its type tells.
pub(crate) fn check_signal(
    scope: &ScopeId,
    plan: &Plan,
    name: &Name,
    (given, payload): (&Schema, &Payload),
) -> Result<(), Error> {
    let mut signals = BTreeMap::new();
    gather(plan, &mut signals);
    let id = scope.run().clone();
    let Some(all) = signals.get(name) else {
        let known = signals.into_keys().cloned().collect();
        return Err(Error::UnknownSignal { id, name: name.clone(), at: scope.path().to_owned(), known });
    };
    let mut wrong = None;
    for carries in all {
        let given = match given {
            Schema::Any => misfit(carries, payload.bytes()).map(|wrong| wrong.to_string()),
            given => (!carries.reads(given)).then(|| format!("{given} was given")),
        };
        let Some(given) = given else { return Ok(()) };
        wrong.get_or_insert(Error::SignalMismatch { id: id.clone(), name: name.clone(), takes: shown(carries), given });
    }
    wrong.map_or(Ok(()), Err)
}

/// The signals that nodes of a plan wait for, with what they carry.
fn gather<'a>(plan: &'a Plan, found: &mut BTreeMap<&'a Name, Vec<&'a Schema>>) {
    for (at, node) in plan.spec().nodes.iter().enumerate() {
        if let NodeKind::Signal { name } = &node.kind {
            found.entry(name).or_default().push(&node.gives);
        }
        plan.bodies(ix(at)).iter().for_each(|body| gather(body, found));
    }
}

/// The node of a plan that has one of this name inside, at any depth.
pub(crate) fn outer_of<'a>(plan: &'a Plan, inner: &str) -> Option<&'a Name> {
    let has = |body: &Plan| body.find(inner).is_some() || outer_of(body, inner).is_some();
    let nodes = plan.spec().nodes.iter().enumerate();
    nodes.filter(|(at, _)| plan.bodies(ix(*at)).iter().any(|body| has(body))).map(|(_, node)| &node.name).next()
}

#[expect(clippy::cast_possible_truncation, reason = "a plan holds at most MAX_NODES nodes")]
const fn ix(at: usize) -> NodeIx {
    NodeIx(at as u32)
}
