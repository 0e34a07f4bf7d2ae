//! The acceptance cases with graphs inside graphs: branches, foreaches, basins, sub-flows.

use crate::support::{e, fail, ok, on_every_store};
use std::collections::BTreeMap;
use vastflow::prelude::*;
use vastflow::{Flow, ForEach};

fn executing(what: &'static str) -> impl Fn(Bytes) -> std::future::Ready<Result<Bytes>> + Send + Sync + 'static {
    move |data: Bytes| std::future::ready(ok(format!("(Executing {what} with data ({}))", data.to_text()).into()))
}

async fn text_of(engine: &Engine, flow: &Flow<Bytes, Bytes>, input: &'static str) -> String {
    engine.start(flow, input.into()).await.unwrap().output().await.unwrap().to_text()
}

fn one(name: &str, handler: &'static str) -> Graph {
    let mut graph = Graph::new(name);
    graph.node(name, executing(handler));
    graph
}

#[test]
fn case_29_condition_takes_the_arm_that_was_chosen() {
    for (chosen, expected) in [
        ("case1", "case1: (Executing case 1 with data ((Executing node 1 with data (x)))), case2: "),
        ("case2", "case1: , case2: (Executing case 2 with data ((Executing node 1 with data (x))))"),
    ] {
        on_every_store(move |place| async move {
            let mut graph = Graph::new("condition");
            graph.node("node1", executing("node 1")).node("result", executing("result"));
            let cases = [("case1", one("c1", "case 1")), ("case2", one("c2", "case 2"))];
            graph.condition_with(
                "C",
                move |_: &Bytes| chosen,
                cases,
                |parts: Parts| {
                    let text = |key| parts.get::<Bytes>(key).map(|part| part.to_text()).unwrap_or_default();
                    Ok(Bytes::from(format!("(case1: {}, case2: {})", text("case1"), text("case2"))))
                },
            );
            graph.edge("node1", "C").edge("C", "result");
            let flow = graph.build().unwrap();
            let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
            let expected = format!("(Executing result with data (({expected})))");
            assert_eq!(text_of(&engine, &flow, "x").await, expected);
        });
    }
}

#[test]
fn case_30_loop_runs_the_node_once_an_item() {
    on_every_store(|place| async move {
        let mut graph = Graph::new("loop");
        graph.node("node1", executing("node 1")).node("result", executing("result"));
        graph.for_each_with(
            "loop",
            |data: Bytes| Ok((0..2).map(|n| (n.to_string(), data.clone())).collect::<BTreeMap<_, _>>()),
            one("case", "case 1"),
            |parts: Parts| {
                let part =
                    |key: &str| Ok::<_, vastflow::BoxError>(format!("{key}: {},", parts.get::<Bytes>(key)?.to_text()));
                let all: Result<String> = parts.names().map(part).collect();
                Ok(Bytes::from(format!("({})", all?)))
            },
        );
        graph.edge("node1", "loop").edge("loop", "result");
        let flow = graph.build().unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let item = "(Executing case 1 with data ((Executing node 1 with data (x))))";
        let expected = format!("(Executing result with data ((0: {item},1: {item},)))");
        assert_eq!(text_of(&engine, &flow, "x").await, expected);
    });
}

fn verify_image() -> Flow<Bytes, Bytes> {
    let mut graph = Graph::new("verify-image");
    graph.node("verify-url", e("verify-url")).node("face-detect", e("face-detect"));
    graph.node("face-match", e("face-match")).node("generate-result", e("generate-result"));
    graph.edge("verify-url", "face-detect").edge("verify-url", "face-match");
    graph.edge("face-detect", "generate-result").edge("face-match", "generate-result");
    graph.aggregator("generate-result", |parts: Parts| {
        let text = |key| parts.get::<Bytes>(key).map(|part| part.to_text());
        Ok(Bytes::from(format!("{}+{}", text("face-detect")?, text("face-match")?)))
    });
    graph.build().unwrap()
}

#[test]
fn case_34_a_sub_flow_is_drawn_in_place_and_can_be_drawn_twice() {
    on_every_store(|place| async move {
        let mut graph = Graph::new("kyc");
        graph.node("get-image", e("get-image")).node("mark-profile", e("mark-profile"));
        graph.sub_flow("first", &verify_image()).sub_flow("second", &verify_image());
        graph.edge("get-image", "first").edge("first", "second").edge("second", "mark-profile");
        let flow = graph.build().unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let verified = |input: &str| {
            let url = format!("verify-url({input})");
            format!("generate-result(face-detect({url})+face-match({url}))")
        };
        let expected = format!("mark-profile({})", verified(&verified("get-image(u1)")));
        assert_eq!(text_of(&engine, &flow, "u1").await, expected);
    });
}

#[test]
fn case_35_a_single_chosen_arm_passes_through() {
    on_every_store(|place| async move {
        let mut graph = Graph::new("kyc");
        graph.node("face-detect", e("face-detect")).node("generate-result", e("generate-result"));
        let arm = |name: &'static str| {
            let mut graph = Graph::new(name);
            graph.node(name, e(name));
            graph
        };
        graph.condition(
            "handle",
            |_: &Bytes| vec!["pass"],
            [("pass", arm("face-match")), ("fail", arm("create-user"))],
        );
        graph.edge("face-detect", "handle").edge("handle", "generate-result");
        let flow = graph.build().unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        assert_eq!(text_of(&engine, &flow, "u1").await, "generate-result(face-match(face-detect(u1)))");
    });
}

