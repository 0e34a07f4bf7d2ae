//! What makes branches, foreaches, basins, joins and the options of nodes valid, and how they are written.

use crate::dsl::{name, plan, spec};
use std::sync::Arc;
use vastflow_core::limits::{MAX_DEPTH, MAX_NODES};
use vastflow_core::plan::{BasinSpec, NodeKind, NodeSpec, Plan, PlanSpec};
use vastflow_core::{RunId, ScopeId};

#[track_caller]
fn check_errors(text: &str, expected: &[&str]) {
    let refused = Plan::new(spec(text)).unwrap_err();
    let lines: Vec<_> = refused.list().iter().map(|error| format!("{}: {error}", error.code())).collect();
    assert_eq!(lines, expected);
}

/// The plan is refused only because something does not fit node n.
#[track_caller]
fn check_unfit(text: &str, why: &str) {
    check_errors(text, &[&format!("plan-unfit: node \"n\": {why}")]);
}

#[test]
fn a_branch_has_cases_each_with_a_key_of_its_own() {
    check_errors("b branch { }", &["plan-cases: branch \"b\" has no case; add at least one"]);
    check_errors(
        "b branch { l { x } l { y } }",
        &["plan-cases: branch \"b\" has case \"l\" twice; give each a key of its own"],
    );
    let long = "k".repeat(257);
    let why = "plan-cases: branch \"b\" has a case whose key is empty or longer than 256 bytes (MAX_KEY_BYTES)";
    check_errors(&format!("b branch {{ {long} {{ x }} }}"), &[why]);
}

#[test]
fn what_is_wrong_inside_is_named_with_its_place_and_all_of_it_at_once() {
    check_errors(
        "b branch { l { x < x } r { } }; f foreach 1 { c basin { y < z } }",
        &[
            "plan-self-edge: inside \"b\", case \"l\": node \"x\" waits for itself; remove that edge",
            "plan-empty: inside \"b\", case \"r\": the flow has no node; add at least one",
            "plan-undefined-node: inside \"f\": inside \"c\": an edge into \"y\" refers to node \"z\", which is not defined; \
             add it or correct the name",
        ],
    );
    // A node inside cannot wait for one outside.
    check_errors(
        "a; b basin { x < a }",
        &[
            "plan-undefined-node: inside \"b\": an edge into \"x\" refers to node \"a\", which is not defined; add it or \
             correct the name",
        ],
    );
    check_errors(
        "b basin { x; finally }",
        &["plan-unfit: inside \"b\": node \"b\": a graph inside a node has no hooks of its own; give them to the flow"],
    );
}

#[test]
fn joins_need_something_to_join_and_not_more_than_there_is() {
    check_unfit("a; n < a join 2", "it needs 2 of 1 nodes before it; ask for fewer");
    check_unfit("a; n < a join 0", "it needs 0 of them, so it need not wait; use n_of(1) or more");
    let orders = "an order-only edge into a join that does not wait for all would count as one of those it needs; let a \
                  node behind the join wait for it";
    check_unfit("a; b; n < a, b order join any", orders);
    check_unfit("a; b; c; n < a, b order, c join 2", orders);
    check_unfit("gate n join any", "it joins and has no nodes before it; draw an edge");
    check_unfit("gate n join settled", "it joins and has no nodes before it; draw an edge");
    check_unfit(
        "a; n < a, input join any",
        "a join waits for nodes, and the run's input is always there; take that edge out",
    );
    check_unfit("n branch needs 2 { l { x } }", "it needs 2 of 1 cases; ask for fewer");
    check_unfit("n foreach 1 needs 0 { x }", "it needs 0 of its items; use n_of(1) or more");
    assert!(Plan::new(spec("n foreach 1 needs 7 { x }")).is_ok(), "nobody knows how many items there will be");
}

#[test]
fn options_of_a_foreach_fit_each_other() {
    check_unfit("n foreach 0 { x }", "its window is 0, and may be 1 to 10000 (MAX_WINDOW)");
    check_unfit("n foreach 10001 { x }", "its window is 10001, and may be 1 to 10000 (MAX_WINDOW)");
    let partial = "a join that does not need all items already says what failed ones mean; remove one of the two";
    check_unfit("n foreach 1 needs any finish { x }", partial);
    check_unfit("n foreach 1 needs settled tolerate 1 { x }", partial);
    let reduced = "a reduction takes all items; remove the join or the reduction";
    check_unfit("n foreach 1 needs any reduce { x }", reduced);
    check_unfit("n foreach 1 needs settled ordered { x }", reduced);
}

