//! The acceptance cases of the graph by name, in process: the HTTP side of 25–28 is the service's.

use crate::support::{Scene, e, fail, ok, on_every_store, recorded};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Barrier;
use vastflow::prelude::*;
use vastflow::{Edge, Event, Failure, Flow, NodeOptions, RunOutcome, RunStatus};

fn executing(n: u32) -> impl Fn(Bytes) -> std::future::Ready<Result<Bytes>> + Send + Sync + 'static {
    move |data: Bytes| std::future::ready(ok(format!("(Executing node {n} with data ({}))", data.to_text()).into()))
}

/// Runs a flow with a text to its end, and gives the text that comes out.
async fn run_text(engine: &Engine, flow: &Flow<Bytes, Bytes>, input: &'static str) -> String {
    engine.start(flow, input.into()).await.unwrap().output().await.unwrap().to_text()
}

macro_rules! engine_of {
    ($place:ident, $graph:ident) => {{
        let flow = $graph.build().unwrap();
        ($place.engine().await.flow(flow.clone()).start().await.unwrap(), flow)
    }};
}

#[test]
fn case_25_myflow_says_what_was_said() {
    on_every_store(|place| async move {
        let mut graph = Graph::new("myflow");
        graph.node("test", |data: Bytes| async move { ok(Bytes::from(format!("you said \"{}\"", data.to_text()))) });
        let (engine, _) = engine_of!(place, graph);
        let run = engine.run("myflow", Bytes::from("hallo")).await.unwrap();
        assert!(!run.id().is_empty(), "what X-Reqid will carry");
        assert_eq!(run.output::<Bytes>().await.unwrap().to_text(), "you said \"hallo\"");
    });
}

#[test]
fn case_26_single() {
    on_every_store(|place| async move {
        let mut graph = Graph::new("single");
        graph.node("node1", executing(1));
        let (engine, flow) = engine_of!(place, graph);
        assert_eq!(run_text(&engine, &flow, "x").await, "(Executing node 1 with data (x))");
    });
}

#[test]
fn case_27_serial_is_found_by_its_id() {
    on_every_store(|place| async move {
        let slow = Duration::from_millis(60);
        let node = |n| {
            move |data: Bytes| async move {
                tokio::time::sleep(slow).await;
                executing(n)(data).await
            }
        };
        let mut graph = Graph::new("serial");
        graph.node("node1", node(1)).node("node2", node(2)).node("node3", node(3));
        graph.edge("node1", "node2").edge("node2", "node3");
        let (engine, _) = engine_of!(place, graph);
        let began = Instant::now();
        let run = engine.run("serial", Bytes::from("x")).id("request-27").await.unwrap();
        let waited = tokio::time::timeout(slow / 10, run.output::<Bytes>()).await;
        assert!(waited.is_err(), "a wait of a second is over before the run is");
        assert_eq!(run.status().await.unwrap().to_string(), "running");
        drop(run);
        let run = engine.handle("request-27").await.unwrap();
        let expected = "(Executing node 3 with data ((Executing node 2 with data ((Executing node 1 with data (x))))))";
        assert_eq!(run.output::<Bytes>().await.unwrap().to_text(), expected);
        assert!(began.elapsed() >= 3 * slow);
        let again = engine.handle("request-27").await.unwrap();
        assert_eq!(again.output::<Bytes>().await.unwrap().to_text(), expected, "and later again");
    });
}

#[test]
fn case_28_parallel_overlaps_and_joins() {
    on_every_store(|place| async move {
        let both = Arc::new(Barrier::new(2));
        let node = |n| {
            let both = Arc::clone(&both);
            move |data: Bytes| {
                let both = Arc::clone(&both);
                async move {
                    // Neither gets past this alone.
                    both.wait().await;
                    executing(n)(data).await
                }
            }
        };
        let mut graph = Graph::new("parallel");
        graph.node("node1", executing(1)).node("node2", node(2)).node("node3", node(3)).node("node4", executing(4));
        graph.edge("node1", "node2").edge("node1", "node3").edge("node2", "node4").edge("node3", "node4");
        graph.aggregator("node4", |parts: Parts| {
            let (two, three): (Bytes, Bytes) = (parts.get("node2")?, parts.get("node3")?);
            Ok(Bytes::from(format!("(node2: {}, node3: {})", two.to_text(), three.to_text())))
        });
        let (engine, flow) = engine_of!(place, graph);
        let expected = "(Executing node 4 with data ((node2: (Executing node 2 with data ((Executing node 1 with data \
                        (x)))), node3: (Executing node 3 with data ((Executing node 1 with data (x)))))))";
        assert_eq!(run_text(&engine, &flow, "x").await, expected);
    });
}