#[test]
fn case_38_foreach_gives_a_map_of_what_its_items_gave() {
    on_every_store(|place| async move {
        let mut body = Graph::new("user");
        body.sub_flow("verify-image", &verify_image()).node("mark-profile", e("mark-profile"));
        body.edge("verify-image", "mark-profile");
        let mut graph = Graph::new("kyc");
        let users = |users: Bytes| {
            Ok(users.to_text().split(',').map(|user| (user.to_owned(), Bytes::from(user.to_owned()))).collect())
        };
        graph.for_each("users", users, body, ForEach::new().window(2));
        let flow = graph.build().unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let run = engine.run("kyc", Bytes::from("u1,u2,u3")).await.unwrap();
        let output: BTreeMap<String, String> = run.output().await.unwrap();
        let verified = |user: &str| {
            let url = format!("verify-url({user})");
            (user.to_owned(), format!("mark-profile(generate-result(face-detect({url})+face-match({url})))"))
        };
        assert_eq!(output, ["u1", "u2", "u3"].map(verified).into());
    });
}

#[test]
fn a_chooser_that_names_no_arm_passes_its_input_on_and_one_that_is_not_there_fails() {
    on_every_store(|place| async move {
        let arm = || one("arm", "arm");
        let mut graph = Graph::new("choose");
        let keys = |data: &Bytes| match &*data.to_text() {
            "none" => vec![],
            key => vec![key.to_owned(), key.to_owned()],
        };
        graph.condition("choice", keys, [("a", arm())]);
        let flow = graph.build().unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        assert_eq!(text_of(&engine, &flow, "none").await, "none");
        assert_eq!(text_of(&engine, &flow, "a").await, "(Executing arm with data (a))");
        let error = engine.run("choose", Bytes::from("b")).await.unwrap().output::<Bytes>().await.unwrap_err();
        assert!(error.to_string().contains("named case \"b\", which is not there"), "{error}");
    });
}

#[test]
fn typed_branches_foreaches_and_basins_nest() {
    on_every_store(|place| async move {
        let half = |n: u64| async move { ok(n / 2) };
        let more = |n: u64| async move { ok(3 * n + 1) };
        let flow = Flow::dag("collatz", move |dag, numbers: Node<Vec<u64>>| {
            let steps = dag.for_each("each", numbers, move |dag, n| {
                dag.basin("deep", n, move |dag, n| {
                    dag.branch("even-or-odd", n, |n: &u64| if n.is_multiple_of(2) { "even" } else { "odd" })
                        .case("even", move |dag, n| dag.node("half", half, n))
                        .case("odd", move |dag, n| dag.node("more", more, n))
                        .join()
                })
            });
            dag.node("sum", |steps: Vec<u64>| async move { ok(steps.iter().sum::<u64>()) }, steps.window(3))
        })
        .unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let numbers: Vec<u64> = (1..=20).collect();
        let expected: u64 = numbers.iter().map(|n| if n.is_multiple_of(2) { n / 2 } else { 3 * n + 1 }).sum();
        assert_eq!(engine.start(&flow, numbers.clone()).await.unwrap().output().await.unwrap(), expected);
        assert_eq!(vastflow::run_in_memory(&flow, numbers).await.unwrap(), expected);
    });
}

#[test]
fn a_foreach_folds_pages_of_items() {
    on_every_store(|place| async move {
        let pages = |(up_to, from): (u64, Option<u64>)| async move {
            let from = from.unwrap_or(0);
            let end = up_to.min(from + 50);
            ok(Page::new((from..end).collect()).next((end < up_to).then_some(end)))
        };
        let flow = Flow::dag("many", |dag, up_to: Node<u64>| {
            dag.for_each_page("each", pages, up_to, |dag, n| dag.node("square", |n: u64| async move { ok(n * n) }, n))
                .window(20)
                .reduce(0, |sum: u64, square: u64| sum + square)
        })
        .unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        for count in [0, 1, 50, 333] {
            let expected: u64 = (0..count).map(|n| n * n).sum();
            assert_eq!(engine.start(&flow, count).await.unwrap().output().await.unwrap(), expected);
            assert_eq!(vastflow::run_in_memory(&flow, count).await.unwrap(), expected);
        }
    });
}

#[test]
fn a_failed_item_fails_the_foreach_and_names_the_item() {
    on_every_store(|place| async move {
        let flow = Flow::dag("some-fail", |dag, numbers: Node<Vec<u64>>| {
            dag.for_each("each", numbers, |dag, n| {
                dag.node("odd", |n: u64| async move { if n.is_multiple_of(2) { fail("even") } else { ok(n) } }, n)
            })
            .window(1)
        })
        .unwrap();
        let engine = place.engine().await.flow(flow.clone()).start().await.unwrap();
        let error = engine.start(&flow, vec![1, 2, 3]).await.unwrap().output().await.unwrap_err().to_string();
        assert!(error.contains("each: [1] odd: even"), "{error}");
    });
}
