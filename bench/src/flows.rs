//! The flows that are measured: no-op nodes, 100 bytes in, 100 bytes between them.

use vastflow::{Flow, Node, PlanErrors, Result};

/// A payload of 100 bytes.
pub(crate) fn payload() -> String {
    "x".repeat(98)
}

async fn pass(value: String) -> Result<String> {
    Ok(value)
}

async fn first(values: Vec<String>) -> Result<String> {
    Ok(values.into_iter().next().unwrap_or_default())
}

/// A chain of no-op nodes.
pub(crate) fn chain(nodes: usize) -> Result<Flow<String, String>, PlanErrors> {
    Flow::dag("chain", |dag, input: Node<'_, String>| {
        (0..nodes).fold(input, |before, n| dag.node(&format!("n{n}"), pass, before))
    })
}

/// One node, then `width` side by side, then one that joins them.
pub(crate) fn fan(width: usize) -> Result<Flow<String, String>, PlanErrors> {
    Flow::dag("fan", |dag, input: Node<'_, String>| {
        let root = dag.node("root", pass, input);
        let side: Vec<_> = (0..width).map(|n| dag.node(&format!("side{n}"), pass, root)).collect();
        dag.node("join", first, side)
    })
}

/// Nodes that have nothing to do with each other; the first gives the result.
pub(crate) fn independent(nodes: usize) -> Result<Flow<String, String>, PlanErrors> {
    Flow::dag("independent", |dag, input: Node<'_, String>| {
        let all: Vec<_> = (0..nodes).map(|n| dag.node(&format!("n{n}"), pass, input)).collect();
        all.into_iter().next().unwrap_or(input)
    })
}
