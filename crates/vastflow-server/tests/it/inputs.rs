//! What no node could read is refused where it is given: inputs, signals, and what forks and operators say.

use crate::support::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;
use vastflow_sdk::{Flow, Graph, Node, NodeError, OnExhausted, Page, Result};
use vastflow_server::Service;
use vastflow_worker::Engine;

#[derive(Serialize, Deserialize)]
struct Order {
    id: u64,
    note: Option<String>,
    items: Vec<u32>,
}

async fn sum(order: Order) -> Result<u64> {
    Ok(order.id + order.items.iter().map(|item| u64::from(*item)).sum::<u64>())
}

/// Sums up an order, and waits for a yes.
fn orders() -> Flow<Order, (u64, bool)> {
    Flow::dag("orders", |dag, order: Node<Order>| {
        let sum = dag.node("sum", sum, order);
        let yes: Node<bool> = dag.wait_signal("yes", sum);
        dag.node("both", |both: (u64, bool)| async move { Ok::<_, NodeError>(both) }, (sum, yes))
    })
    .unwrap()
}

fn tick() -> Flow<(), u32> {
    Flow::dag("tick", |dag, now: Node<()>| dag.node("one", |()| async { Ok::<_, NodeError>(1_u32) }, now)).unwrap()
}

/// One node of it is typed, the flow is not.
fn drawn() -> Flow<vastflow_sdk::Bytes, vastflow_sdk::Bytes> {
    let mut graph = Graph::new("drawn");
    graph.node("sum", sum).input_to("sum");
    graph.build().unwrap()
}

/// Its first nodes take more, or less, than what flows into them: a place where a page begins, a list of one.
fn odd() -> Flow<u64, u64> {
    async fn pages((up_to, from): (u64, Option<u64>)) -> Result<Page<u64, u64>> {
        Ok(Page::new((from.unwrap_or(0)..up_to).collect()))
    }
    Flow::dag("odd", |dag, n: Node<u64>| {
        let all = dag.for_each_page("each", pages, n, |dag, n| {
            dag.node("same", |n: u64| async move { Ok::<_, NodeError>(n) }, n)
        });
        let sum = all.reduce(0, |sum: u64, n: u64| sum + n);
        let list = dag.node("list", |list: Vec<u64>| async move { Ok::<_, NodeError>(list[0]) }, vec![n]);
        let one = dag.node("one", |(n,): (u64,)| async move { Ok::<_, NodeError>(n) }, (n,));
        dag.node("all", |(a, b, c): (u64, u64, u64)| async move { Ok::<_, NodeError>(a + b + c) }, (sum, list, one))
    })
    .unwrap()
}

/// Everything at once, and a server that has no code, on one store.
async fn both() -> [Running; 2] {
    let store = store();
    let engine = Engine::on(Arc::clone(&store))
        .flow(orders())
        .flow(tick())
        .flow(drawn())
        .flow(chain("bytes", &["a"]))
        .flow(odd());
    let all = open(engine).await;
    [all, Running::of(Service::new(Engine::on(store)).server_only()).await]
}

async fn runs(at: &Running) -> usize {
    at.get("/api/v1/runs").send().await.is(200).json()["items"].as_array().unwrap().len()
}

