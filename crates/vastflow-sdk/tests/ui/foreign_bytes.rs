//! `Bytes` of the bytes crate where vastflow's are taken.
use vastflow_sdk::{Bytes, Flow, Node, Result};

async fn read(n: u32) -> Result<bytes::Bytes> {
    Ok(n.to_string().into())
}

async fn shout(text: Bytes) -> Result<Bytes> {
    Ok(text.to_text().to_uppercase().into())
}

fn main() {
    let _ = Flow::dag("f", |dag, n: Node<u32>| {
        let text = dag.node("read", read, n);
        dag.node("shout", shout, text)
    });
}
