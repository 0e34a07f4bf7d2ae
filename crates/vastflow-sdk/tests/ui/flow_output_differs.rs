//! The flow is said to give a text, its last node gives a number.
use vastflow_sdk::{Flow, Node, Result};
use vastflow_core::PlanErrors;

async fn double(n: u32) -> Result<u32> {
    Ok(n * 2)
}

fn flow() -> Result<Flow<u32, String>, PlanErrors> {
    Flow::dag("f", |dag, n: Node<u32>| dag.node("double", double, n))
}

fn main() {
    let _ = flow();
}
