//! Single calls of a flow's code: what a handler gets, and what becomes of what it gives.

use crate::support::{Call, json, pass};
use std::sync::Arc;
use vastflow_core::{Failure, FailureKind, Hook, Reply, RunInfo, RunOutcome, Task, Timestamp};
use vastflow_sdk::{About, Bytes, Ctx, Edge, Flow, Graph, Handler, Node, NodeError, Parts, Plain, Result, WithCtx};

/// `a` and `b` flow into `c`.
fn joined(change: impl FnOnce(&mut Graph)) -> Flow<Bytes, Bytes> {
    let mut graph = Graph::new("flow");
    graph.node("a", pass).node("b", pass).node("c", pass).input_to("a").input_to("b");
    change(&mut graph);
    graph.build().unwrap()
}

fn c(flow: &Flow<Bytes, Bytes>) -> Call {
    Call::node(flow, "c").with("a", 1).with("b", Bytes::from("two"))
}

#[test]
fn several_values_are_a_map_by_node_name() {
    let flow = joined(|graph| {
        graph.edge("a", "c").edge("b", "c");
    });
    assert_eq!(c(&flow).value::<Bytes>().to_text(), r#"{"a":1,"b":"two"}"#);
}

#[test]
fn one_value_comes_as_it_is_and_none_is_no_bytes() {
    let flow = joined(|graph| {
        graph.edge("a", "c");
    });
    assert_eq!(Call::node(&flow, "c").with("a", Bytes::from("\0x")).value::<Bytes>().to_text(), "\0x");
    // Case 41: behind an order-only edge a node gets nothing.
    assert_eq!(Call::node(&flow, "c").value::<Bytes>().to_text(), "");
}

#[test]
fn forwarders_transform_before_the_aggregator_makes_one_value() {
    let flow = joined(|graph| {
        graph.edge_with("a", "c", Edge::forward(|n: u32| Ok(n * 10))).edge("b", "c");
        graph.aggregator("c", |parts: Parts| {
            Ok(format!("{} {}", parts.get::<u32>("a")?, parts.get::<Bytes>("b")?.to_text()))
        });
    });
    assert_eq!(c(&flow).value::<String>(), "10 two");
}

#[test]
fn a_forwarder_or_an_aggregator_that_fails_fails_the_attempt() {
    let flow = joined(|graph| {
        graph.edge_with("a", "c", Edge::forward(|_: u32| Err::<u32, _>("odd".into()))).edge("b", "c");
    });
    assert_eq!(c(&flow).failure(), ("odd".into(), true));
    let flow = joined(|graph| {
        graph.edge("a", "c").edge("b", "c").aggregator("c", |parts: Parts| Ok(parts.get::<u32>("x")?));
    });
    assert_eq!(c(&flow).failure().0, "the context has no value under \"x\"");
}

fn failing<E: Into<vastflow_sdk::BoxError> + Send + 'static>(
    error: impl Fn() -> E + Send + Sync + 'static,
) -> Flow<u32, u32> {
    let handler = move |_: u32| std::future::ready(Err::<u32, E>(error()));
    Flow::dag("flow", |dag, n: Node<u32>| {
        dag.node("a", handler, n).retry_if(|failure: &Failure| &*failure.message != "never")
    })
    .unwrap()
}

#[test]
fn an_error_may_be_tried_again_unless_it_or_the_node_says_otherwise() {
    let failure = |flow| Call::node(&flow, "a").with("input", 1_u32).failure();
    assert_eq!(failure(failing(|| "again")), ("again".into(), true));
    assert_eq!(failure(failing(|| "never")), ("never".into(), false));
    assert_eq!(failure(failing(|| NodeError::new("busy"))), ("busy".into(), true));
    assert_eq!(failure(failing(|| NodeError::fatal("no"))), ("no".into(), false));
}

