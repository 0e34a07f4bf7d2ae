//! A plan as goflow described it: for tools that read its definition JSON.

use super::{NodeKind, Plan, Source};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde::Serialize;

/// A plan described node by node, with what the others imply worked out: degrees, children, first and last nodes. Its
/// JSON has the field names of goflow's definition. It is for reading: what stores keep, and [`Plan::from_json`] reads,
/// is [`Plan::to_json`].
///
/// ```
/// # use vastflow_core::plan::{EdgeSpec, NodeKind, NodeSpec, Plan, PlanSpec, Source};
/// # use vastflow_core::Name;
/// # let mut spec = PlanSpec::new(Name::new("hello")?);
/// # let mut greet = NodeSpec::new(Name::new("greet")?, NodeKind::Task);
/// # greet.inputs.push(EdgeSpec::data(Source::Input));
/// # spec.nodes.push(greet);
/// let definition = Plan::new(spec)?.definition();
/// assert_eq!(definition.nodes["greet"].unique_id, "0_1_greet");
/// assert!(definition.to_json().contains("\"start-node\": \"greet\""));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct Definition {
    /// Which graph: `0` is the flow itself.
    pub id: String,
    /// The first node, if there is just one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_node: Option<String>,
    /// The last node, if there is just one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_node: Option<String>,
    /// The nodes that wait for no other.
    pub start_nodes: Vec<String>,
    /// The nodes whose outputs are the result.
    pub end_nodes: Vec<String>,
    /// Whether a node has graphs inside.
    pub has_branch: bool,
    /// Whether there is an edge between nodes.
    pub has_edge: bool,
    /// Whether no edge between nodes carries a value.
    pub exec_only_dag: bool,
    /// The nodes by name.
    pub nodes: BTreeMap<String, DefinedNode>,
    /// Always true: a plan is checked when it is made.
    pub is_valid: bool,
}

/// One node of a [`Definition`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub struct DefinedNode {
    /// Its name.
    pub id: String,
    /// Its place, from 1.
    pub node_index: usize,
    /// `graph_index_name`: unique over all graphs of the flow.
    pub unique_id: String,
    /// `task`, `river`, `gate`, `branch`, `foreach`, `basin`, `signal` or `sleep`.
    pub kind: &'static str,
    /// Whether it opens scopes.
    pub is_dynamic: bool,
    /// Whether it is a branch.
    pub is_condition: bool,
    /// Whether it is a foreach.
    pub is_foreach: bool,
    /// Whether it has an aggregator.
    pub has_aggregator: bool,
    /// Whether there is a graph inside that is neither an arm nor done for each item: a basin.
    pub has_subdag: bool,
    /// Edges into it from other nodes.
    pub in_degree: usize,
    /// Edges out of it.
    pub out_degree: usize,
    /// The nodes that wait for it, as drawn.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub childrens: Vec<String>,
    /// For each of them whether the edge carries no value.
    pub child_exec_only: BTreeMap<String, bool>,
    /// What stands inside a basin.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_dag: Option<Box<Definition>>,
    /// What is done for each item.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub foreach_dag: Option<Box<Definition>>,
    /// The arms of a branch by their keys.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub conditional_dags: BTreeMap<String, Definition>,
}

impl Plan {
    /// Describes the plan node by node.
    #[must_use]
    pub fn definition(&self) -> Definition {
        define(self, "0")
    }
}

impl Definition {
    /// The description as JSON with line breaks, nodes sorted by name.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Every part of it has a JSON form, so writing it cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}

fn define(plan: &Plan, id: &str) -> Definition {
    let specs = &plan.spec().nodes;
    let mut nodes: BTreeMap<String, DefinedNode> = BTreeMap::new();
    for (at, spec) in specs.iter().enumerate() {
        nodes.insert(spec.name.to_string(), node(plan, at, id));
    }
    let edges = specs.iter().flat_map(|to| to.inputs.iter().map(move |edge| (to, edge)));
    let (mut has_edge, mut exec_only_dag) = (false, true);
    for (to, edge) in edges {
        let Source::Node(from) = &edge.from else { continue };
        has_edge = true;
        exec_only_dag &= edge.order_only;
        if let Some(from) = nodes.get_mut(from.as_str()) {
            from.childrens.push(to.name.to_string());
            from.child_exec_only.insert(to.name.to_string(), edge.order_only);
        }
    }
    let names = |all: &[crate::NodeIx]| all.iter().map(|node| plan.at(*node).name.to_string()).collect::<Vec<_>>();
    let (start_nodes, end_nodes) = (names(plan.starts()), names(plan.outputs()));
    let only = |all: &[String]| if let [one] = all { Some(one.clone()) } else { None };
    Definition {
        id: id.into(),
        start_node: only(&start_nodes),
        end_node: only(&end_nodes),
        start_nodes,
        end_nodes,
        has_branch: plan.has_bodies(),
        has_edge,
        exec_only_dag,
        nodes,
        is_valid: true,
    }
}

fn node(plan: &Plan, at: usize, graph: &str) -> DefinedNode {
    let (ix, spec, index) = (super::index(at), &plan.spec().nodes[at], at + 1);
    let links = plan.links(ix);
    let inside = plan.bodies(ix);
    let body_id = format!("{graph}_{index}");
    let only_body = || inside.first().map(|body| Box::new(define(body, &body_id)));
    let arms = match &spec.kind {
        NodeKind::Branch(branch) => branch.cases.as_slice(),
        _ => &[],
    };
    let arm = |(case, body): (&super::CaseSpec, &alloc::sync::Arc<Plan>)| {
        (case.key.to_string(), define(body, &format!("{body_id}_{}", case.key)))
    };
    DefinedNode {
        id: spec.name.to_string(),
        node_index: index,
        unique_id: format!("{body_id}_{}", spec.name),
        kind: kind_word(&spec.kind),
        is_dynamic: !inside.is_empty(),
        is_condition: matches!(spec.kind, NodeKind::Branch(_)),
        is_foreach: matches!(spec.kind, NodeKind::ForEach(_)),
        has_aggregator: spec.aggregator,
        has_subdag: matches!(spec.kind, NodeKind::Basin(_)),
        in_degree: links.parents.len(),
        out_degree: links.children.len(),
        childrens: Vec::new(),
        child_exec_only: BTreeMap::new(),
        sub_dag: if matches!(spec.kind, NodeKind::Basin(_)) { only_body() } else { None },
        foreach_dag: if matches!(spec.kind, NodeKind::ForEach(_)) { only_body() } else { None },
        conditional_dags: arms.iter().zip(inside).map(arm).collect(),
    }
}

const fn kind_word(kind: &NodeKind) -> &'static str {
    match kind {
        NodeKind::Task => "task",
        NodeKind::River { .. } => "river",
        NodeKind::Gate => "gate",
        NodeKind::Branch(_) => "branch",
        NodeKind::ForEach(_) => "foreach",
        NodeKind::Basin(_) => "basin",
        NodeKind::Signal { .. } => "signal",
        NodeKind::Sleep { .. } => "sleep",
    }
}
