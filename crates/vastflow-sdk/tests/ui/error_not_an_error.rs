//! The error of the handler is a number.
use vastflow_sdk::{Flow, Node};

async fn double(n: u32) -> Result<u32, u8> {
    Ok(n * 2)
}

fn main() {
    let _ = Flow::dag("f", |dag, n: Node<u32>| dag.node("double", double, n));
}
