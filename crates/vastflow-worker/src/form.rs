//! What a flow takes and waits for, held against what is given: a value that no node could read is refused at once.

use crate::error::Error;
use std::collections::BTreeMap;
use vastflow_core::plan::{NodeKind, Schema};
use vastflow_core::{Name, NodeIx, Plan, PlanHash, ScopeId};
use vastflow_sdk::Flow;

/// A flow that new runs can be started of.
#[derive(Clone, Debug)]
pub(crate) struct Served {
    /// The plan that they follow.
    pub(crate) plan: PlanHash,
    /// What they take.
    takes: Schema,
}

impl Served {
    pub(crate) fn of<In, Out>(flow: &Flow<In, Out>) -> Self {
        Served { plan: flow.plan().hash(), takes: flow.takes().clone() }
    }

    /// The plan, if its runs can read what is given.
    pub(crate) fn plan_for(&self, flow: &str, given: &Schema) -> Result<PlanHash, Error> {
        match self.takes.reads(given) {
            true => Ok(self.plan),
            false => {
                let (takes, given) = (self.takes.to_string(), given.to_string());
                Err(Error::InputMismatch { flow: flow.to_owned(), takes, given })
            }
        }
    }
}

/// Whether a node of the scope, which follows `plan`, or of one inside of it waits for such a signal.
pub(crate) fn check_signal(scope: &ScopeId, plan: &Plan, name: &Name, given: &Schema) -> Result<(), Error> {
    let mut signals = BTreeMap::new();
    gather(plan, &mut signals);
    let id = scope.run().clone();
    match signals.get(name).map(Vec::as_slice) {
        Some(all) if all.iter().any(|carries| carries.reads(given)) => Ok(()),
        Some([carries, ..]) => {
            let (takes, given) = (carries.to_string(), given.to_string());
            Err(Error::SignalMismatch { id, name: name.clone(), takes, given })
        }
        _ => {
            let known = signals.into_keys().cloned().collect();
            Err(Error::UnknownSignal { id, name: name.clone(), at: scope.path().to_owned(), known })
        }
    }
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
