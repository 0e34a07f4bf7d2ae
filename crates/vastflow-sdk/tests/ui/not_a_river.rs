//! A type drawn as a river that does not implement `River`.
use serde::{Deserialize, Serialize};
use vastflow_sdk::{Flow, Node};

#[derive(Serialize, Deserialize)]
struct CreateVm;

fn main() {
    let _ = Flow::dag("f", |dag, n: Node<u32>| dag.river("create-vm", CreateVm, n));
}
