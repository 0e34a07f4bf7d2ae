//! Plans: the validated structure of a flow. No code is in them; they are serialisable, hashed, and stored with
//! every run.

mod check;
mod definition;
mod dot;
mod mermaid;
mod options;
mod picture;
mod schema;
mod spec;

pub use check::{PlanError, PlanErrors};
pub use definition::{DefinedNode, Definition};
pub use schema::Schema;
pub use spec::{
    BasinSpec, BranchSpec, CaseSpec, EdgeSpec, ForEachSpec, Gives, HookSpec, Join, NodeKind, NodeSpec, OnExhausted,
    Partial, PlanSpec, PollPolicy, Source, UndoSpec,
};

use crate::id::{Name, NodeIx, ScopeId, Task};
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A checked plan, with what scheduling needs worked out once.
///
/// ```
/// use vastflow_core::plan::{EdgeSpec, NodeKind, NodeSpec, Plan, PlanSpec, Source};
/// use vastflow_core::Name;
///
/// let mut spec = PlanSpec::new(Name::new("hello")?);
/// let mut greet = NodeSpec::new(Name::new("greet")?, NodeKind::Task);
/// greet.inputs.push(EdgeSpec::data(Source::Input));
/// spec.nodes.push(greet);
///
/// let plan = Plan::new(spec)?;
/// assert_eq!(Plan::from_json(&plan.to_json())?.hash(), plan.hash());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Plan {
    spec: PlanSpec,
    hash: PlanHash,
    by_name: BTreeMap<Name, NodeIx>,
    nodes: Vec<Links>,
    starts: Vec<NodeIx>,
    outputs: Vec<NodeIx>,
    /// The plans inside each node that has some.
    bodies: BTreeMap<NodeIx, Vec<Arc<Plan>>>,
    /// Whether it stands inside another plan.
    is_body: bool,
    /// Whether a node of it, at any depth, has an undo action.
    has_undo: bool,
}

/// How one node hangs together with the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Links {
    /// Edges that come from nodes: what must end before this one starts.
    pub(crate) waits_for: u32,
    /// The nodes at the other end of `waits_for`, in edge order, with whether the edge hands on a value.
    pub(crate) parents: Vec<(NodeIx, bool)>,
    /// The nodes that wait for this one, once per edge, with whether the edge hands on a value.
    pub(crate) children: Vec<(NodeIx, bool)>,
    /// Whether it is a result of the run.
    pub(crate) is_output: bool,
    /// Whether an edge into it hands on a value.
    takes_values: bool,
}

impl Plan {
    /// Checks `spec` and works out its order. Linear in nodes and edges. Times are rounded up to whole milliseconds,
    /// the unit of the JSON, so that a plan that was stored is the plan that was made.
    ///
    /// # Errors
    /// [`PlanErrors`] with everything that is wrong, not just the first thing.
    pub fn new(mut spec: PlanSpec) -> Result<Self, PlanErrors> {
        spec.round_times();
        spec.name_bodies();
        check::check(&spec)?;
        Ok(Plan::checked(spec, false))
    }

