//! A plain value where a node belongs.
use vastflow_sdk::{Flow, Node, Result};

async fn double(n: u32) -> Result<u32> {
    Ok(n * 2)
}

fn main() {
    let _ = Flow::dag("f", |dag, _: Node<u32>| dag.node("double", double, 7_u32));
}
