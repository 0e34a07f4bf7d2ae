//! The node before gives a number, the handler takes a text.
use vastflow_sdk::{Flow, Node, Result};

async fn shout(text: String) -> Result<String> {
    Ok(text)
}

fn main() {
    let _ = Flow::dag("f", |dag, n: Node<u32>| dag.node("shout", shout, n));
}