    /// Works out what a spec means that was checked with all that is in it.
    fn checked(spec: PlanSpec, is_body: bool) -> Self {
        let names = spec.nodes.iter().enumerate().map(|(at, node)| (node.name.clone(), index(at)));
        let by_name: BTreeMap<Name, NodeIx> = names.collect();
        let mut nodes: Vec<Links> = spec.nodes.iter().map(|_| Links::default()).collect();
        for (to, node) in spec.nodes.iter().enumerate() {
            for edge in &node.inputs {
                nodes[to].takes_values |= !edge.order_only;
                let Source::Node(from) = &edge.from else { continue };
                let from = by_name[from];
                nodes[to].waits_for += 1;
                nodes[to].parents.push((from, !edge.order_only));
                nodes[from.index()].children.push((index(to), !edge.order_only));
            }
        }
        let outputs = outputs(&spec, &by_name, &nodes);
        for output in &outputs {
            nodes[output.index()].is_output = true;
        }
        let mut bodies = BTreeMap::new();
        let mut has_undo = false;
        for (at, node) in spec.nodes.iter().enumerate() {
            let inside = node.bodies().into_iter().map(|body| Arc::new(Plan::checked(body.clone(), true)));
            let inside: Vec<Arc<Plan>> = inside.collect();
            has_undo |= node.undo.is_some() || inside.iter().any(|body| body.has_undo);
            if !inside.is_empty() {
                bodies.insert(index(at), inside);
            }
        }
        let starts = (0..nodes.len()).filter(|&n| nodes[n].waits_for == 0).map(index).collect();
        let hash = PlanHash::of(&spec);
        Plan { spec, hash, by_name, nodes, starts, outputs, bodies, is_body, has_undo }
    }

    /// Reads a plan from its JSON text and checks it.
    ///
    /// # Errors
    /// [`PlanErrors`] when it is not JSON of a plan, or not a valid one.
    pub fn from_json(json: &str) -> Result<Self, PlanErrors> {
        let spec = serde_json::from_str(json).map_err(|e| PlanErrors::json(&e))?;
        Plan::new(spec)
    }

    /// The plan as JSON text: what stores keep.
    #[must_use]
    pub fn to_json(&self) -> String {
        json(&self.spec)
    }

    /// The hash that names this plan.
    #[must_use]
    pub const fn hash(&self) -> PlanHash {
        self.hash
    }

    /// The plan as plain data.
    #[must_use]
    pub const fn spec(&self) -> &PlanSpec {
        &self.spec
    }

    /// The name of the flow.
    #[must_use]
    pub const fn flow(&self) -> &Name {
        &self.spec.flow
    }

    /// The node at a position, or `None` when the plan has no such node.
    #[must_use]
    pub fn node(&self, node: NodeIx) -> Option<&NodeSpec> {
        self.spec.nodes.get(node.index())
    }

