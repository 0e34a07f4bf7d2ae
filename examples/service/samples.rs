//! goflow's six samples. Their nodes say what they execute, on standard error and in their results, and take their time.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;
use vastflow::prelude::*;
use vastflow_examples::terminal::note;

type Saying = Pin<Box<dyn Future<Output = Result<Bytes>> + Send>>;

/// A node that says what it executes, after a while.
fn executing(what: &'static str, wait: Duration) -> impl Fn(Bytes) -> Saying + Send + Sync + 'static {
    move |data: Bytes| {
        Box::pin(async move {
            note(format!("executing {what}"));
            tokio::time::sleep(wait).await;
            Ok(format!("(Executing {what} with data ({}))", data.to_text()).into())
        })
    }
}

fn one(name: &str, what: &'static str) -> Graph {
    let mut graph = Graph::new(name);
    graph.node(name, executing(what, Duration::ZERO));
    graph
}

/// All of them; `second` says how long a second of theirs takes.
pub fn all(second: Duration) -> Result<Vec<Flow<Bytes, Bytes>>> {
    Ok(vec![
        myflow()?,
        one("single", "node 1").build()?,
        serial(10 * second)?,
        parallel(5 * second)?,
        condition()?,
        repeated()?,
    ])
}

/// Says what was said.
fn myflow() -> Result<Flow<Bytes, Bytes>> {
    let mut graph = Graph::new("myflow");
    graph.node("say", said);
    Ok(graph.build()?)
}

async fn said(data: Bytes) -> Result<Bytes> {
    Ok(format!("you said \"{}\"", data.to_text()).into())
}

/// One after the other.
fn serial(wait: Duration) -> Result<Flow<Bytes, Bytes>> {
    let mut graph = Graph::new("serial");
    for (node, what) in [("node1", "node 1"), ("node2", "node 2"), ("node3", "node 3")] {
        graph.node(node, executing(what, wait));
    }
    graph.edge("node1", "node2").edge("node2", "node3");
    Ok(graph.build()?)
}

/// Two side by side, and one that gets what both gave.
fn parallel(wait: Duration) -> Result<Flow<Bytes, Bytes>> {
    let mut graph = Graph::new("parallel");
    for (node, what) in [("node1", "node 1"), ("node2", "node 2"), ("node3", "node 3"), ("node4", "node 4")] {
        graph.node(node, executing(what, wait));
    }
    graph.edge("node1", "node2").edge("node1", "node3").edge("node2", "node4").edge("node3", "node4");
    graph.aggregator("node4", |parts: Parts| Ok(text(&parts, &["node2", "node3"])));
    Ok(graph.build()?)
}

/// One of two arms: `case2` if that stands in the input, else `case1`.
fn condition() -> Result<Flow<Bytes, Bytes>> {
    let mut graph = Graph::new("condition");
    graph.node("node1", executing("node 1", Duration::ZERO)).node("result", executing("result", Duration::ZERO));
    let choose = |data: &Bytes| if data.to_text().contains("case2") { "case2" } else { "case1" };
    let cases = [("case1", one("c1", "case 1")), ("case2", one("c2", "case 2"))];
    graph.condition_with("choice", choose, cases, |parts: Parts| Ok(text(&parts, &["case1", "case2"])));
    graph.edge("node1", "choice").edge("choice", "result");
    Ok(graph.build()?)
}

/// The same for each of two items.
fn repeated() -> Result<Flow<Bytes, Bytes>> {
    let mut graph = Graph::new("loop");
    graph.node("node1", executing("node 1", Duration::ZERO)).node("result", executing("result", Duration::ZERO));
    let items = |data: Bytes| Ok((0..2).map(|n| (n.to_string(), data.clone())).collect::<BTreeMap<_, _>>());
    graph.for_each_with("each", items, one("case", "case 1"), |parts: Parts| {
        let said = |key: &str| Ok::<_, vastflow::BoxError>(format!("{key}: {},", parts.get::<Bytes>(key)?.to_text()));
        let all: Result<String> = parts.names().map(said).collect();
        Ok(Bytes::from(format!("({})", all?)))
    });
    graph.edge("node1", "each").edge("each", "result");
    Ok(graph.build()?)
}

/// `(a: what a gave, b: what b gave)`; what did not run gave nothing.
fn text(parts: &Parts, names: &[&str]) -> Bytes {
    let said =
        |name: &&str| format!("{name}: {}", parts.get::<Bytes>(name).map(|data| data.to_text()).unwrap_or_default());
    format!("({})", names.iter().map(said).collect::<Vec<_>>().join(", ")).into()
}
