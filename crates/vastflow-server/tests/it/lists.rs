//! Lists, flows, the fleet.

use crate::support::*;
use serde_json::{Value, json};

fn ids(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn runs_are_listed_by_flow_status_label_and_time_a_page_at_a_time() {
    let at = open(engine().flow(chain("f", &["a"])).flow(waits("waits"))).await;
    for n in 0..5 {
        at.post("/flow/f", "x").header("X-Request-Id", format!("f{n}")).send().await.is(200);
    }
    let labelled = json!({"flow": "waits", "id": "w", "labels": {"who": "ann", "at": "eu:west"}});
    at.post("/api/v1/runs", labelled.to_string()).send().await.is(201);
    let list = async |query: &str| at.get(&format!("/api/v1/runs{query}")).send().await.is(200).json();
    assert_eq!(ids(&list("").await), ["w", "f4", "f3", "f2", "f1", "f0"]);
    assert_eq!(ids(&list("?flow=waits").await), ["w"]);
    assert_eq!(ids(&list("?status=succeeded&flow=f").await).len(), 5);
    assert_eq!(ids(&list("?label=who:ann&label=at:eu:west").await), ["w"]);
    assert_eq!(ids(&list("?label=who:bob").await), [""; 0]);
    let first = list("?flow=f&limit=2").await;
    let next = first["next"].as_str().unwrap();
    let second = list(&format!("?flow=f&limit=2&before={next}")).await;
    assert_eq!((ids(&first), ids(&second)), (vec!["f4", "f3"], vec!["f2", "f1"]));
    let third = list(&format!("?flow=f&limit=2&before={}", second["next"].as_str().unwrap())).await;
    assert_eq!((ids(&third), &third["next"]), (vec!["f0"], &Value::Null));
    let began = at.get("/api/v1/runs/w").send().await.json()["started_at_ms"].as_u64().unwrap();
    assert_eq!(ids(&list(&format!("?since_ms={began}")).await)[0], "w");
    assert_eq!(ids(&list(&format!("?since_ms={}", began + 60_000)).await), [""; 0]);
    for query in ["?status=odd", "?limit=many", "?flwo=f", "?label=who"] {
        at.get(&format!("/api/v1/runs{query}")).send().await.problem(400, "bad-request");
    }
    let counts = at.get("/api/v1/counts").send().await.is(200).json();
    assert_eq!((&counts["runs"]["succeeded"], &counts["unfinished"]), (&json!(5), &json!(1)));
}

#[tokio::test]
async fn a_runs_history_is_read_a_page_at_a_time_without_what_it_carried() {
    let at = open(engine().flow(chain("f", &["a", "b"]))).await;
    at.post("/flow/f", "canary").header("X-Request-Id", "r").send().await.is(200);
    let all = at.get("/api/v1/runs/r/events").send().await.is(200);
    let items = all.json()["items"].as_array().unwrap().clone();
    let kinds: Vec<_> = items.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["RunStarted", "NodeSucceeded", "NodeSucceeded", "RunEnded"]);
    assert_eq!((&items[1]["seq"], &items[1]["node"]), (&json!(1), &json!("a")));
    assert!(!all.text().contains("canary"));
    let first = at.get("/api/v1/runs/r/events?limit=3").send().await.is(200).json();
    assert_eq!((first["items"].as_array().unwrap().len(), &first["next"]), (3, &json!("3")));
    let rest = at.get("/api/v1/runs/r/events?after=3").send().await.is(200).json();
    assert_eq!((rest["items"][0].clone(), &rest["next"]), (items[3].clone(), &Value::Null));
    let view = at.get("/api/v1/runs/r/view").send().await.is(200);
    assert!(!view.text().contains("canary"));
    at.get("/api/v1/runs/r/view?scope=none").send().await.problem(404, "unknown-place");
}

#[tokio::test]
async fn flows_are_shown_with_plan_schema_signals_and_figures() {
    let double = vastflow_sdk::Flow::dag("double", |dag, n: vastflow_sdk::Node<u64>| {
        dag.node("double", |n: u64| async move { Ok::<_, vastflow_sdk::NodeError>(2 * n) }, n)
    });
    let at = open(engine().flow(double.unwrap()).flow(waits("waits")).flow(fails("fails"))).await;
    let flow = at.get("/api/v1/flows/double").send().await.is(200).json();
    assert_eq!(flow["input_schema"], json!({"type": "integer"}));
    assert_eq!(
        (&flow["flow"]["nodes"], &flow["flow"]["has_code"], &flow["flow"]["workers"]),
        (&json!(1), &json!(true), &json!(1))
    );
    assert_eq!(at.get("/api/v1/flows/waits").send().await.is(200).json()["signals"], json!(["go"]));
    at.get("/api/v1/flows/none").send().await.problem(404, "unknown-flow");
    for (format, part) in
        [("json", "\"nodes\""), ("definition", "\"start-node\""), ("dot", "digraph"), ("mermaid", "flowchart")]
    {
        let plan = at.get(&format!("/api/v1/flows/waits/plan?format={format}")).send().await.is(200).text();
        assert!(plan.contains(part), "{format}: {plan}");
    }
    let hash = flow["flow"]["plan"].as_str().unwrap();
    at.get(&format!("/api/v1/flows/double/plan?plan={hash}")).send().await.is(200);
    at.get(&format!("/api/v1/flows/waits/plan?plan={hash}")).send().await.problem(404, "unknown-flow");
    at.get("/api/v1/flows/waits/plan?format=png").send().await.problem(400, "bad-request");
    for n in 0..3 {
        at.post("/flow/double", n.to_string()).send().await.is(200);
    }
    at.post("/flow/fails", "1").send().await.is(500);
    let stats = at.get("/api/v1/flows/double/stats").send().await.is(200).json();
    assert_eq!((&stats["runs"], &stats["succeeded"], &stats["failed"]), (&json!(3), &json!(3), &json!(0)));
    assert!(stats["p50_ms"].is_u64() && stats["p95_ms"].as_u64() >= stats["p50_ms"].as_u64());
    assert_eq!(at.get("/api/v1/flows/waits/stats").send().await.is(200).json()["runs"], 0);
    at.get("/api/v1/flows/none/stats").send().await.problem(404, "unknown-flow");
    let attention = at.get("/api/v1/attention").send().await.is(200).json();
    assert_eq!((&attention["items"][0]["kind"], &attention["items"][0]["flow"]), (&json!("failed"), &json!("fails")));
    let workers = at.get("/api/v1/workers").send().await.is(200).json();
    assert_eq!((&workers["workers"][0]["is_alive"], &workers["workers"][0]["slots"]), (&json!(true), &json!(1_000)));
}
