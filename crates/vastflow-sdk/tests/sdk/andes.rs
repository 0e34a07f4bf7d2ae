//! River systems: what streams become.

use crate::rivers::{River1, River2, River3, SameName, Sea, Vm};
use crate::support::{codes, edges, text};
use std::time::Duration;
use vastflow_core::plan::NodeKind;
use vastflow_sdk::{Andes, DurationExt, ParallelRiver, RiverExt};

#[test]
fn streams_follow_each_other() {
    let flow = Andes::new("flow").stream(River1).stream(River2.then(River3)).stream(River1).into_flow().unwrap();
    assert_eq!(edges(flow.plan()), ["r1", "r2 < (r1)", "r3 < (r2)", "r1-2 < (r3)"]);
    assert_eq!(flow.plan().outputs().len(), 1);
}

#[test]
fn what_follows_a_parallel_river_waits_for_all_of_it() {
    let parallel = ParallelRiver::new().append(River1).append(River2);
    let flow = Andes::new("flow").stream(River3).stream(parallel).stream(River3).into_flow().unwrap();
    assert_eq!(edges(flow.plan()), ["r3", "r1 < (r3)", "r2 < (r3)", "parallel < (r1), (r2)", "r3-2 < (parallel)"]);
    assert_eq!(flow.plan().spec().nodes[3].kind, NodeKind::Gate);
}

#[test]
fn a_parallel_river_may_stand_in_a_chain_and_a_chain_in_it() {
    let inner = ParallelRiver::new().append(River2).append(River2.then(River3));
    let chain = River1.then(River2).then(inner).then(River3);
    let flow = Andes::new("flow").stream(ParallelRiver::new().append(chain).append(River1)).into_flow().unwrap();
    assert_eq!(
        edges(flow.plan()),
        [
            "r1",
            "r2 < (r1)",
            "r2-2 < (r2)",
            "r2-3 < (r2)",
            "r3 < (r2-3)",
            "parallel < (r2-2), (r3)",
            "r3-2 < (parallel)",
            "r1-2",
            "parallel-2 < (r3-2), (r1-2)",
        ]
    );
}

#[test]
fn a_parallel_river_without_branches_hands_on_what_was_before() {
    let flow = Andes::new("flow").stream(River1).stream(ParallelRiver::new()).stream(River2).into_flow().unwrap();
    assert_eq!(edges(flow.plan()), ["r1", "parallel < (r1)", "r2 < (parallel)"]);
}

#[test]
fn a_name_made_unique_is_never_one_that_a_river_has_by_itself() {
    // `SecondOfR1` is named `r1-2` by itself.
    use crate::rivers::SecondOfR1;
    let drawn_last = Andes::new("flow").stream(River1).stream(River1).stream(SecondOfR1).into_flow().unwrap();
    assert_eq!(edges(drawn_last.plan()), ["r1", "r1-2 < (r1)", "r1-2-2 < (r1-2)"]);
    let drawn_first = Andes::new("flow").stream(SecondOfR1).stream(River1).stream(River1).into_flow().unwrap();
    assert_eq!(edges(drawn_first.plan()), ["r1-2", "r1 < (r1-2)", "r1-3 < (r1)"]);
}

#[test]
fn a_colour_holds_for_all_that_is_inside_and_the_innermost_wins() {
    let chain = River2.then(River3).colour("red");
    let parallel = ParallelRiver::new().append(River1).append(chain).colour("blue");
    let flow = Andes::new("flow").stream(parallel).stream(River1).into_flow().unwrap();
    let colour = |node: &vastflow_core::plan::NodeSpec| {
        format!("{} {}", node.name, node.labels.get("colour").map_or("none", |colour| colour))
    };
    let colours: Vec<String> = flow.plan().spec().nodes.iter().map(colour).collect();
    assert_eq!(colours, ["r1 blue", "r2 red", "r3 red", "parallel blue", "r1-2 none"]);
}

#[test]
fn a_river_system_ends_in_one_atlantic() {
    let flow = Andes::new("flow").stream(River1).atlantic(Sea { depth: 3 }).timeout(1.hours()).into_flow().unwrap();
    let spec = flow.plan().spec();
    let sea = spec.finally.as_ref().unwrap();
    assert_eq!((sea.code.as_deref(), sea.config.as_deref()), (Some("sea"), Some(r#"{"depth":3}"#)));
    assert_eq!((sea.retry.retries, spec.timeout), (2, Some(Duration::from_secs(3600))));

    let two = Andes::new("flow").stream(River1).atlantic(Sea { depth: 3 }).atlantic(Sea { depth: 4 });
    assert_eq!(
        text(two.into_flow()),
        "flow \"flow\" is not valid: node \"sea\": a river system ends in one Atlantic; keep one of them [plan-unfit]"
    );
}

#[test]
fn empty_andes_are_refused() {
    assert_eq!(codes(Andes::new("flow").into_flow()), ["plan-empty"]);
    assert_eq!(codes(Andes::new("a flow").atlantic(Sea { depth: 1 }).into_flow()), ["plan-invalid-name", "plan-empty"]);
}

#[test]
fn two_rivers_of_one_name_are_refused() {
    let andes = Andes::new("flow").stream(River1).stream(SameName);
    assert!(text(andes.into_flow()).contains("node \"r1\": two types have this `NAME`"));
}

#[test]
fn fields_and_attributes_of_a_river_stand_in_the_plan() {
    let vm = Vm { name: "my-vm".into(), cores: 4 };
    let flow = Andes::new("flow").stream(vm).into_flow().unwrap();
    let node = &flow.plan().spec().nodes[0];
    assert_eq!((&*node.name, node.code.as_deref()), ("vm", Some("vm")));
    assert_eq!(node.config.as_deref(), Some(r#"{"name":"my-vm","cores":4}"#));
    let NodeKind::River { poll } = &node.kind else { panic!("{node:?}") };
    assert_eq!((poll.times, poll.interval), (10, Duration::from_secs(1)));
    assert_eq!((node.retry.retries, node.retry.interval), (2, Duration::from_millis(5)));
    assert_eq!((node.atomic, node.durable, node.timeout), (true, false, Some(Duration::from_secs(60))));
}

#[test]
fn rivers_side_by_side_are_always_durable() {
    let vm = Vm { name: "my-vm".into(), cores: 4 };
    let flow = Andes::new("flow").stream(ParallelRiver::new().append(vm)).into_flow().unwrap();
    assert!(flow.plan().spec().nodes[0].durable);
}
