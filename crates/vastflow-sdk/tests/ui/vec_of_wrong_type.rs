//! A `Vec` of nodes that give numbers, wired to a handler of texts.
use vastflow_sdk::{Flow, Node, Result};

async fn join(texts: Vec<String>) -> Result<String> {
    Ok(texts.concat())
}

fn main() {
    let _ = Flow::dag("f", |dag, n: Node<u32>| dag.node("join", join, vec![n, n]));
}