#[test]
fn undo_actions_belong_to_tasks_and_rivers_that_are_durable() {
    let inside = "only tasks and rivers have an undo action; give it to the nodes inside";
    check_unfit("n undo basin { x }", inside);
    check_unfit("n undo branch { l { x } }", inside);
    check_unfit("n undo foreach 1 { x }", inside);
    check_unfit("n undo sleep 1s", inside);
    check_unfit("gate n undo", inside);
    check_unfit("n undo fast", "a node with an undo action is always durable; remove durable(false)");
    check_unfit(
        "n compensate",
        "there is nothing to compensate with; give it an undo action, or leave on_exhausted as it is",
    );
    assert!(Plan::new(spec("n compensate undo; r river 1@1s undo 3@1s")).is_ok());
}

#[test]
fn what_runs_no_code_has_no_options_for_it() {
    let no_code = "it runs no code; remove the options that need some";
    for kind in ["signal go", "sleep 1s", "basin { x }"] {
        check_unfit(&format!("n aggregator {kind}"), no_code);
        check_unfit(&format!("n attempt_timeout 1s {kind}"), no_code);
        check_unfit(&format!("n retry 1 {kind}"), no_code);
        assert!(Plan::new(spec(&format!("n timeout 1s rescue isolated {kind}"))).is_ok(), "{kind}");
    }
    check_unfit("a; n < a forward basin { x }", no_code);
    check_unfit("a; n < a forward sleep 1s", no_code);
}

#[test]
fn a_time_limit_is_some_time() {
    let nothing = "its time limit is 0, which nothing meets; give it some time, or no limit";
    for zero in ["n timeout 0s", "n attempt_timeout 0s"] {
        check_unfit(zero, nothing);
    }
    assert!(Plan::new(spec("n timeout 1ms attempt_timeout 1ms")).is_ok());
}

#[test]
fn an_operator_is_asked_only_where_a_call_can_be_made_again() {
    let no_call = "it has no call that an operator could have tried again; let the nodes inside or before it pause";
    for kind in ["signal go", "sleep 1s", "basin { x }"] {
        check_unfit(&format!("n pause {kind}"), no_call);
    }
    check_unfit("gate n pause", no_call);
    check_unfit("n pause rescue", "its on_failure answers a failure already; remove it, or do not pause");
    assert!(Plan::new(spec("n pause; b pause branch { l { x } }; f pause foreach 1 { x }")).is_ok());
}

#[test]
fn no_signal_is_atomic() {
    check_unfit(
        "n atomic signal go",
        "no signal reaches a run that is being stopped, so it cannot be atomic; remove that",
    );
    check_unfit(
        "n atomic basin { b branch { l { w signal go } } }",
        "no signal reaches a run that is being stopped, so what waits for one inside of it cannot be atomic; remove that",
    );
}

fn nested(depth: usize) -> PlanSpec {
    (0..depth).fold(spec("x"), |body, _| {
        let mut outer = PlanSpec::new(name("flow"));
        outer.nodes.push(NodeSpec::new(name("b"), NodeKind::Basin(Box::new(BasinSpec { body, export: None }))));
        outer
    })
}

#[test]
fn graphs_stand_inside_each_other_only_so_deep() {
    assert!(Plan::new(nested(MAX_DEPTH)).is_ok());
    let refused = Plan::new(nested(MAX_DEPTH + 1)).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "flow \"flow\" is not valid: graphs stand inside each other more than 16 deep (MAX_DEPTH); draw the inner ones as a \
         flow of its own [plan-too-deep]"
    );
}

