//! The nodes of a tuple stand in the other order than the handler takes them.
use vastflow_sdk::{Flow, Node, Result};

async fn name(n: u32) -> Result<String> {
    Ok(n.to_string())
}

async fn join((name, n): (String, u32)) -> Result<String> {
    Ok(format!("{name}{n}"))
}

fn main() {
    let _ = Flow::dag("f", |dag, n: Node<u32>| {
        let name = dag.node("name", name, n);
        dag.node("join", join, (n, name))
    });
}
