//! A `finally` that gives a value.
use vastflow_core::RunOutcome;
use vastflow_sdk::{Flow, Node, Result};

async fn double(n: u32) -> Result<u32> {
    Ok(n * 2)
}

async fn report(outcome: RunOutcome) -> Result<String> {
    Ok(format!("{outcome:?}"))
}

fn main() {
    let _ = Flow::dag("f", |dag, n: Node<u32>| {
        dag.finally(report);
        dag.node("double", double, n)
    });
}