#[test]
fn case_32_kyc_one_after_the_other() {
    on_every_store(|place| async move {
        let mut graph = Graph::new("kyc");
        graph.node("get-kyc-image", e("get-kyc-image")).node("face-detect", e("face-detect"));
        graph.node("mark-profile", e("mark-profile"));
        graph.edge("get-kyc-image", "face-detect").edge("face-detect", "mark-profile");
        let (engine, flow) = engine_of!(place, graph);
        assert_eq!(run_text(&engine, &flow, "u1").await, "mark-profile(face-detect(get-kyc-image(u1)))");
    });
}

#[test]
fn case_33_kyc_branches_and_aggregates() {
    on_every_store(|place| async move {
        let (scene, calls) = (Scene::new(), Arc::new(AtomicUsize::new(0)));
        let noting = |name: &'static str| {
            let scene = Arc::clone(&scene);
            move |input: Bytes| {
                scene.note(name);
                std::future::ready(ok(Bytes::from(format!("{name}({})", input.to_text()))))
            }
        };
        let mut graph = Graph::new("kyc");
        for name in ["get-kyc-image", "face-detect", "face-match", "mark-profile"] {
            graph.node(name, noting(name));
        }
        graph.edge("get-kyc-image", "face-detect").edge("get-kyc-image", "face-match");
        graph.edge("face-detect", "mark-profile").edge("face-match", "mark-profile");
        let called = Arc::clone(&calls);
        graph.aggregator("mark-profile", move |parts: Parts| {
            called.fetch_add(1, Ordering::SeqCst);
            Ok(Bytes::from(parts.names().collect::<Vec<_>>().join("+")))
        });
        let (engine, flow) = engine_of!(place, graph);
        assert_eq!(run_text(&engine, &flow, "u1").await, "mark-profile(face-detect+face-match)");
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        assert_eq!(scene.place("get-kyc-image"), 0);
        assert_eq!(scene.place("mark-profile"), 3);
    });
}

#[test]
fn case_40_a_diamond_without_an_aggregator_gets_a_map() {
    on_every_store(|place| async move {
        let mut graph = Graph::new("diamond");
        graph.node("a", e("a")).node("b", e("b")).node("c", e("c"));
        graph.node("d", |ctx: Ctx, all: serde_json::Value| async move {
            let inputs = ctx.inputs();
            let (b, c): (Bytes, Bytes) = (inputs.get("b")?, inputs.get("c")?);
            ok(Bytes::from(format!("{all} {} {}", b.to_text(), c.to_text())))
        });
        graph.edge("a", "b").edge("a", "c").edge("b", "d").edge("c", "d");
        let (engine, flow) = engine_of!(place, graph);
        assert_eq!(run_text(&engine, &flow, "x").await, r#"{"b":"b(a(x))","c":"c(a(x))"} b(a(x)) c(a(x))"#);
    });
}

#[test]
fn case_41_edges_that_carry_nothing_or_something_else() {
    on_every_store(|place| async move {
        let mut graph = Graph::new("invoke");
        graph.node("a", e("a")).node("b", e("b")).edge_with("a", "b", Edge::order_only());
        let (engine, flow) = engine_of!(place, graph);
        assert_eq!(run_text(&engine, &flow, "x").await, "b()");
        engine.shutdown().await.unwrap();

        let mut graph = Graph::new("forward");
        graph.node("a", e("a")).node("b", e("b"));
        graph.edge_with("a", "b", Edge::forward(|data: Bytes| Ok(Bytes::from(data.to_text().to_uppercase()))));
        let (engine, flow) = engine_of!(place, graph);
        assert_eq!(run_text(&engine, &flow, "x").await, "b(A(X))");
    });
}

/// A node that fails with "boom", with an `on_failure` of its own and the flow's hooks, which note what they hear.
fn booming(scene: &Arc<Scene>, helps: bool) -> Flow<Bytes, Bytes> {
    let mut graph = Graph::new(if helps { "helped" } else { "boom" });
    graph.node("first", e("first")).node("weak", |_: Bytes| async { fail::<Bytes>("boom") }).node("last", e("last"));
    graph.edge("first", "weak").edge("weak", "last");
    let noted = Arc::clone(scene);
    graph.node_on_failure("weak", move |failure: Failure| {
        noted.note(format!("node: {failure}"));
        std::future::ready(if helps { ok(Bytes::from("substitute")) } else { fail(&failure.to_string()) })
    });
    let noted = Arc::clone(scene);
    graph.on_failure(move |outcome: RunOutcome| {
        noted.note(format!("flow: {outcome}"));
        std::future::ready(ok(()))
    });
    let noted = Arc::clone(scene);
    graph.finally(move |outcome: RunOutcome| {
        noted.note(format!("finally: {}", outcome.status()));
        std::future::ready(ok(()))
    });
    graph.build().unwrap()
}

#[test]
fn case_42_a_nodes_own_failure_hook_helps_or_not() {
    on_every_store(|place| async move {
        let (helped, boom) = (Scene::new(), Scene::new());
        let flows = (booming(&helped, true), booming(&boom, false));
        let engine = place.engine().await.flow(flows.0.clone()).flow(flows.1.clone()).start().await.unwrap();
        assert_eq!(run_text(&engine, &flows.0, "x").await, "last(substitute)");
        assert_eq!(helped.lines(), ["node: boom", "finally: succeeded"]);

        let run = engine.start(&flows.1, "x".into()).await.unwrap();
        let error = run.output().await.unwrap_err().to_string();
        assert!(error.contains("weak") && error.contains("boom"), "{error}");
        assert_eq!(boom.lines(), ["node: boom", "flow: failed: weak: boom", "finally: failed"]);
        for hook in [vastflow_core::Hook::OnFailure, vastflow_core::Hook::Finally] {
            let done = |event: &Event| matches!(event, Event::HookDone { hook: h, .. } if *h == hook);
            assert_eq!(recorded(engine.store(), run.id(), done).await, 1);
        }
    });
}

#[test]
fn case_43_the_middle_node_is_retried() {
    on_every_store(|place| async move {
        let scene = Scene::new();
        let node = |name: &'static str, fails: usize| {
            let scene = Arc::clone(&scene);
            move |input: Bytes| {
                let nth = scene.note(name);
                let given = Bytes::from(format!("{name}({})", input.to_text()));
                std::future::ready(if nth < fails { fail("not yet") } else { ok(given) })
            }
        };
        let mut graph = Graph::new("retries");
        graph.node("one", node("one", 0)).node("three", node("three", 0));
        graph.node_with("two", node("two", 2), NodeOptions::new().retry(3.times().every(5.ms())));
        graph.edge("one", "two").edge("two", "three");
        let (engine, flow) = engine_of!(place, graph);
        assert_eq!(run_text(&engine, &flow, "x").await, "three(two(one(x)))");
        assert_eq!(scene.lines(), ["one", "two", "two", "two", "three"]);
        let counts = engine.store().counts().await.unwrap();
        assert_eq!((counts.succeeded, counts.unfinished()), (1, 0));
    });
}