#[tokio::test]
async fn an_input_of_the_wrong_shape_starts_nothing() {
    for at in &both().await {
        for flow in ["orders", "drawn"] {
            let wrong = [
                (r#"{"id":"7","items":[]}"#, r#"text was given at "/id", which takes int"#),
                (r#"{"id":7}"#, r#"no value was given at "/items", which takes [int]"#),
                (r#"{"id":7,"items":[1,null]}"#, r#"null was given at "/items/1", which takes int"#),
                (r#""7""#, "takes {id: int, items: [int], note?: text}, and text was given; nothing was started"),
                ("hallo", "what is no JSON (line 1, column 1) was given"),
                ("", "null was given"),
            ];
            for (body, says) in wrong {
                let refused = at.post(&format!("/flow/{flow}"), body).send().await.problem(422, "input-mismatch");
                assert!(refused.json()["detail"].as_str().unwrap().contains(says), "{body}: {}", refused.text());
            }
            let start = json!({"flow": flow, "input": {"id": 7, "items": {}}}).to_string();
            let refused = at.post("/api/v1/runs", start).send().await.problem(422, "input-mismatch").text();
            assert!(refused.contains("an object was given at"), "{refused}");
        }
        assert_eq!(runs(at).await, 0);
    }
}

#[tokio::test]
async fn what_a_flow_can_read_is_taken() {
    for at in &both().await {
        for body in [r#"{"id":7,"items":[1]}"#, r#"{"id":7,"items":[1],"note":null,"more":{}}"#, r#"[7,null,[1]]"#] {
            assert_eq!(at.post("/flow/drawn", body).send().await.is(200).text(), "8");
        }
        assert_eq!(at.post("/flow/odd", "4").send().await.is(200).text(), "14");
        at.post("/flow/odd", "\"4\"").send().await.problem(422, "input-mismatch");
        let takes = at.get("/api/v1/flows/odd").send().await.is(200).json()["input_schema"].clone();
        assert_ne!(takes["prefixItems"][1], json!({"type": "integer"}), "a page's place is nobody's to give");
        assert_eq!(at.post("/flow/tick", "").send().await.is(200).text(), "1", "no body is nothing");
        assert_eq!(at.post("/flow/bytes", "\0").send().await.is(200).text(), "a(\0)");
        assert_eq!(at.post("/flow/bytes", "").send().await.is(200).text(), "a()", "bytes are left alone");
    }
}

#[tokio::test]
async fn a_signal_that_nobody_could_read_is_not_sent() {
    let [all, apart] = both().await;
    let begin = all.post("/flow/orders", r#"{"id":1,"items":[]}"#).header("X-Request-Id", "r");
    begin.header("X-Async", "true").send().await.is(202);
    for at in [&all, &apart] {
        for body in [r#""yes""#, "1", "yes", ""] {
            let refused = at.post("/api/v1/runs/r/signals/yes", body).send().await.problem(422, "signal-mismatch");
            assert!(refused.text().contains("carries bool, and "), "{}", refused.text());
        }
    }
    apart.post("/api/v1/runs/r/signals/yes", "true").send().await.is(204);
    let run = all.engine.handle("r").await.unwrap();
    assert_eq!(run.output::<(u64, bool)>().await.unwrap(), (1, true));
}

#[tokio::test]
async fn what_a_fork_gives_fits_its_node() {
    let [at, _] = both().await;
    at.post("/flow/drawn", r#"{"id":1,"items":[]}"#).header("X-Request-Id", "r").send().await.is(200);
    let fork = async |what: Value| at.post("/api/v1/runs/r/fork", what.to_string()).send().await;
    let refused = fork(json!({"node": "sum", "output": "x"})).await.problem(422, "value-mismatch").text();
    assert!(refused.contains("gives int, and text was given; nothing was done"), "{refused}");
    let refused = fork(json!({"node": "sum", "input": {"id": true, "items": []}})).await;
    assert!(refused.problem(422, "value-mismatch").text().contains("bool was given at"));
    assert_eq!(runs(&at).await, 1);
    fork(json!({"node": "sum", "input": {"id": 3, "items": []}, "id": "forked"})).await.is(201);
    assert_eq!(at.engine.handle("forked").await.unwrap().output::<u64>().await.unwrap(), 3);
}

#[tokio::test]
async fn what_an_operator_says_that_a_node_gave_fits_it() {
    let flow = Flow::dag("parks", |dag, n: Node<u64>| {
        let boom = |_: u64| async move { Err::<u64, _>(NodeError::fatal("boom")) };
        let charge = dag.node("charge", boom, n).on_exhausted(OnExhausted::Pause);
        dag.node("after", |n: u64| async move { Ok::<_, NodeError>(n + 1) }, charge)
    });
    let at = open(engine().flow(flow.unwrap())).await;
    at.post("/flow/parks", "1").header("X-Request-Id", "r").header("X-Async", "true").send().await.is(202);
    let run = at.engine.handle("r").await.unwrap();
    while run.attention().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    let say = async |what: Value| at.post("/api/v1/runs/r/resolve", what.to_string()).send().await;
    for what in [json!({"at": "charge", "choice": "done"}), json!({"at": "charge", "choice": "done", "output": "x"})] {
        say(what).await.problem(422, "value-mismatch");
    }
    say(json!({"at": "charge", "choice": "done", "output": 7})).await.is(200);
    assert_eq!(run.output::<u64>().await.unwrap(), 8);
}
