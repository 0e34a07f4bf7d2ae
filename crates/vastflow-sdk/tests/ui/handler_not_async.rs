//! A handler without `async`.
use vastflow_sdk::{Flow, Node, Result};

fn double(n: u32) -> Result<u32> {
    Ok(n * 2)
}

fn main() {
    let _ = Flow::dag("f", |dag, n: Node<u32>| dag.node("double", double, n));
}
