//! A closure that borrows from the function which draws the flow.
use vastflow_sdk::{Flow, Node, Result};

fn main() {
    let factor = 2;
    let _ = Flow::dag("f", |dag, n: Node<u32>| {
        let times = |n: u32| {
            let product = n * &factor;
            async move { Result::<u32>::Ok(product) }
        };
        dag.node("times", times, n)
    });
}
