//! What makes a plan valid. Everything that is wrong is reported at once, each with what to do about it.

use super::index;
use super::spec::{EdgeSpec, NodeKind, NodeSpec, PlanSpec, Source};
use crate::id::{Name, NodeIx};
use crate::limits::{MAX_DEPTH, MAX_NODES};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

/// One thing that is wrong with a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// There is no node.
    #[error("the flow has no node; add at least one")]
    Empty,
    /// More nodes than the limit.
    #[error("the flow has {nodes} nodes, the limit is {MAX_NODES} (MAX_NODES); use a foreach for wide work")]
    TooManyNodes {
        /// How many there are.
        nodes: usize,
    },
    /// Two nodes have one name.
    #[error("two nodes are named {name:?}; give each node a name of its own")]
    DuplicateNode {
        /// The name.
        name: Name,
    },
    /// An edge, or the list of results, names a node that is not there.
    #[error("{from} refers to node {to:?}, which is not defined; add it or correct the name")]
    UndefinedNode {
        /// Who refers to it.
        from: String,
        /// The name that is not there.
        to: Name,
    },
    /// A node waits for itself.
    #[error("node {name:?} waits for itself; remove that edge")]
    SelfEdge {
        /// The node.
        name: Name,
    },
    /// Two edges connect the same two nodes.
    #[error("there are two edges from {from:?} to {to:?}; keep one")]
    DuplicateEdge {
        /// Where they begin.
        from: Name,
        /// Where they end.
        to: Name,
    },
    /// Nodes wait for each other in a circle.
    #[error("the nodes wait for each other in a circle: {}; remove one of these edges", path_text(path))]
    Cycle {
        /// The circle, beginning and ending with the same node.
        path: Vec<Name>,
    },
    /// More than one node has no edge into it, in a graph that was drawn by name.
    #[error(
        "{} all have no edge into them; draw the edge that is missing, or say with `input_to` that they start the flow",
        names_text(nodes)
    )]
    SeveralStarts {
        /// Those nodes.
        nodes: Vec<Name>,
    },
    /// A value of one type flows into a handler that takes another.
    #[error(
        "{from:?} gives {gives}, but {to:?} takes {takes}; change one of them, or put a forwarder or an aggregator between"
    )]
    TypeMismatch {
        /// The node before.
        from: Name,
        /// The node behind.
        to: Name,
        /// The type that comes out.
        gives: String,
        /// The type that is taken.
        takes: String,
    },
    /// Something does not fit a node of this kind.
    #[error("node {name:?}: {why}")]
    Unfit {
        /// The node.
        name: Name,
        /// What does not fit, and what to do.
        why: String,
    },
    /// A name is not valid.
    #[error("{why}")]
    InvalidName {
        /// Which, why, and what is allowed.
        why: String,
    },
    /// A branch has no arm, or two of one key.
    #[error("branch {name:?} {why}")]
    Cases {
        /// The branch.
        name: Name,
        /// What is wrong with its arms, and what to do.
        why: String,
    },
    /// A graph inside a node is not valid.
    #[error("inside {}: {error}", inside_text(name, case))]
    Inside {
        /// The node.
        name: Name,
        /// Which arm of it, if it is a branch.
        case: Option<Box<str>>,
        /// What is wrong in there.
        error: Box<PlanError>,
    },
    /// Graphs stand inside each other deeper than the limit.
    #[error(
        "graphs stand inside each other more than {MAX_DEPTH} deep (MAX_DEPTH); draw the inner ones as a flow of its own"
    )]
    TooDeep,
    /// The drawing gives back no node of its own, so the run would have no result.
    #[error("the drawing gives back no node of its own; return the node whose output is the result of the run")]
    NoResult,
    /// The text is not the JSON of a plan.
    #[error("this is not the JSON of a plan: {why}")]
    Json {
        /// What the reader of the JSON said.
        why: String,
    },
}

impl PlanError {
    /// A short code that stays the same when the text is improved.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            PlanError::Empty => "plan-empty",
            PlanError::TooManyNodes { .. } => "plan-too-many-nodes",
            PlanError::DuplicateNode { .. } => "plan-duplicate-node",
            PlanError::UndefinedNode { .. } => "plan-undefined-node",
            PlanError::SelfEdge { .. } => "plan-self-edge",
            PlanError::DuplicateEdge { .. } => "plan-duplicate-edge",
            PlanError::Cycle { .. } => "plan-cycle",
            PlanError::SeveralStarts { .. } => "plan-several-starts",
            PlanError::TypeMismatch { .. } => "plan-type-mismatch",
            PlanError::Unfit { .. } => "plan-unfit",
            PlanError::InvalidName { .. } => "plan-invalid-name",
            PlanError::Cases { .. } => "plan-cases",
            PlanError::Inside { error, .. } => error.code(),
            PlanError::TooDeep => "plan-too-deep",
            PlanError::NoResult => "plan-no-result",
            PlanError::Json { .. } => "plan-json",
        }
    }
}

