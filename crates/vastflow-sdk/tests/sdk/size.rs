//! Large drawings stay cheap, also in a debug build.

use crate::support::pass;
use std::sync::LazyLock;
use std::time::{Duration, Instant};
use vastflow_sdk::{Flow, Graph, Node, Result};

const NODES: usize = 10_000;

/// How long this thread has had a processor, where the system tells it; else how much time has passed.
fn spent() -> Duration {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|told| told.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| BEGIN.elapsed(), Duration::from_nanos)
}

/// The shortest of three times, without that which other processes had the processor for meanwhile.
fn shortest(draw: impl Fn()) -> Duration {
    let time = |_| {
        let begin = spent();
        draw();
        spent().saturating_sub(begin)
    };
    (0..3).map(time).min().unwrap()
}

fn names() -> Vec<String> {
    (0..NODES).map(|at| format!("node-{at}")).collect()
}

#[test]
fn ten_thousand_nodes_in_a_row_are_drawn_by_name_within_a_second() {
    let names = names();
    let took = shortest(|| {
        let mut graph = Graph::new("row");
        for name in &names {
            graph.node(name, pass);
        }
        for two in names.windows(2) {
            graph.edge(&two[0], &two[1]);
        }
        assert_eq!(graph.build().unwrap().plan().len(), NODES);
    });
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn ten_thousand_nodes_side_by_side_are_drawn_typed_within_a_second() {
    async fn double(n: u32) -> Result<u32> {
        Ok(n * 2)
    }
    async fn sum(all: Vec<u32>) -> Result<u32> {
        Ok(all.iter().sum())
    }
    let names = names();
    let took = shortest(|| {
        let flow = Flow::dag("fan", |dag, n: Node<u32>| {
            let all: Vec<Node<u32>> = names[1..].iter().map(|name| dag.node(name, double, n)).collect();
            dag.node("sum", sum, all)
        });
        assert_eq!(flow.unwrap().plan().len(), NODES);
    });
    assert!(took < Duration::from_secs(1), "{took:?}");
}
