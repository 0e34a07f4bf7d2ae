//! Which node starts when, and what flows into it.

use crate::dsl::{Run, check, payload_text, payloads_kept, plan};
use core::fmt::Write as _;
use vastflow_core::run::{Changes, Start, TaskOutcome};
use vastflow_core::{Codec, Input, NodeIx, Payload, Plan, Reply, RunId, RunStatus, State, Task, Timestamp};

#[test]
fn a_chain_is_one_record_a_node_and_one_at_each_end() {
    check(
        "a; b < a; c < b",
        "
        start x
          RunStarted
          queue a#1
        a done
          NodeSucceeded a = a(x)
          queue b#1
        b done
          NodeSucceeded b = b(a(x))
          queue c#1
        c done
          NodeSucceeded c = c(b(a(x))); RunEnded succeeded
        ? output
          c(b(a(x)))
        ? queue
          nothing
        ",
    );
}

#[test]
fn case_32_three_stubs_in_a_row_nest() {
    check(
        "get-kyc-image; face-detect < get-kyc-image; mark-profile < face-detect",
        "
        start u1
        get-kyc-image done
        face-detect done
        mark-profile done
        ? output
          mark-profile(face-detect(get-kyc-image(u1)))
        ",
    );
}

#[test]
fn case_28_the_arms_of_a_diamond_wait_for_nobody_and_the_join_for_both() {
    check(
        "node1; node2 < node1; node3 < node1; node4 < node2, node3 aggregator",
        "
        start x
        node1 done
          NodeSucceeded node1 = node1(x)
          queue node2#1, node3#1
        node3 done
          NodeSucceeded node3 = node3(node1(x))
        ? nodes
          node1 succeeded, node2 running, node3 succeeded, node4 waiting
        node2 done
          NodeSucceeded node2 = node2(node1(x))
          queue node4#1
        ? inputs node4
          node2(node1(x)), node3(node1(x))
        node4 done
          NodeSucceeded node4 = node4(node2(node1(x)),node3(node1(x))); RunEnded succeeded
        ",
    );
}

#[test]
fn case_40_values_come_in_the_order_of_the_edges_whoever_is_first() {
    check(
        "a; b; c < b, input, a",
        "
        start x
        a done 1
        b done 2
        ? inputs c
          2, x, 1
        ",
    );
}

#[test]
fn case_41_an_edge_that_only_orders_hands_on_nothing() {
    check(
        "a; b < a order; c < a, b order, input order",
        "
        start x
        a done
          NodeSucceeded a = a(x)
          queue b#1
        ? inputs b
          nothing
        b done
        ? inputs c
          a(x)
        ",
    );
}

#[test]
fn an_edge_with_a_forwarder_hands_on_the_value_for_the_worker_to_transform() {
    check("a; b < a forward", "start x\na done\n? inputs b\n  a(x)");
}

#[test]
fn two_edges_between_the_same_nodes_hand_on_the_value_twice() {
    check("a; b < a, a", "start x\na done\n? inputs b\n  a(x), a(x)\nb done\n? output\n  b(a(x),a(x))");
}

#[test]
fn all_nodes_that_wait_for_none_start_at_once_in_drawn_order() {
    check(
        "b; a; c < b, a",
        "
        start x
          RunStarted
          queue b#1, a#1
        a done
          NodeSucceeded a = a(x)
        b done
          NodeSucceeded b = b(x)
          queue c#1
        ",
    );
}

#[test]
fn a_node_drawn_before_its_parent_waits_all_the_same() {
    check("b < a; a", "start x\n  RunStarted\n  queue a#1\na done\n  NodeSucceeded a = a(x)\n  queue b#1");
}

#[test]
fn several_end_nodes_give_a_map_by_name_in_drawn_order() {
    check(
        "b; a; c < a",
        r#"
        start x
        a done
        c done
        b done
        ? output
          {"b":"b(x)","c":"c(a(x))"}
        "#,
    );
}

#[test]
fn named_results_win_over_the_end_nodes() {
    check("a; b < a; outputs a", "start x\na done\nb done\n? output\n  a(x)");
    check("a; b < a; outputs b, a", "start\na done 1\nb done 2\n? output\n  {\"b\":\"2\",\"a\":\"1\"}");
}

#[test]
fn a_run_without_an_input_has_null() {
    check("a", "start\n? inputs a\n  null\na done\n? output\n  a(null)");
}

#[test]
fn a_gate_is_done_as_soon_as_all_that_it_waits_for_is() {
    check(
        "x; y; gate g < x, y; a < g order",
        "
        start
        x done
          NodeSucceeded x = x(null)
        y done
          NodeSucceeded y = y(null)
          queue a#1
        ? nodes
          x succeeded, y succeeded, g succeeded, a running
        ",
    );
}

#[test]
fn a_plan_of_gates_alone_ends_as_it_begins() {
    check(
        "flow timeout 5s; gate g; gate h < g",
        "
        start
          RunStarted; RunEnded succeeded
        ? output
          null
        ",
    );
}

#[test]
fn gates_pass_through_gates_in_drawn_order() {
    check(
        "a; gate g < a; gate h < g; c < h order; b < g order",
        "
        start
        a done
          NodeSucceeded a = a(null)
          queue c#1, b#1
        ",
    );
}

#[test]
fn a_gate_hands_on_null_to_all_who_read_it() {
    check(
        "gate g; a < g; b < g, a",
        "
        start x
        a done
          NodeSucceeded a = a(null)
          queue b#1
        b done
        ? output
          b(null,a(null))
        ",
    );
}

