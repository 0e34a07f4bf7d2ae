//! The output cannot be written: `Serialize` is missing.
use serde::Deserialize;
use vastflow_sdk::{Flow, Node, Result};

#[derive(Deserialize)]
struct Face(u32);

async fn detect(n: u32) -> Result<Face> {
    Ok(Face(n))
}

fn main() {
    let _ = Flow::dag("f", |dag, n: Node<u32>| dag.node("detect", detect, n));
}