fn inside_text(name: &Name, case: &Option<Box<str>>) -> String {
    match case {
        Some(key) => format!("{name:?}, case {key:?}"),
        None => format!("{name:?}"),
    }
}

fn path_text(path: &[Name]) -> String {
    path.iter().map(|n| n.as_str()).collect::<Vec<_>>().join(" → ")
}

fn names_text(names: &[Name]) -> String {
    names.iter().map(|n| format!("{n:?}")).collect::<Vec<_>>().join(", ")
}

/// Everything that is wrong with a plan.
///
/// ```
/// use vastflow_core::plan::{Plan, PlanError, PlanSpec};
/// use vastflow_core::Name;
///
/// let errors = Plan::new(PlanSpec::new(Name::new("nothing")?)).unwrap_err();
/// assert_eq!(errors.list(), [PlanError::Empty]);
/// # Ok::<(), vastflow_core::id::InvalidId>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PlanErrors {
    flow: Option<Name>,
    list: Vec<PlanError>,
}

impl PlanErrors {
    /// Errors of a named flow.
    #[must_use]
    pub const fn new(flow: Name, list: Vec<PlanError>) -> Self {
        PlanErrors { flow: Some(flow), list }
    }

    pub(super) fn json(why: &serde_json::Error) -> Self {
        PlanErrors { flow: None, list: vec![PlanError::Json { why: why.to_string() }] }
    }

    /// The errors, in the order they were found.
    #[must_use]
    pub fn list(&self) -> &[PlanError] {
        &self.list
    }
}

impl fmt::Display for PlanErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.flow {
            Some(flow) => write!(f, "flow {flow:?} is not valid")?,
            None => f.write_str("the plan is not valid")?,
        }
        let many = self.list.len() > 1;
        for error in &self.list {
            f.write_str(if many { "\n  - " } else { ": " })?;
            write!(f, "{error} [{}]", error.code())?;
        }
        Ok(())
    }
}

/// The same text: it is what a `main` that fails with it prints.
impl fmt::Debug for PlanErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for PlanErrors {}

/// Checks everything, also what stands inside nodes.
pub(super) fn check(spec: &PlanSpec) -> Result<(), PlanErrors> {
    let mut found = Vec::new();
    let nodes = count(spec);
    if nodes > MAX_NODES {
        found.push(PlanError::TooManyNodes { nodes });
    }
    if depth(spec, 0) > MAX_DEPTH {
        found.push(PlanError::TooDeep);
    } else {
        check_graph(spec, &mut found);
    }
    if found.is_empty() { Ok(()) } else { Err(PlanErrors::new(spec.flow.clone(), found)) }
}

fn count(spec: &PlanSpec) -> usize {
    spec.nodes.len() + spec.nodes.iter().flat_map(NodeSpec::bodies).map(count).sum::<usize>()
}

/// How deep graphs stand inside each other, as far as the limit and one more.
fn depth(spec: &PlanSpec, above: usize) -> usize {
    if above > MAX_DEPTH {
        return above;
    }
    let inside = spec.nodes.iter().flat_map(NodeSpec::bodies).map(|body| depth(body, above + 1));
    inside.max().unwrap_or(above)
}

fn check_graph(spec: &PlanSpec, found: &mut Vec<PlanError>) {
    if spec.nodes.is_empty() {
        found.push(PlanError::Empty);
    }
    let by_name = names(spec, found);
    for node in &spec.nodes {
        check_edges(node, &by_name, found);
        check_kind(node, found);
        super::options::check(node, found);
        check_inside(node, found);
    }
    check_outputs(spec, &by_name, found);
    // With a name twice, nobody can say which node an edge means.
    if by_name.len() == spec.nodes.len() {
        found.extend(find_cycle(spec, &by_name));
    }
}

fn check_inside(node: &NodeSpec, found: &mut Vec<PlanError>) {
    let cases = match &node.kind {
        NodeKind::Branch(branch) => branch.cases.as_slice(),
        _ => &[],
    };
    for (at, body) in node.bodies().into_iter().enumerate() {
        let mut inside = Vec::new();
        check_graph(body, &mut inside);
        if body.on_failure.is_some() || body.finally.is_some() {
            let why = "a graph inside a node has no hooks of its own; give them to the flow".into();
            inside.push(PlanError::Unfit { name: node.name.clone(), why });
        }
        let case = cases.get(at).map(|case| case.key.clone());
        found.extend(inside.into_iter().map(|error| PlanError::Inside {
            name: node.name.clone(),
            case: case.clone(),
            error: Box::new(error),
        }));
    }
}

