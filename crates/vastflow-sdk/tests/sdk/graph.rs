//! Graphs drawn by name: every error of `build`, and what a valid drawing becomes.

use crate::support::{codes, edges, pass, text};
use serde_json::Value;
use vastflow_core::plan::PlanError;
use vastflow_sdk::{Bytes, Edge, Graph, NodeOptions, Parts, Result, Retry, TimesExt};

/// A graph of byte handlers with these nodes.
fn graph(nodes: &[&str]) -> Graph {
    let mut graph = Graph::new("flow");
    for node in nodes {
        graph.node(node, pass);
    }
    graph
}

async fn number(_: Bytes) -> Result<u32> {
    Ok(7)
}

async fn shout(text: String) -> Result<String> {
    Ok(text.to_uppercase())
}

/// A number that flows into a handler of texts.
fn mismatched() -> Graph {
    let mut graph = Graph::new("flow");
    graph.node("number", number).node("shout", shout);
    graph
}

#[test]
fn an_empty_graph_is_refused() {
    assert_eq!(codes(Graph::new("flow").build()), ["plan-empty"]);
    assert_eq!(codes(Graph::default().build()), ["plan-empty"]);
}

#[test]
fn a_name_may_be_given_to_one_node_only() {
    assert_eq!(
        text(graph(&["a", "a"]).build()).lines().last().unwrap(),
        "  - two nodes are named \"a\"; give each node a name of its own [plan-duplicate-node]"
    );
}

#[test]
fn two_nodes_are_connected_by_one_edge_only() {
    let mut graph = graph(&["a", "b"]);
    graph.edge("a", "b").edge_with("a", "b", Edge::order_only());
    assert_eq!(
        text(graph.build()),
        "flow \"flow\" is not valid: there are two edges from \"a\" to \"b\"; keep one [plan-duplicate-edge]"
    );
}

#[test]
fn no_node_waits_for_itself() {
    let mut graph = graph(&["a", "b"]);
    graph.edge("a", "b").edge("b", "b");
    assert_eq!(codes(graph.build()), ["plan-self-edge"]);
}

#[test]
fn a_cycle_is_told_by_its_path() {
    let mut graph = graph(&["start", "a", "b", "c"]);
    graph.edge("start", "a").edge("a", "b").edge("b", "c").edge("c", "a");
    let errors = graph.build().unwrap_err();
    let [PlanError::Cycle { path }] = errors.list() else { panic!("{errors}") };
    assert_eq!((path.len(), &path[0]), (4, &path[3]));
    let circle: Vec<&str> = path.iter().map(|name| name.as_str()).collect();
    assert!("a b c a b c".contains(&circle[..3].join(" ")), "{circle:?}");
}

#[test]
fn an_edge_to_or_from_nowhere_is_refused() {
    let mut to_nowhere = graph(&["a"]);
    to_nowhere.edge("a", "b");
    assert!(text(to_nowhere.build()).contains("an edge from \"a\" refers to node \"b\", which is not defined"));
    let mut from_nowhere = graph(&["b"]);
    from_nowhere.edge("a", "b");
    assert!(text(from_nowhere.build()).contains("an edge into \"b\" refers to node \"a\", which is not defined"));
    let mut input = graph(&["a"]);
    input.input_to("b");
    assert!(text(input.build()).contains("an edge from the run's input refers to node \"b\""));
}

#[test]
fn code_for_a_node_that_is_not_there_is_refused() {
    async fn instead(_: vastflow_core::Failure) -> Result<Bytes> {
        Ok("none".into())
    }
    let mut graph = graph(&["a"]);
    graph.aggregator("b", |_| Ok(1));
    graph.node_on_failure("c", instead);
    graph.edge_with("a", "d", Edge::forward(|n: u32| Ok(n + 1)));
    let text = text(graph.build());
    assert!(text.contains("an aggregator refers to node \"b\""), "{text}");
    assert!(text.contains("an on_failure refers to node \"c\""), "{text}");
    assert!(text.contains("an edge with a forwarder refers to node \"d\""), "{text}");
}

#[test]
fn several_starts_are_refused_unless_each_is_said() {
    let errors = graph(&["a", "b"]).build().unwrap_err();
    assert!(errors.to_string().contains("\"a\", \"b\" all have no edge into them"), "{errors}");
    assert_eq!(errors.list()[0].code(), "plan-several-starts");
    let mut said = graph(&["a", "b"]);
    said.input_to("a").input_to("b");
    assert_eq!(edges(said.build().unwrap().plan()), ["a < input", "b < input"]);
}

#[test]
fn to_say_twice_that_the_input_flows_in_is_to_say_it_once() {
    let mut graph = graph(&["a"]);
    graph.input_to("a").input_to("a");
    assert_eq!(edges(graph.build().unwrap().plan()), ["a < input"]);
}

#[test]
fn a_value_of_a_wrong_type_is_refused() {
    let mut graph = mismatched();
    graph.edge("number", "shout");
    let text = text(graph.build());
    assert!(text.contains("\"number\" gives u32, but \"shout\" takes String;"), "{text}");
    assert!(text.contains("[plan-type-mismatch]"), "{text}");
}

