//! The code behind a plan: names, and what is missing.

use crate::rivers::{River1, Sea};
use crate::support::{library, pass};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use vastflow_core::{Failure, Plan, RunOutcome};
use vastflow_sdk::{Andes, Bytes, Data, Edge, Flow, Graph, Library, Node, Result};

async fn instead(_: Failure) -> Result<Bytes> {
    Ok("none".into())
}

async fn done(_: RunOutcome) -> Result<()> {
    Ok(())
}

/// A flow that needs every kind of code.
fn everything() -> Flow<Bytes, Bytes> {
    let mut graph = Graph::new("flow");
    graph.node("a", pass).node("b", pass).edge_with("a", "b", Edge::forward(|n: Bytes| Ok(n)));
    graph.aggregator("b", |_| Ok(1)).node_on_failure("b", instead).on_failure(done).finally(done);
    graph.build().unwrap()
}

/// The same nodes without what `everything` has besides.
fn bare() -> Flow<Bytes, Bytes> {
    let mut graph = Graph::new("flow");
    graph.node("b", pass).node("c", pass).edge("b", "c");
    graph.build().unwrap()
}

#[test]
fn a_plan_and_its_code_are_brought_together() {
    let flow = everything();
    let bound = library(&flow).bind(flow.plan()).unwrap();
    assert!(Arc::ptr_eq(bound.plan(), flow.plan()));
    assert!(format!("{bound:?}").starts_with("Bound(Plan(flow "), "{bound:?}");
}

#[test]
fn a_flow_has_its_name_for_itself() {
    let mut library = library(&bare());
    let taken = library.add_flow(bare().name().clone(), Arc::clone(bare().code())).unwrap_err();
    assert_eq!(taken.to_string(), "there is a flow named \"flow\" already; give this one another name");
    assert_eq!((taken.what, &*taken.name), ("a flow", "flow"));
}

#[test]
fn missing_code_is_listed_completely() {
    let flow = everything();
    let missing = library(&bare()).bind(flow.plan()).unwrap_err();
    assert_eq!(
        missing.needs,
        [
            "node \"a\"",
            "the aggregator of node \"b\"",
            "the on_failure of node \"b\"",
            "the forwarder from \"a\" to \"b\"",
            "the hook OnFailure",
            "the hook Finally",
        ]
    );
    let hash = flow.plan().hash();
    let text = missing.to_string();
    assert!(text.starts_with(&format!("runs of flow \"flow\" with plan {hash} need node \"a\", the aggr")), "{text}");
    assert!(text.ends_with("that this program lacks"), "{text}");
}

#[test]
fn missing_rivers_are_listed_by_the_name_they_are_registered_under() {
    let flow = Andes::new("flow").stream(River1).stream(River1).atlantic(Sea { depth: 1 }).into_flow().unwrap();
    let missing = Library::default().bind(flow.plan()).unwrap_err();
    assert_eq!(missing.needs, ["river \"r1\"", "river \"r1\"", "Atlantic \"sea\""]);
}

#[test]
fn a_plan_from_its_json_finds_the_code_of_the_drawing() {
    let flow = everything();
    let plan = Plan::from_json(&flow.plan().to_json()).unwrap();
    assert!(library(&flow).bind(&Arc::new(plan)).is_ok());
}

#[test]
fn a_flow_is_shared_when_it_is_cloned() {
    let flow = everything();
    let clone = flow.clone();
    assert!(Arc::ptr_eq(flow.plan(), clone.plan()) && Arc::ptr_eq(flow.code(), clone.code()));
    assert!(format!("{flow:?}").starts_with("Flow(Plan(flow "));
    let typed: Result<Flow<u32, u32>, _> = Flow::dag("flow", |_, n: Node<u32>| n);
    assert!(typed.is_err());
}

#[derive(Serialize, Deserialize)]
struct Cents {
    cents: u32,
}

#[derive(Serialize, Deserialize)]
struct CentsAndNote {
    cents: u32,
    #[serde(default)]
    note: String,
}

#[derive(Serialize, Deserialize)]
struct Euros {
    euros: f64,
}

/// A flow whose only node takes an `In` and gives an `Out`.
fn pay<In: Data, Out: Data>() -> Flow<In, Out> {
    let never = |_: In| async { std::future::pending::<Result<Out>>().await };
    Flow::dag("pay", |dag, input: Node<In>| dag.node("pay", never, input)).unwrap()
}

/// What is missing when the code of one flow is asked for the plan of another.
fn lacks<In, Out, OldIn, OldOut>(code: &Flow<In, Out>, plan: &Flow<OldIn, OldOut>) -> Vec<String> {
    library(code).bind(plan.plan()).err().map_or_else(Vec::new, |missing| missing.needs)
}

#[test]
fn a_type_that_grows_by_what_may_be_left_out_still_fits() {
    assert_eq!(lacks(&pay::<CentsAndNote, CentsAndNote>(), &pay::<Cents, Cents>()), [""; 0]);
    assert_eq!(lacks(&pay::<Cents, Cents>(), &pay::<CentsAndNote, CentsAndNote>()), [""; 0]);
}

#[test]
fn code_that_cannot_read_what_was_recorded_is_not_the_code_of_the_node() {
    let takes = "node \"pay\" that takes {cents: int} (the one here takes {euros: float})";
    assert_eq!(lacks(&pay::<Euros, Cents>(), &pay::<Cents, Cents>()), [takes]);
    let gives = "node \"pay\" that gives {cents: int} (the one here gives {euros: float})";
    assert_eq!(lacks(&pay::<Cents, Euros>(), &pay::<Cents, Cents>()), [gives]);
    assert_eq!(lacks(&pay::<Bytes, Bytes>(), &pay::<Cents, Cents>()), [""; 0], "bytes are not looked at");
}

#[test]
fn a_river_whose_fields_changed_is_another() {
    let flow = Andes::new("flow").stream(River1).atlantic(Sea { depth: 1 }).into_flow().unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&flow.plan().to_json()).unwrap();
    json["nodes"][0]["config"] = "{\"old\":1}".into();
    json["finally"]["config"] = "{\"width\":1}".into();
    let old = Arc::new(Plan::from_json(&json.to_string()).unwrap());
    let needs = library(&flow).bind(&old).unwrap_err().needs;
    assert!(needs[0].starts_with("river \"r1\" with the fields that \"r1\" was drawn with (invalid type"), "{needs:?}");
    assert!(needs[1].starts_with("Atlantic \"sea\" with the fields it was drawn with (missing field"), "{needs:?}");
}