fn names(spec: &PlanSpec, found: &mut Vec<PlanError>) -> BTreeMap<Name, NodeIx> {
    let mut by_name = BTreeMap::new();
    for (at, node) in spec.nodes.iter().enumerate() {
        if by_name.insert(node.name.clone(), index(at)).is_some() {
            found.push(PlanError::DuplicateNode { name: node.name.clone() });
        }
    }
    by_name
}

fn check_edges(node: &NodeSpec, by_name: &BTreeMap<Name, NodeIx>, found: &mut Vec<PlanError>) {
    for edge in &node.inputs {
        let Source::Node(from) = &edge.from else { continue };
        if *from == node.name {
            found.push(PlanError::SelfEdge { name: from.clone() });
        } else if !by_name.contains_key(from) {
            found.push(PlanError::UndefinedNode { from: format!("an edge into {:?}", node.name), to: from.clone() });
        }
    }
}

fn check_outputs(spec: &PlanSpec, by_name: &BTreeMap<Name, NodeIx>, found: &mut Vec<PlanError>) {
    let mut seen = BTreeSet::new();
    for name in &spec.outputs {
        if !by_name.contains_key(name) {
            found.push(PlanError::UndefinedNode { from: "the list of results".into(), to: name.clone() });
        }
        if !seen.insert(name) {
            found.push(PlanError::Unfit { name: name.clone(), why: "it is a result twice; name it once".into() });
        }
    }
}

fn check_kind(node: &NodeSpec, found: &mut Vec<PlanError>) {
    let mut unfit = |why: &str| found.push(PlanError::Unfit { name: node.name.clone(), why: why.into() });
    let is_gate = node.kind == NodeKind::Gate;
    if is_gate && node.inputs.iter().any(EdgeSpec::carries) {
        unfit("a gate hands on nothing; make the edges into it order-only");
    }
    if is_gate && (node.aggregator || node.rescue || node.timeout.is_some() || node.attempt_timeout.is_some()) {
        unfit("a gate runs no code; remove its options");
    }
    if node.inputs.iter().any(|e| e.order_only && e.forwarder) {
        unfit("an order-only edge hands on nothing that a forwarder could transform; remove one of the two");
    }
    if node.code.is_none() && node.config.is_some() {
        unfit("only registered code has a configuration; name the code");
    }
}

impl EdgeSpec {
    fn carries(&self) -> bool {
        !self.order_only
    }
}

/// Takes away nodes that wait for nothing until none is left (Kahn 1962); what remains contains a circle.
fn find_cycle(spec: &PlanSpec, by_name: &BTreeMap<Name, NodeIx>) -> Option<PlanError> {
    let parents = |at: usize| {
        let known = |edge: &EdgeSpec| match &edge.from {
            Source::Node(name) => by_name.get(name).map(|node| node.index()),
            Source::Input => None,
        };
        // An edge from a node to itself is an error of its own.
        spec.nodes[at].inputs.iter().filter_map(known).filter(move |&from| from != at)
    };
    let mut missing: Vec<usize> = (0..spec.nodes.len()).map(|at| parents(at).count()).collect();
    let mut children = vec![Vec::new(); spec.nodes.len()];
    for at in 0..spec.nodes.len() {
        parents(at).for_each(|from| children[from].push(at));
    }
    let mut free: Vec<usize> = (0..missing.len()).filter(|&at| missing[at] == 0).collect();
    while let Some(at) = free.pop() {
        for &child in &children[at] {
            missing[child] -= 1;
            if missing[child] == 0 {
                free.push(child);
            }
        }
    }
    // Whatever is left waits for something that is left: walking back must come around.
    let start = missing.iter().position(|&count| count > 0)?;
    let back = |at: usize| parents(at).find(|&from| missing[from] > 0).unwrap_or(at);
    let on_circle = (0..spec.nodes.len()).fold(start, |at, _| back(at));
    let mut path = vec![spec.nodes[on_circle].name.clone()];
    let mut at = back(on_circle);
    while at != on_circle {
        path.push(spec.nodes[at].name.clone());
        at = back(at);
    }
    path.push(spec.nodes[on_circle].name.clone());
    path.reverse();
    Some(PlanError::Cycle { path })
}
