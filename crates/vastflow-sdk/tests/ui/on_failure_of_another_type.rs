//! The substitute value is of another type than the node's.
use vastflow_core::Failure;
use vastflow_sdk::{Flow, Node, Result};

async fn double(n: u32) -> Result<u32> {
    Ok(n * 2)
}

async fn instead(_: Failure) -> Result<String> {
    Ok("none".into())
}

fn main() {
    let _ = Flow::dag("f", |dag, n: Node<u32>| dag.node("double", double, n).on_failure(instead));
}
