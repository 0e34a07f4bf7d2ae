//! A handler that gives its value without a `Result` around it.
use vastflow_sdk::{Flow, Node};

async fn double(n: u32) -> u32 {
    n * 2
}

fn main() {
    let _ = Flow::dag("f", |dag, n: Node<u32>| dag.node("double", double, n));
}