#[test]
fn case_54_each_mistake_has_its_own_error() {
    let drawn = |nodes: &[&'static str], edges: &[(&str, &str)]| {
        let mut graph = Graph::new("wrong");
        nodes.iter().for_each(|node| _ = graph.node(node, e(node)));
        edges.iter().for_each(|(from, to)| _ = graph.edge(from, to));
        let errors = graph.build().unwrap_err();
        errors.list().iter().map(vastflow_core::plan::PlanError::code).collect::<Vec<_>>()
    };
    // The empty branch of the original is a scope, which is to come; the empty graph is what can be drawn now.
    assert_eq!(drawn(&[], &[]), ["plan-empty"]);
    assert_eq!(drawn(&["a", "b"], &[]), ["plan-several-starts"]);
    assert_eq!(drawn(&["s", "a", "b"], &[("s", "a"), ("a", "b"), ("b", "a")]), ["plan-cycle"]);
    assert_eq!(drawn(&["s", "a"], &[("s", "a"), ("a", "a")]), ["plan-self-edge"]);
    assert_eq!(drawn(&["a"], &[("a", "ghost")]), ["plan-undefined-node"]);
    assert_eq!(drawn(&["a"], &[("ghost", "a")]), ["plan-undefined-node"]);
    assert_eq!(drawn(&["s", "a", "a"], &[("s", "a")]), ["plan-duplicate-node"]);

    let mut graph = Graph::new("all at once");
    graph.node("a", e("a")).node("b", e("b")).edge("b", "b").edge("a", "ghost").edge("a", "b").edge("a", "b");
    let all = graph.build().unwrap_err().to_string();
    for part in ["character that is not allowed", "waits for itself", "\"ghost\"", "two edges from"] {
        assert!(all.contains(part), "no {part:?} in: {all}");
    }
}

#[test]
fn a_finished_run_says_so() {
    on_every_store(|place| async move {
        let mut graph = Graph::new("single");
        graph.node("node1", e("node1"));
        let (engine, flow) = engine_of!(place, graph);
        let run = engine.start(&flow, "x".into()).await.unwrap();
        run.output().await.unwrap();
        assert_eq!(run.status().await.unwrap(), RunStatus::Succeeded);
    });
}