#[test]
fn ten_thousand_gates_in_a_row_do_not_overflow_the_stack() {
    let mut text = String::from("a; gate g0 < a");
    (1..10_000).for_each(|n| write!(text, "; gate g{n} < g{}", n - 1).unwrap());
    let (plan, mut state) = (plan(&(text + "; b < g9999 order")), State::default());
    begin(&plan, &mut state);
    let changes = answer(&plan, &mut state, NodeIx(0));
    assert_eq!(changes.queue, [(Task::Attempt { node: NodeIx(10_001), attempt: 1 }, Timestamp::ZERO)]);
}

#[test]
fn ten_thousand_siblings_share_one_value_and_join_once() {
    const MANY: u32 = 10_000;
    let mut text = String::from("a");
    (0..MANY).for_each(|n| write!(text, "; s{n} < a").unwrap());
    let all: Vec<_> = (0..MANY).map(|n| format!("s{n}")).collect();
    let plan = plan(&format!("{text}; join < {}", all.join(",")));
    let mut state = State::default();
    begin(&plan, &mut state);
    assert_eq!(answer(&plan, &mut state, NodeIx(0)).queue.len(), MANY as usize);
    for sibling in 1..MANY {
        assert_eq!(answer(&plan, &mut state, NodeIx(sibling)), Changes::default());
    }
    assert_eq!(payloads_kept(&state), MANY as usize, "the parent's and all but one sibling's");
    let join = NodeIx(MANY + 1);
    assert_eq!(
        answer(&plan, &mut state, NodeIx(MANY)).queue,
        [(Task::Attempt { node: join, attempt: 1 }, Timestamp::ZERO)]
    );
    assert_eq!(payloads_kept(&state), MANY as usize, "the last sibling took the parent's");
    assert_eq!(state.inputs(&plan, join).len(), MANY as usize);
    answer(&plan, &mut state, join);
    assert_eq!(state.status(), RunStatus::Succeeded);
    assert_eq!(payloads_kept(&state), 1);
}

fn begin(plan: &Plan, state: &mut State) {
    let start = Input::Start(Start::new(RunId::new("run").unwrap()));
    state.step(plan, start, Timestamp::ZERO, &mut ()).unwrap();
}

/// The first attempt of `node` is done.
fn answer(plan: &Plan, state: &mut State, node: NodeIx) -> Changes {
    let mut changes = Changes::default();
    let (task, reply) = (Task::Attempt { node, attempt: 1 }, Reply::Done(Payload::new(Codec::Bytes, "v")));
    let outcome = TaskOutcome { task, reply, writes: Vec::new(), took: core::time::Duration::ZERO };
    state.step(plan, Input::Outcome(outcome), Timestamp::ZERO, &mut changes).unwrap();
    changes
}

#[test]
fn a_value_is_let_go_when_its_last_reader_ends() {
    check(
        "a; b < a; c < a; d < b order, c order",
        "
        start x
        a done
        ? kept
          1 payloads
        b done
        ? kept
          1 payloads
        c done
        ? kept
          0 payloads
        d done
        ? kept
          1 payloads
        ? output
          d()
        ",
    );
}

#[test]
fn a_value_is_kept_while_its_reader_is_retried_and_let_go_when_it_fails() {
    check(
        "a; b < a retry 1@1s; other",
        "
        start x
        a done
        b failed boom
        ? inputs b
          a(x)
        @1s b failed boom
          NodeFailed b: boom
          cancel other#1
        ? kept
          0 payloads
        ",
    );
}

#[test]
fn a_result_of_the_run_is_kept_though_all_who_read_it_are_done() {
    check("a; b < a; outputs a", "start x\na done\nb done\n? kept\n  1 payloads");
}

#[test]
fn a_run_that_did_not_succeed_keeps_no_value_and_has_no_output() {
    check(
        "a; b < a; c",
        "
        start x
        a done
        cancel by ops because enough
        not_started b
        c done
          NodeSucceeded c = c(x); RunEnded stopped by ops: enough
        ? kept
          0 payloads
        ? output
          none
        ",
    );
}

#[test]
fn the_summary_is_there_from_the_start_and_says_how_it_ended() {
    let run = check("a", "@2s start x");
    let summary = run.state.summary(&run.plan).unwrap();
    assert_eq!((summary.status, summary.ended_at, summary.outcome), (RunStatus::Running, None, None));
    let run = check("a", "@2s start x\n@5s a done");
    let summary = run.state.summary(&run.plan).unwrap();
    assert_eq!((summary.started_at.millis(), summary.ended_at.unwrap().millis()), (2_000, 5_000));
    assert_eq!((summary.status, summary.outcome.unwrap().to_string()), (RunStatus::Succeeded, "succeeded".into()));
    assert_eq!(payload_text(&summary.output.unwrap()), "a(x)");
    assert_eq!((&*summary.started.flow, summary.started.plan), ("flow", run.plan.hash()));
    assert!(State::default().summary(&run.plan).is_none());
}

#[test]
fn a_state_before_the_start_answers_questions_without_panic() {
    let run = Run::of("a; b < a");
    let (state, b) = (&run.state, NodeIx(1));
    assert!(state.is_empty() && state.started().is_none() && state.context().is_empty());
    assert_eq!((state.status(), state.outcome()), (RunStatus::Running, None));
    assert_eq!(state.inputs(&run.plan, b), [(Some(NodeIx(0)), Payload::null())]);
    assert_eq!((state.node_status(b), state.failure_to_rescue(b)), (None, None));
    assert!(!state.expects(Task::Attempt { node: b, attempt: 1 }) && !state.expects(Task::RunDeadline));
    assert_eq!(state.inputs(&run.plan, NodeIx(9)), []);
}