#[test]
fn a_value_that_does_not_fit_is_not_tried_again() {
    let flow = failing(|| "unused");
    let (text, retryable) = Call::node(&flow, "a").with("input", "x".to_owned()).failure();
    assert!(text.starts_with("the value is not a u32"), "{text}");
    assert!(!retryable);

    async fn large(_: u32) -> Result<String> {
        Ok("x".repeat(vastflow_core::limits::MAX_PAYLOAD_BYTES))
    }
    let flow: Flow<u32, String> = Flow::dag("flow", |dag, n: Node<u32>| dag.node("a", large, n)).unwrap();
    let (text, retryable) = Call::node(&flow, "a").with("input", 1_u32).failure();
    assert!(text.contains("MAX_PAYLOAD_BYTES"), "{text}");
    assert!(!retryable);
}

#[test]
fn an_on_failure_gets_the_failure_and_a_hook_the_outcome() {
    async fn instead(failure: Failure) -> Result<u32> {
        Ok(failure.message.len().try_into()?)
    }
    async fn last(outcome: RunOutcome) -> Result<()> {
        Err(format!("{:?}", outcome.status()).into())
    }
    let handler = |_: u32| async { Result::<u32>::Err("no".into()) };
    let flow = Flow::dag("flow", |dag, n: Node<u32>| {
        dag.finally(last);
        dag.on_failure(last);
        dag.node("a", handler, n).on_failure(instead)
    });
    let flow = flow.unwrap();
    let call = Call::of(&flow, |plan| Task::Rescue { node: plan.find("a").unwrap() });
    let call = call.set(|parts| parts.about = About::Rescue(Failure::new(FailureKind::Error, "gone")));
    assert_eq!(call.value::<u32>(), 4);
    for hook in [Hook::OnFailure, Hook::Finally] {
        let call = Call::of(&flow, |_| Task::Hook { hook, attempt: 1 });
        let call = call.set(|parts| parts.outcome = Some(crate::support::stopped("enough")));
        assert_eq!(call.failure().0, "Stopped");
    }
}

#[test]
fn a_task_that_no_code_is_there_for_fails_and_says_so() {
    let call = Call::of(&failing(|| "unused"), |_| Task::Hook { hook: Hook::Finally, attempt: 1 });
    let Reply::Failed { failure, retryable: false } = call.reply() else { panic!() };
    assert_eq!(failure.kind, FailureKind::Engine);
    assert!(failure.message.starts_with("there is no code for Hook"), "{failure}");
}

