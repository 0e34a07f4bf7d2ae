//! The context comes first, then the input.
use vastflow_sdk::{Ctx, Flow, Node, Result};

async fn charge(cents: u32, ctx: Ctx) -> Result<String> {
    Ok(format!("{cents} {}", ctx.idempotency_key()))
}

fn main() {
    let _ = Flow::dag("f", |dag, n: Node<u32>| dag.node("charge", charge, n));
}
