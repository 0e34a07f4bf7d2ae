//! What makes a plan valid, and how it is written.

use crate::dsl::{name, plan, spec};
use core::fmt::Write as _;
use core::time::Duration;
use std::sync::LazyLock;
use std::time::Instant;
use vastflow_core::limits::MAX_NODES;
use vastflow_core::plan::{EdgeSpec, NodeKind, NodeSpec, Plan, PlanError, PlanSpec, PollPolicy, Source};
use vastflow_core::retry::RetryPolicy;
use vastflow_core::{NodeIx, PlanErrors};

/// The errors of the plan that `text` draws, one a line with its code.
#[track_caller]
fn errors(text: &str) -> String {
    lines(&Plan::new(spec(text)).unwrap_err())
}

fn lines(errors: &PlanErrors) -> String {
    errors.list().iter().map(|error| format!("{}: {error}", error.code())).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn check_errors(text: &str, expected: &[&str]) {
    assert_eq!(errors(text), expected.join("\n"));
}

#[test]
fn case_54_each_mistake_has_its_own_error() {
    check_errors("", &["plan-empty: the flow has no node; add at least one"]);
    check_errors("a; a", &["plan-duplicate-node: two nodes are named \"a\"; give each node a name of its own"]);
    check_errors("a < a", &["plan-self-edge: node \"a\" waits for itself; remove that edge"]);
    check_errors(
        "a < b",
        &[
            "plan-undefined-node: an edge into \"a\" refers to node \"b\", which is not defined; add it or correct the name",
        ],
    );
    check_errors(
        "a; outputs a, b",
        &[
            "plan-undefined-node: the list of results refers to node \"b\", which is not defined; add it or correct the name",
        ],
    );
    check_errors(
        "a < c; b < a; c < b",
        &["plan-cycle: the nodes wait for each other in a circle: a → b → c → a; remove one of these edges"],
    );
}

#[test]
fn a_plan_over_the_limit_of_nodes_is_refused_with_the_limit() {
    let mut spec = PlanSpec::new(name("flow"));
    spec.nodes = (0..=MAX_NODES).map(|n| NodeSpec::new(name(&format!("n{n}")), NodeKind::Task)).collect();
    let refused = Plan::new(spec.clone()).unwrap_err();
    assert_eq!(
        lines(&refused),
        "plan-too-many-nodes: the flow has 20001 nodes, the limit is 20000 (MAX_NODES); use a foreach for wide work"
    );
    spec.nodes.pop();
    assert_eq!(Plan::new(spec).unwrap().len(), MAX_NODES);
}

#[test]
fn what_does_not_fit_a_node_is_named_with_the_way_out() {
    let gate = "plan-unfit: node \"g\": a gate runs no code; remove its options";
    check_errors("gate g rescue", &[gate]);
    check_errors("gate g aggregator", &[gate]);
    check_errors("gate g timeout 1s", &[gate]);
    check_errors("gate g attempt_timeout 1s", &[gate]);
    check_errors(
        "a; b < a order forward",
        &[
            "plan-unfit: node \"b\": an order-only edge hands on nothing that a forwarder could transform; remove one of the two",
        ],
    );
    check_errors("a config {}", &["plan-unfit: node \"a\": only registered code has a configuration; name the code"]);
    assert!(Plan::new(spec("a code b config {}")).is_ok());
    check_errors("a; outputs a, a", &["plan-unfit: node \"a\": it is a result twice; name it once"]);

    let mut gate = spec("a; gate g < a");
    gate.nodes[1].inputs[0].order_only = false;
    assert_eq!(
        lines(&Plan::new(gate).unwrap_err()),
        "plan-unfit: node \"g\": a gate hands on nothing; make the edges into it order-only"
    );
}

#[test]
fn all_mistakes_are_reported_at_once() {
    let text = "a < a, nobody; gate b rescue; b; c < d; d < c; outputs ghost";
    let codes: Vec<_> = Plan::new(spec(text)).unwrap_err().list().iter().map(PlanError::code).collect();
    let expected = ["duplicate-node", "self-edge", "undefined-node", "unfit", "undefined-node"];
    assert_eq!(codes, expected.map(|code| format!("plan-{code}")));

    let text = "a < a, nobody; gate b rescue; c < d, a; d < c; outputs ghost";
    let codes: Vec<_> = Plan::new(spec(text)).unwrap_err().list().iter().map(PlanError::code).collect();
    let expected = ["self-edge", "undefined-node", "unfit", "undefined-node", "cycle"];
    assert_eq!(codes, expected.map(|code| format!("plan-{code}")), "a circle is found among other mistakes");
}

#[test]
fn errors_are_shown_in_one_line_or_in_a_list() {
    let one = Plan::new(spec("")).unwrap_err().to_string();
    assert_eq!(one, "flow \"flow\" is not valid: the flow has no node; add at least one [plan-empty]");
    let two = Plan::new(spec("a < a; b < b")).unwrap_err().to_string();
    assert_eq!(
        two,
        "flow \"flow\" is not valid\n  \
         - node \"a\" waits for itself; remove that edge [plan-self-edge]\n  \
         - node \"b\" waits for itself; remove that edge [plan-self-edge]"
    );
    let json = Plan::from_json("[").unwrap_err().to_string();
    assert!(json.starts_with("the plan is not valid: this is not the JSON of a plan: EOF"), "{json}");
}

#[test]
fn errors_that_only_builders_can_find_have_texts_too() {
    let (a, b) = (name("a"), name("b"));
    let texts = [
        (
            PlanError::DuplicateEdge { from: a.clone(), to: b.clone() },
            "there are two edges from \"a\" to \"b\"; keep one",
        ),
        (
            PlanError::SeveralStarts { nodes: vec![a.clone(), b.clone()] },
            "\"a\", \"b\" all have no edge into them; draw the edge that is missing, or say with `input_to` that they \
             start the flow",
        ),
        (
            PlanError::TypeMismatch { from: a, to: b, gives: "u8".into(), takes: "String".into() },
            "\"a\" gives u8, but \"b\" takes String; change one of them, or put a forwarder or an aggregator between",
        ),
    ];
    for (error, text) in texts {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_circle_is_named_by_its_own_nodes_and_not_by_those_that_lead_to_it_or_from_it() {
    check_errors(
        "start; a < start, c; b < a; c < b; behind < c",
        &["plan-cycle: the nodes wait for each other in a circle: b → c → a → b; remove one of these edges"],
    );
    check_errors(
        "gate a < b; gate b < a",
        &["plan-cycle: the nodes wait for each other in a circle: a → b → a; remove one of these edges"],
    );
}

#[test]
fn a_circle_through_the_whole_of_a_large_plan_is_found() {
    let mut text = String::from("n0 < n9999");
    (1..10_000).for_each(|n| write!(text, "; n{n} < n{}", n - 1).unwrap());
    let refused = Plan::new(spec(&text)).unwrap_err();
    let [PlanError::Cycle { path }] = refused.list() else { panic!("{refused}") };
    assert_eq!((path.len(), path.first()), (10_001, path.last()));
}

/// One node of each kind with every option once.
fn everything() -> PlanSpec {
    let mut plan = spec(
        "flow timeout 60s
         create river 10@1s retry 2@1s code acme.create config {\"size\":1}
         gate ready < create
         run < ready order, input forward aggregator retry 3@100ms doubling longest 2s jitter 10 \
             attempt_timeout 5s timeout 30s rescue atomic
         outputs run
         on_failure retry 1@1s
         finally",
    );
    plan.nodes[2].labels.insert("colour".into(), "red".into());
    plan
}

const EVERYTHING: &str = r#"{"flow":"flow","nodes":[{"name":"create","kind":{"river":{"poll":{"times":10,"interval_ms":1000}}},"code":"acme.create","config":"{\"size\":1}","retry":{"retries":2,"interval_ms":1000,"factor":1,"max_interval_ms":3600000,"jitter_percent":0}},{"name":"ready","kind":"gate","inputs":[{"from":{"node":"create"},"order_only":true}]},{"name":"run","kind":"task","inputs":[{"from":{"node":"ready"},"order_only":true},{"from":"input","forwarder":true}],"aggregator":true,"retry":{"retries":3,"interval_ms":100,"factor":2,"max_interval_ms":2000,"jitter_percent":10},"attempt_timeout_ms":5000,"timeout_ms":30000,"rescue":true,"atomic":true,"labels":{"colour":"red"}}],"outputs":["run"],"timeout_ms":60000,"on_failure":{"retry":{"retries":1,"interval_ms":1000,"factor":1,"max_interval_ms":3600000,"jitter_percent":0}},"finally":{}}"#;

#[test]
fn case_56_a_plan_is_written_as_this_json_with_this_hash_for_ever() {
    // Runs are pinned to the hash of their plan: if one of these changes, stored runs no longer find theirs.
    let small = plan("a; b < a");
    assert_eq!(
        small.to_json(),
        r#"{"flow":"flow","nodes":[{"name":"a","kind":"task","inputs":[{"from":"input"}]},{"name":"b","kind":"task","inputs":[{"from":{"node":"a"}}]}]}"#
    );
    assert_eq!(small.hash().to_string(), "e857a9be97d38dab8ad0a237142215da");
    let everything = Plan::new(everything()).unwrap();
    assert_eq!(everything.to_json(), EVERYTHING);
    assert_eq!(everything.hash().to_string(), "0d06fb942dc0181273d8d989f1159634");
}

#[test]
fn a_plan_goes_through_json_unchanged() {
    let plan = Plan::new(everything()).unwrap();
    assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
}

#[test]
fn the_hash_is_of_the_structure_not_of_the_way_the_json_is_laid_out() {
    let spaced = EVERYTHING.replace(",\"", " ,\n \"");
    let reordered = EVERYTHING.replacen(r#""name":"ready","kind":"gate""#, r#""kind":"gate","name":"ready""#, 1);
    for json in [spaced, reordered] {
        assert_eq!(Plan::from_json(&json).unwrap().hash(), Plan::new(everything()).unwrap().hash());
    }
}

#[test]
fn every_difference_in_structure_gives_another_hash() {
    let texts =
        ["a", "b", "a; b", "b; a", "a; b < a", "a; b < a order", "a; b < a retry 1", "a; b < a timeout 1s", "a atomic"];
    let hashes: std::collections::BTreeSet<_> = texts.iter().map(|text| plan(text).hash()).collect();
    assert_eq!(hashes.len(), texts.len());
}

#[test]
fn times_finer_than_the_json_can_say_are_rounded_up_so_that_a_stored_plan_is_the_same() {
    let fine = Duration::from_micros(1_500);
    let mut spec = spec("a; r river 1@1s; flow timeout 1s; finally");
    spec.timeout = Some(fine);
    spec.finally.as_mut().unwrap().retry = RetryPolicy::times(1).every(fine);
    spec.nodes[0].timeout = Some(fine);
    spec.nodes[0].attempt_timeout = Some(Duration::from_nanos(1));
    spec.nodes[0].retry = RetryPolicy::times(1).every(fine).max_interval(Duration::MAX);
    spec.nodes[1].kind = NodeKind::River { poll: PollPolicy { times: 1, interval: fine } };
    let plan = Plan::new(spec).unwrap();
    assert_eq!(plan.spec().timeout, Some(Duration::from_millis(2)));
    assert_eq!(plan.spec().nodes[0].attempt_timeout, Some(Duration::from_millis(1)));
    assert_eq!(Plan::from_json(&plan.to_json()).unwrap(), plan);
}

#[test]
fn json_with_a_field_that_is_not_known_is_refused_wherever_it_stands() {
    for object in [
        r#"{"flow""#,
        r#"{"name":"create""#,
        r#"{"poll""#,
        r#"{"times""#,
        r#"{"retries""#,
        r#"{"from":{"node":"create"}"#,
        r#"{"retry":{"retries":1"#,
    ] {
        assert!(EVERYTHING.contains(object), "{object}");
        let json = EVERYTHING.replacen(object, &object.replacen('{', r#"{"surprise":1,"#, 1), 1);
        let refused = Plan::from_json(&json).unwrap_err().to_string();
        assert!(refused.contains("unknown field `surprise`") && refused.contains("[plan-json]"), "{object}: {refused}");
    }
}

#[test]
fn json_that_is_no_plan_is_refused() {
    let cases = [
        ("", "EOF"),
        ("{}", "missing field `flow`"),
        (r#"{"flow":"a b","nodes":[]}"#, "not allowed"),
        (r#"{"flow":"f","nodes":[{"name":"a"}]}"#, "missing field `kind`"),
        (r#"{"flow":"f","nodes":[{"name":"a","kind":"loop"}]}"#, "unknown variant `loop`"),
        (r#"{"flow":"f","nodes":[{"name":"a","kind":"task"}]} x"#, "trailing characters"),
        (r#"{"flow":"f","nodes":[{"name":"a","kind":"task"}],"timeout_ms":-1}"#, "invalid value"),
    ];
    for (json, why) in cases {
        let refused = Plan::from_json(json).unwrap_err();
        assert!(matches!(refused.list(), [PlanError::Json { .. }]) && refused.to_string().contains(why), "{refused}");
    }
    assert_eq!(Plan::from_json(r#"{"flow":"f","nodes":[]}"#).unwrap_err().list(), [PlanError::Empty]);
}

#[test]
fn a_plan_answers_what_is_asked_about_its_nodes() {
    let plan = plan("b; a; c < a, b order; outputs a");
    assert_eq!((plan.len(), plan.is_empty(), plan.flow().as_str()), (3, false, "flow"));
    assert_eq!((plan.starts(), plan.outputs()), (&[NodeIx(0), NodeIx(1)][..], &[NodeIx(1)][..]));
    assert_eq!((plan.find("c"), plan.find("d")), (Some(NodeIx(2)), None));
    assert_eq!(plan.node(NodeIx(2)).unwrap().name.as_str(), "c");
    assert!(plan.node(NodeIx(3)).is_none());
    assert_eq!(format!("{plan:?}"), format!("Plan(flow {}, 3 nodes)", plan.hash()));
}

/// How long this thread has had a processor, where the system tells it; else how much time has passed.
fn spent() -> Duration {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|told| told.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| BEGIN.elapsed(), Duration::from_nanos)
}

#[test]
fn case_55_forty_diamonds_in_a_row_are_planned_in_no_time() {
    let mut text = String::from("n0");
    for n in 0..40 {
        write!(text, "; l{n} < n{n}; r{n} < n{n}; n{} < l{n}, r{n}", n + 1).unwrap();
    }
    let spec = spec(&text);
    // The best of many: a machine that does other things meanwhile says nothing about a plan.
    let timed = |_| {
        let begin = spent();
        assert_eq!(Plan::new(spec.clone()).unwrap().len(), 121);
        spent().saturating_sub(begin)
    };
    let best = (0..20).map(timed).min().unwrap();
    assert!(best < Duration::from_millis(50), "it took {best:?}");
}

#[test]
fn ten_thousand_nodes_with_many_edges_are_planned_fast_and_always_in_the_same_way() {
    let mut spec = PlanSpec::new(name("flow"));
    for at in 0..10_000_usize {
        let mut node = NodeSpec::new(name(&format!("n{at}")), NodeKind::Task);
        let parents = (1..=5).filter_map(|back| at.checked_sub(back * 7));
        node.inputs = parents.map(|from| EdgeSpec::data(Source::Node(name(&format!("n{from}"))))).collect();
        spec.nodes.push(node);
    }
    // The best of three: a machine that does other things meanwhile says nothing about a plan.
    let timed = || {
        let begin = spent();
        (Plan::new(spec.clone()).unwrap(), spent().saturating_sub(begin))
    };
    let runs = [timed(), timed(), timed()];
    let best = runs.iter().map(|(_, took)| *took).min().unwrap();
    assert!(best < Duration::from_secs(1), "it took {best:?}");
    assert!(runs.iter().all(|(plan, _)| *plan == runs[0].0));
}
