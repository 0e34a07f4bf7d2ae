//! Several inputs arrive as one tuple, not as several arguments.
use vastflow_sdk::{Flow, Node, Result};

async fn add(a: u32, b: u32) -> Result<u32> {
    Ok(a + b)
}

fn main() {
    let _ = Flow::dag("f", |dag, n: Node<u32>| dag.node("add", add, (n, n)));
}
