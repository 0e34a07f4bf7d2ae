//! A handler that holds an `Rc` while it waits.
use std::rc::Rc;
use vastflow_sdk::{Flow, Node, Result};

async fn double(n: u32) -> Result<u32> {
    let n = Rc::new(n);
    std::future::ready(()).await;
    Ok(*n * 2)
}

fn main() {
    let _ = Flow::dag("f", |dag, n: Node<u32>| dag.node("double", double, n));
}