#[test]
fn a_context_tells_all_about_its_call() {
    let flow = joined(|graph| {
        graph.edge("a", "c").edge("b", "c");
    });
    let call = c(&flow).set(|parts| {
        let mut started = (*parts.started).clone();
        started.input = json("7");
        let info = RunInfo {
            labels: vec![("team".into(), "t".into())],
            headers: vec![("X-User".into(), "u".into())],
            query: "a=b".into(),
            priority: 3,
            ..RunInfo::default()
        };
        started.info = info.into();
        parts.started = Arc::new(started);
        parts.deadline = Some(Timestamp::from_millis(9));
    });
    let ctx = call.ctx();
    assert_eq!((ctx.run_id().as_str(), &**ctx.flow(), ctx.node(), ctx.attempt()), ("run-1", "flow", "c", 1));
    assert_eq!(ctx.idempotency_key(), "run-1/c");
    assert_eq!((ctx.header("x-USER"), ctx.header("none"), ctx.query()), (Some("u"), None, "a=b"));
    assert_eq!((ctx.label("team"), ctx.label("none"), ctx.info().priority), (Some("t"), None, 3));
    assert_eq!(ctx.run_input::<u32>(), Ok(7));
    assert_eq!(ctx.inputs().names().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((ctx.deadline(), ctx.now()), (Some(Timestamp::from_millis(9)), Timestamp::from_millis(0)));
    assert_eq!(format!("{ctx:?}"), "Ctx(run run-1, node c, attempt 1)");
    ctx.clone().cancel_run("enough");
    assert_eq!(*call.asked.0.lock().unwrap(), ["run-1 by c: enough"]);
}

#[test]
fn a_context_of_a_hook_or_a_poll_counts_its_own_tries() {
    let flow = failing(|| "unused");
    let hook = |hook| Call::of(&flow, |_| Task::Hook { hook, attempt: 2 }).ctx();
    assert_eq!((hook(Hook::OnFailure).node(), hook(Hook::Finally).node()), ("on_failure", "finally"));
    assert_eq!(hook(Hook::Finally).attempt(), 2);
    let poll = Call::of(&flow, |plan| Task::Poll { node: plan.starts()[0], tick: 5 }).ctx();
    assert_eq!((poll.node(), poll.attempt()), ("a", 5));
    let ctx: &Ctx = &poll;
    assert!(ctx.failure().is_none() && ctx.span().is_none());
}

#[test]
fn each_kind_of_call_has_a_key_of_its_own() {
    let flow = failing(|| "unused");
    let a = flow.plan().starts()[0];
    let call = |task, about| Call::of(&flow, |_| task).set(|parts| parts.about = about).ctx();
    let key = |task, about| call(task, about).idempotency_key();
    let page = |number| About::Page { number, cursor: None };
    let fold = |number| About::Fold { number, acc: None, results: Vec::new() };
    for attempt in [1, 2] {
        assert_eq!(key(Task::Attempt { node: a, attempt }, About::Nothing), "run-1/a");
        assert_eq!(key(Task::Attempt { node: a, attempt }, page(3)), "run-1/a/page/3");
        assert_eq!(key(Task::Reduce { node: a, attempt }, fold(2)), "run-1/a/reduce/2");
        assert_eq!(key(Task::Undo { node: a, attempt }, About::Undo(None)), "run-1/a/undo");
        assert_eq!(key(Task::Hook { hook: Hook::Finally, attempt }, About::Nothing), "run-1/finally");
        assert_eq!(call(Task::Undo { node: a, attempt }, About::Undo(None)).attempt(), attempt);
        assert_eq!(call(Task::Reduce { node: a, attempt }, fold(2)).attempt(), attempt);
    }
    let rescue = call(Task::Rescue { node: a }, About::Nothing);
    assert_eq!(rescue.idempotency_key(), "run-1/a/on_failure");
    assert_eq!(rescue.undone_key(), "run-1/a");
    let undo = call(Task::Undo { node: a, attempt: 1 }, About::Undo(None));
    assert_eq!(undo.undone_key(), "run-1/a");
}

#[test]
fn a_handler_may_be_hidden_behind_impl_or_a_type_parameter_or_a_trait_of_ones_own() {
    trait Doubles: Handler<u32, Plain, Out = u32> {}
    impl<H: Handler<u32, Plain, Out = u32>> Doubles for H {}

    fn plain() -> impl Handler<u32, Plain, Out = u32> + Clone {
        |n: u32| async move { Result::<u32>::Ok(n * 2) }
    }
    fn with_ctx() -> impl Handler<u32, WithCtx, Out = u32> {
        |ctx: Ctx, n: u32| async move { Result::<u32>::Ok(n * ctx.attempt()) }
    }
    fn own() -> impl Doubles {
        plain()
    }
    fn draw<M: 'static>(handler: impl Handler<u32, M, Out = u32>) -> Flow<u32, u32> {
        Flow::dag("flow", |dag, n: Node<u32>| {
            let two = dag.node("two", with_ctx(), n);
            let three = dag.node("three", plain().clone(), two);
            let four = dag.node("four", own(), three);
            dag.node("one", handler, four)
        })
        .unwrap()
    }
    assert_eq!(Call::node(&draw(plain()), "one").with("four", 7).value::<u32>(), 14);
    assert_eq!(Call::node(&draw(with_ctx()), "two").with("input", 7).value::<u32>(), 7);
    let mut graph = Graph::new("flow");
    graph.node("one", plain()).node("two", own()).edge("one", "two");
    assert!(graph.build().is_ok());
}