#[test]
fn a_forwarder_or_an_aggregator_or_an_edge_without_a_value_lifts_a_mismatch() {
    let mut forwarded = mismatched();
    forwarded.edge_with("number", "shout", Edge::forward(|n: u32| Ok(n.to_string())));
    assert_eq!(edges(forwarded.build().unwrap().plan()), ["number < input", "shout < ~number"]);

    let mut aggregated = mismatched();
    aggregated.edge("number", "shout").aggregator("shout", |parts: Parts| Ok(parts.get::<u32>("number")?.to_string()));
    assert!(aggregated.build().unwrap().plan().spec().nodes[1].aggregator);

    let mut ordered = mismatched();
    ordered.edge_with("number", "shout", Edge::order_only());
    assert_eq!(edges(ordered.build().unwrap().plan()), ["number < input", "shout < (number)"]);
}

#[test]
fn bytes_and_free_json_fit_everything() {
    async fn take_json(value: Value) -> Result<Value> {
        Ok(value)
    }
    let mut graph = Graph::new("flow");
    graph.node("number", number).node("bytes", pass).node("json", take_json).node("shout", shout);
    graph.edge("number", "bytes").edge("bytes", "json").edge("json", "shout");
    assert!(graph.build().is_ok());
}

#[test]
fn names_that_are_not_valid_are_refused_wherever_they_stand() {
    let mut graph = Graph::new("a flow");
    graph.node("ok", pass).node("not ok", pass).edge("ok", "").input_to("ö").aggregator("?", |_| Ok(1));
    let errors = graph.build().unwrap_err();
    assert_eq!(errors.list().len(), 5, "{errors}");
    assert!(errors.list().iter().all(|error| error.code() == "plan-invalid-name"), "{errors}");
    assert!(errors.to_string().contains("a flow"), "{errors}");
    assert!(errors.to_string().contains("not ok"), "{errors}");
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let mut graph = mismatched();
    graph.node("shout", shout).node("self", pass).node("no name", pass);
    graph.edge("number", "shout").edge("number", "shout").edge("self", "self").edge("number", "gone");
    graph.aggregator("nobody", |_| Ok(1));
    let mut codes = codes(graph.build());
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(
        codes,
        [
            "plan-duplicate-edge",
            "plan-duplicate-node",
            "plan-invalid-name",
            "plan-self-edge",
            "plan-type-mismatch",
            "plan-undefined-node",
        ]
    );
}

#[test]
fn an_appended_graph_brings_nodes_edges_and_errors() {
    let mut one = graph(&["a", "b"]);
    one.edge("a", "b");
    let mut two = graph(&["c", "not ok"]);
    two.edge("b", "c");
    one.append(two);
    assert_eq!(codes(one.build()), ["plan-invalid-name"]);

    let mut one = graph(&["a", "b"]);
    one.edge("a", "b");
    let mut two = graph(&["c"]);
    two.edge("b", "c").timeout(std::time::Duration::from_secs(1)).retry(9.times());
    one.append(two);
    let flow = one.build().unwrap();
    assert_eq!(edges(flow.plan()), ["a < input", "b < a", "c < b"]);
    assert_eq!(flow.plan().spec().timeout, None, "the time limit stays behind");
    assert_eq!(flow.plan().spec().nodes[2].retry, Retry::times(0), "the default retry stays behind");
}

#[test]
fn an_edge_that_an_appended_graph_has_too_is_a_second_edge() {
    let mut one = graph(&["a"]);
    one.edge("a", "b");
    let mut two = graph(&["b"]);
    two.edge("a", "b");
    one.append(two);
    assert_eq!(codes(one.build()), ["plan-duplicate-edge"]);
}

#[test]
fn the_default_retry_applies_only_where_none_is_set() {
    let mut graph = Graph::new("flow");
    graph.node("default", pass);
    graph.node_with("own", pass, NodeOptions::new().retry(7.times()));
    graph.node_with("never", pass, NodeOptions::new().retry(0.times()));
    graph.node_with("other-option", pass, NodeOptions::new().durable(false));
    graph.edge("default", "own").edge("own", "never").edge("never", "other-option").retry(3.times());
    let flow = graph.build().unwrap();
    let retries: Vec<u32> = flow.plan().spec().nodes.iter().map(|node| node.retry.retries).collect();
    assert_eq!(retries, [3, 7, 0, 3]);
}

#[test]
fn the_default_retry_reaches_nodes_inside_nodes() {
    let mut body = Graph::new("body");
    body.node("unsaid", pass);
    body.node_with("own", pass, NodeOptions::new().retry(7.times()));
    body.edge("unsaid", "own");
    let mut graph = Graph::new("flow");
    graph.basin("basin", body, None).retry(3.times());
    let flow = graph.build().unwrap();
    let body = flow.plan().spec().nodes[0].bodies()[0].clone();
    let retries: Vec<u32> = body.nodes.iter().map(|node| node.retry.retries).collect();
    assert_eq!(retries, [3, 7]);
}