    /// The position of the node with this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<NodeIx> {
        self.by_name.get(name).copied()
    }

    /// The number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Whether there are no nodes; never true of a checked plan.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The nodes whose outputs are the run's result.
    #[must_use]
    pub fn outputs(&self) -> &[NodeIx] {
        &self.outputs
    }

    /// The nodes that wait for no other node.
    #[must_use]
    pub fn starts(&self) -> &[NodeIx] {
        &self.starts
    }

    /// The plans inside a node, in the order of [`NodeSpec::bodies`].
    #[must_use]
    pub fn bodies(&self, node: NodeIx) -> &[Arc<Plan>] {
        self.bodies.get(&node).map_or(&[], Vec::as_slice)
    }

    /// The plan that the scope follows which `node` opens for `key`.
    #[must_use]
    pub fn body(&self, node: NodeIx, key: &str) -> Option<&Arc<Plan>> {
        let at = match &self.node(node)?.kind {
            NodeKind::Branch(branch) => branch.cases.iter().position(|case| *case.key == *key)?,
            _ => 0,
        };
        self.bodies(node).get(at)
    }

    /// The plan that a scope of a run of this plan follows.
    ///
    /// ```
    /// # use vastflow_core::plan::{BasinSpec, NodeKind, NodeSpec, Plan, PlanSpec};
    /// # use vastflow_core::{Name, RunId, ScopeId};
    /// # use std::sync::Arc;
    /// let mut body = PlanSpec::new(Name::new("f")?);
    /// body.nodes.push(NodeSpec::new(Name::new("in")?, NodeKind::Task));
    /// let mut spec = PlanSpec::new(Name::new("f")?);
    /// let basin = NodeKind::Basin(Box::new(BasinSpec { body, export: None }));
    /// spec.nodes.push(NodeSpec::new(Name::new("basin")?, basin));
    /// let plan = Arc::new(Plan::new(spec)?);
    ///
    /// let root = ScopeId::root(RunId::new("r1")?);
    /// let inside = plan.of_scope(&root.child(&Name::new("basin")?, "")).unwrap();
    /// assert!(inside.find("in").is_some());
    /// assert!(plan.of_scope(&root.child(&Name::new("other")?, "")).is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn of_scope(self: &Arc<Self>, scope: &ScopeId) -> Option<Arc<Plan>> {
        let mut plan = self;
        for (node, key) in scope.steps() {
            plan = plan.body(plan.find(node)?, &key)?;
        }
        Some(Arc::clone(plan))
    }

    /// The lane that a task's calls queue in; none for the common one.
    #[must_use]
    pub fn lane(&self, task: Task) -> Option<&Name> {
        self.node(task.node()?).and_then(|spec| spec.lane.as_ref()).filter(|_| task.takes_slot())
    }

    /// Whether it stands inside another plan, so that its scopes have a parent.
    #[must_use]
    pub const fn is_body(&self) -> bool {
        self.is_body
    }

    /// Whether a node of it, at any depth, has an undo action.
    #[must_use]
    pub const fn has_undo(&self) -> bool {
        self.has_undo
    }

    /// Whether some node of it opens scopes.
    #[must_use]
    pub fn has_bodies(&self) -> bool {
        !self.bodies.is_empty()
    }

    /// The spec of a node that is known to exist.
    pub(crate) fn at(&self, node: NodeIx) -> &NodeSpec {
        &self.spec.nodes[node.index()]
    }

    pub(crate) fn links(&self, node: NodeIx) -> &Links {
        &self.nodes[node.index()]
    }

    /// Whether a node can begin although what an edge into it waits for did not succeed.
    pub(crate) fn can_do_without(&self, node: NodeIx, carries: bool) -> bool {
        match self.at(node).join {
            Join::All => false,
            Join::Any | Join::NOf(_) => true,
            // Beside values that may be failures, what only orders is waited for as anywhere else.
            Join::AllSettled => carries || !self.links(node).takes_values,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a plan holds at most MAX_NODES nodes")]
const fn index(node: usize) -> NodeIx {
    NodeIx(node as u32)
}

fn outputs(spec: &PlanSpec, by_name: &BTreeMap<Name, NodeIx>, nodes: &[Links]) -> Vec<NodeIx> {
    if spec.outputs.is_empty() {
        return (0..nodes.len()).filter(|&n| nodes[n].children.is_empty()).map(index).collect();
    }
    spec.outputs.iter().map(|name| by_name[name]).collect()
}

fn json(spec: &PlanSpec) -> String {
    // Every part of a spec has a JSON form, so writing it cannot fail.
    serde_json::to_string(spec).unwrap_or_default()
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plan({} {}, {} nodes)", self.spec.flow, self.hash, self.nodes.len())
    }
}

/// The first 16 bytes of the SHA-256 of a plan's JSON text: the name of exactly this structure.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PlanHash([u8; 16]);

impl PlanHash {
    fn of(spec: &PlanSpec) -> Self {
        let digest = Sha256::digest(json(spec).as_bytes());
        let mut hash = [0; 16];
        hash.copy_from_slice(&digest[..16]);
        PlanHash(hash)
    }
}

impl fmt::Display for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PlanHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PlanHash({self})")
    }
}

/// A text is not the 32 hexadecimal digits of a plan hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a plan hash is 32 hexadecimal digits")]
pub struct InvalidPlanHash;

impl FromStr for PlanHash {
    type Err = InvalidPlanHash;

    fn from_str(text: &str) -> Result<Self, InvalidPlanHash> {
        let mut hash = [0; 16];
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(InvalidPlanHash);
        }
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[at * 2..at * 2 + 2], 16).map_err(|_| InvalidPlanHash)?;
        }
        Ok(PlanHash(hash))
    }
}