#[test]
fn nodes_inside_count_for_the_limit() {
    let mut body = PlanSpec::new(name("flow"));
    body.nodes = (0..MAX_NODES).map(|n| NodeSpec::new(name(&format!("n{n}")), NodeKind::Task)).collect();
    let mut spec = PlanSpec::new(name("flow"));
    spec.nodes.push(NodeSpec::new(name("b"), NodeKind::Basin(Box::new(BasinSpec { body, export: None }))));
    assert!(Plan::new(spec).unwrap_err().to_string().contains("20001 nodes"));
}

#[test]
fn plans_inside_belong_to_the_flow_and_go_through_json_with_it() {
    let text = "flow grace 3s; a undo 2@1s; b < a branch collect needs 1 { l { x } r { y; z < y } }; \
                f < b isolated pause foreach 3 map tolerate 2 { c basin export k { d } }; s < f signal go; \
                w < s sleep 1500ms; g < a foreach 1 ordered finish { x }; j < b, w join settled compensate undo";
    let plan = Arc::new(plan(text));
    let again = Plan::from_json(&plan.to_json()).unwrap();
    assert_eq!((again.hash(), again.to_json()), (plan.hash(), plan.to_json()));
    assert!(plan.has_bodies() && plan.has_undo() && !plan.is_body());

    let root = ScopeId::root(RunId::new("r").unwrap());
    let inside = plan.of_scope(&root.child(&name("f"), "u/1").child(&name("c"), "")).unwrap();
    assert!(inside.is_body() && inside.find("d").is_some() && !inside.has_undo());
    assert_eq!(inside.flow(), plan.flow());
    let right = plan.body(plan.find("b").unwrap(), "r").unwrap();
    assert!(right.find("z").is_some() && plan.body(plan.find("b").unwrap(), "up").is_none());
    assert!(
        plan.of_scope(&root.child(&name("a"), "")).is_none() && plan.of_scope(&root.child(&name("x"), "")).is_none()
    );
}

#[test]
fn every_new_option_gives_another_hash() {
    let texts = [
        "a",
        "a undo",
        "a undo 1",
        "a isolated",
        "a pause",
        "flow grace 1s; a",
        "a basin { x }",
        "a basin export { x }",
        "a basin export k { x }",
        "a branch { l { x } }",
        "a branch collect { l { x } }",
        "a branch needs any { l { x } }",
        "a foreach 1 { x }",
        "a foreach 2 { x }",
        "a foreach 1 map { x }",
        "a foreach 1 reduce { x }",
        "a foreach 1 ordered { x }",
        "a foreach 1 finish { x }",
        "a foreach 1 tolerate 1 { x }",
        "a foreach 1 needs any { x }",
        "a foreach 1 needs settled { x }",
        "a foreach 1 { y }",
        "a signal x",
        "a signal y",
        "a sleep 1s",
        "a sleep 2s",
    ];
    let hashes: std::collections::BTreeSet<_> = texts.iter().map(|text| plan(text).hash()).collect();
    assert_eq!(hashes.len(), texts.len());
}

#[test]
fn the_json_of_new_kinds_is_this_for_ever() {
    let json =
        plan("b branch needs any { l { x } }; f foreach 2 map tolerate 1 { y }; s signal go; w sleep 2s").to_json();
    assert_eq!(
        json,
        "{\"flow\":\"flow\",\"nodes\":[\
         {\"name\":\"b\",\"kind\":{\"branch\":{\"cases\":[{\"key\":\"l\",\"body\":{\"flow\":\"flow\",\"nodes\":[\
         {\"name\":\"x\",\"kind\":\"task\",\"inputs\":[{\"from\":\"input\"}]}]}}],\"join\":\"any\"}},\
         \"inputs\":[{\"from\":\"input\"}]},\
         {\"name\":\"f\",\"kind\":{\"for_each\":{\"body\":{\"flow\":\"flow\",\"nodes\":[\
         {\"name\":\"y\",\"kind\":\"task\",\"inputs\":[{\"from\":\"input\"}]}]},\"window\":2,\"partial\":{\"tolerate\":1},\
         \"gives\":\"map\"}},\"inputs\":[{\"from\":\"input\"}]},\
         {\"name\":\"s\",\"kind\":{\"signal\":{\"name\":\"go\"}}},\
         {\"name\":\"w\",\"kind\":{\"sleep\":{\"duration_ms\":2000}},\"inputs\":[{\"from\":\"input\"}]}]}"
    );
}
