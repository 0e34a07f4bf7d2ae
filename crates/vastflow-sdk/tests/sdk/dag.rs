//! Typed drawings: what is wired to what, options, and what only `Flow::dag` can tell.

use crate::support::{Call, codes, edges, text};
use std::time::Duration;
use vastflow_core::RunOutcome;
use vastflow_sdk::{Ctx, DurationExt, Flow, Node, Page, Result, TimesExt, any, n_of, settled};

async fn one(n: u32) -> Result<u32> {
    Ok(n + 1)
}

async fn done(_: RunOutcome) -> Result<()> {
    Ok(())
}

#[test]
fn a_drawing_that_returns_its_input_has_no_result() {
    let flow = Flow::dag("flow", |dag, n: Node<u32>| {
        dag.node("one", one, n);
        n
    });
    assert_eq!(codes(flow), ["plan-no-result"]);
}

#[test]
fn the_node_that_is_returned_gives_the_result() {
    let flow = Flow::dag("flow", |dag, n: Node<u32>| {
        let first = dag.node("first", one, n);
        dag.node("second", one, first);
        first
    });
    let flow = flow.unwrap();
    let outputs: Vec<&str> = flow.plan().spec().outputs.iter().map(|name| name.as_str()).collect();
    assert_eq!(outputs, ["first"]);
}

#[test]
fn a_node_of_another_drawing_is_refused() {
    let outer = Flow::dag("outer", |outer, n: Node<u32>| {
        let foreign = outer.node("foreign", one, n);
        let inner = Flow::dag("inner", |dag, n: Node<u32>| {
            dag.node("wired", one, foreign);
            dag.node("in-tuple", pair, (n, foreign));
            dag.node("result", one, n)
        });
        let text = text(inner);
        assert!(text.contains("node \"wired\": it is wired to a node of another drawing"), "{text}");
        assert!(text.contains("node \"in-tuple\": it is wired to a node of another drawing"), "{text}");
        foreign
    });
    assert!(outer.is_ok());
}

async fn pair((a, b): (u32, u32)) -> Result<u32> {
    Ok(a + b)
}

#[test]
fn up_to_eight_nodes_arrive_as_a_tuple_in_the_order_they_were_wired() {
    type Eight = (u32, u32, u32, u32, u32, u32, u32, u32);
    async fn single((a,): (u32,)) -> Result<u32> {
        Ok(a)
    }
    async fn three((a, b, c): (u32, String, bool)) -> Result<String> {
        Ok(format!("{a} {b} {c}"))
    }
    async fn eight((a, b, c, d, e, f, g, h): Eight) -> Result<Vec<u32>> {
        Ok(vec![a, b, c, d, e, f, g, h])
    }
    async fn word(_: u32) -> Result<String> {
        Ok("word".into())
    }
    async fn flag(_: u32) -> Result<bool> {
        Ok(true)
    }
    let flow = Flow::dag("flow", |dag, n: Node<u32>| {
        let (word, flag) = (dag.node("word", word, n), dag.node("flag", flag, n));
        dag.node("single", single, (n,));
        dag.node("three", three, (n, word, flag));
        dag.node("eight", eight, (n, n, n, n, n, n, n, n))
    });
    let flow = flow.unwrap();
    assert_eq!(edges(flow.plan())[3], "three < input, word, flag");
    let call = Call::node(&flow, "three").with("input", 7).with("word", "w".to_owned()).with("flag", false);
    assert_eq!(call.value::<String>(), "7 w false");
    let call = (1..=8).fold(Call::node(&flow, "eight"), |call, n| call.with("input", n));
    assert_eq!(call.value::<Vec<u32>>(), [1, 2, 3, 4, 5, 6, 7, 8]);
}

#[test]
fn a_vec_of_nodes_arrives_as_a_vec_and_nothing_as_nothing() {
    async fn all(values: Vec<u32>) -> Result<Vec<u32>> {
        Ok(values)
    }
    async fn begin((): ()) -> Result<u32> {
        Ok(9)
    }
    async fn begin_with(ctx: Ctx, (): ()) -> Result<String> {
        Ok(ctx.node().to_owned())
    }
    let flow = Flow::dag("flow", |dag, n: Node<u32>| {
        let begun = dag.node("begin", begin, ());
        dag.node("begin-with", begin_with, ());
        dag.node("none", all, Vec::<Node<u32>>::new());
        dag.node("all", all, vec![n, begun])
    });
    let flow = flow.unwrap();
    assert_eq!(edges(flow.plan()), ["begin", "begin-with", "none", "all < input, begin"]);
    assert_eq!(Call::node(&flow, "begin").value::<u32>(), 9);
    assert_eq!(Call::node(&flow, "begin-with").value::<String>(), "begin-with");
    assert!(Call::node(&flow, "none").value::<Vec<u32>>().is_empty());
    assert_eq!(Call::node(&flow, "all").with("input", 1).with("begin", 2).value::<Vec<u32>>(), [1, 2]);
}

#[test]
fn after_waits_without_a_value() {
    let flow = Flow::dag("flow", |dag, n: Node<u32>| {
        let first = dag.node("first", one, n);
        dag.node("second", one, n).after(first)
    });
    assert_eq!(edges(flow.unwrap().plan()), ["first < input", "second < input, (first)"]);
}

#[test]
fn whatever_takes_inputs_joins_them_as_they_are_wired() {
    use vastflow_core::plan::Join;
    async fn page((_, _): (u32, Option<u32>)) -> Result<Page<u32, u32>> {
        Ok(Page::new(Vec::new()))
    }
    let flow = Flow::dag("flow", |dag, n: Node<u32>| {
        let (a, b) = (dag.node("a", one, n), dag.node("b", one, n));
        let pages = dag.for_each_page("pages", page, any([a, b]), |dag, n| dag.node("each", one, n));
        let river = dag.river("river", crate::rivers::River1, n_of(1, [a, b]));
        let signal: Node<u32> = dag.wait_signal("signal", any([a, b]));
        let settled: Node<u32> = dag.wait_signal("settled", settled([a, b]));
        dag.node(
            "end",
            |_: (Vec<u32>, (), u32, u32)| async { Ok::<_, vastflow_sdk::BoxError>(0) },
            (pages, river, signal, settled),
        )
    });
    let flow = flow.unwrap();
    let join = |name: &str| flow.plan().node(flow.plan().find(name).unwrap()).unwrap().join;
    let joins = ["pages", "river", "signal", "settled"].map(join);
    assert_eq!(joins, [Join::Any, Join::NOf(1), Join::Any, Join::AllSettled]);
    assert!(edges(flow.plan()).contains(&"signal < (a), (b)".to_owned()));
}

#[test]
fn what_a_signal_cannot_join_is_refused() {
    let after = |all: bool| {
        text(Flow::dag("flow", |dag, n: Node<u32>| {
            let (slow, quick) = (dag.node("slow", one, n), dag.node("quick", one, n));
            let signal: Node<u32> =
                if all { dag.wait_signal("go", settled([slow])) } else { dag.wait_signal("go", any([slow])) };
            signal.after(quick)
        }))
    };
    assert!(after(true).contains("`after` would be one of those") && after(false).contains("`after` would be one"));
    let input = text(Flow::dag("flow", |dag, n: Node<u32>| dag.wait_signal::<u32, _>("go", any([n]))));
    assert!(input.contains("the run's input is always there") && input.contains("it joins and has no nodes before it"));
    let one_of_two = text(Flow::dag("flow", |dag, n: Node<u32>| {
        let slow = dag.node("slow", one, n);
        dag.wait_signal::<u32, _>("go", any([n, slow]))
    }));
    assert!(one_of_two.contains("a join waits for nodes, and the run's input is always there"), "{one_of_two}");
    let all = Flow::dag("flow", |dag, n: Node<u32>| dag.wait_signal::<u32, _>("go", n)).unwrap();
    assert_eq!(edges(all.plan()), ["go"]);
}

#[test]
fn after_does_not_become_one_of_those_that_a_join_needs() {
    let flow = Flow::dag("flow", |dag, n: Node<u32>| {
        let (slow, quick) = (dag.node("slow", one, n), dag.node("quick", one, n));
        dag.node("first", one, any([slow])).after(quick)
    });
    assert_eq!(codes(flow), ["plan-unfit"]);
}

#[test]
fn what_a_foreach_gives_is_said_once() {
    async fn several(n: u32) -> Result<Vec<u32>> {
        Ok(vec![n])
    }
    type Each<'d> = Node<'d, Vec<Vec<u32>>>;
    fn refused<T>(change: impl for<'d> Fn(Each<'d>) -> Node<'d, T>) -> String {
        text(Flow::dag("flow", |dag, n: Node<Vec<u32>>| {
            change(dag.for_each("each", n, |dag, n| dag.node("several", several, n)))
        }))
    }
    let joined = "it says twice how many of its items it needs";
    assert!(refused(|each| each.settled().n_of(2)).contains(joined));
    assert!(refused(|each| each.any().any()).contains(joined));
    assert!(refused(|each| each.reduce(vec![], |_, one| one).reduce(0, |_, one: u32| one)).contains("reduced twice"));
    assert!(refused(|each| each.reduce(vec![], |_, one| one).settled()).contains("a reduction takes all items"));
}

#[test]
fn the_default_retry_applies_only_where_none_is_set() {
    let flow = Flow::dag("flow", |dag, n: Node<u32>| {
        dag.retry(3.times().every(1.secs()));
        let own = dag.node("own", one, n).retry(5.times());
        let never = dag.node("never", one, own).retry(0.times());
        dag.node("default", one, never)
    });
    let flow = flow.unwrap();
    let retries: Vec<u32> = flow.plan().spec().nodes.iter().map(|node| node.retry.retries).collect();
    assert_eq!(retries, [5, 0, 3]);
}

#[test]
fn nodes_of_a_sub_flow_keep_what_they_say_about_retries() {
    let retries = |default: Option<u32>| {
        let inner = Flow::dag("inner", |dag, n: Node<u32>| {
            if let Some(times) = default {
                dag.retry(times.times());
            }
            let own = dag.node("own", one, n).retry(5.times());
            let never = dag.node("never", one, own).retry(0.times());
            dag.node("unsaid", one, never)
        });
        let inner = inner.unwrap();
        let flow = Flow::dag("flow", |dag, n: Node<u32>| {
            dag.retry(3.times());
            dag.subflow("sub", &inner, n)
        });
        retries_in(flow.unwrap().plan().spec())
    };
    assert_eq!(retries(None), ["sub.own 5", "sub.never 0", "sub.unsaid 3"]);
    assert_eq!(retries(Some(2)), ["sub.own 5", "sub.never 0", "sub.unsaid 2"]);
}

#[test]
fn the_default_retry_reaches_nodes_inside_nodes() {
    let inner = Flow::dag("inner", |dag, n: Node<u32>| {
        dag.basin("basin", n, |dag, n| {
            let own = dag.node("own", one, n).retry(7.times());
            dag.node("unsaid", one, own)
        })
    });
    let inner = inner.unwrap();
    let flow = Flow::dag("flow", |dag, n: Node<u32>| {
        dag.retry(3.times());
        let branch = dag.branch("branch", n, |_: &u32| "left");
        let branch = branch.case("left", |dag, n| dag.node("left", one, n));
        let branch = branch.case("right", |dag, n| dag.node("right", one, n).retry(0.times())).join();
        let basin = dag.basin("basin", branch, |dag, n| {
            dag.retry(5.times());
            let own = dag.node("own", one, n).retry(1.times());
            dag.node("inner-default", one, own)
        });
        let list = dag.node("list", |n: u32| async move { Ok::<_, vastflow_sdk::BoxError>(vec![n]) }, basin);
        let each = dag.for_each("each", list, |dag, n| dag.subflow("sub", &inner, n));
        dag.node("end", |all: Vec<u32>| async move { Ok::<_, vastflow_sdk::BoxError>(all.len() as u32) }, each)
    });
    let expected = "branch 3, left 3, right 0, basin 0, own 1, inner-default 5, list 3, each 3, sub.basin 0, own 7, \
                    unsaid 3, end 3";
    assert_eq!(retries_in(flow.unwrap().plan().spec()).join(", "), expected);
}

/// How often each node is tried again, also those that stand inside others.
fn retries_in(spec: &vastflow_core::plan::PlanSpec) -> Vec<String> {
    let lines = |node: &vastflow_core::plan::NodeSpec| {
        let own = format!("{} {}", node.name, node.retry.retries);
        std::iter::once(own).chain(node.bodies().into_iter().flat_map(retries_in)).collect::<Vec<_>>()
    };
    spec.nodes.iter().flat_map(lines).collect()
}

#[test]
fn options_stand_in_the_plan() {
    async fn instead(_: vastflow_core::Failure) -> Result<u32> {
        Ok(0)
    }
    let flow = Flow::dag("flow", |dag, n: Node<u32>| {
        dag.timeout(1.hours());
        dag.on_failure(done);
        dag.finally(done);
        let node = dag.node("one", one, n).timeout(30.secs()).total_timeout(2.mins()).durable(false);
        node.label("colour", "red").on_failure(instead).retry_if(|failure| &*failure.message == "again")
    });
    let flow = flow.unwrap();
    let spec = flow.plan().spec();
    let node = &spec.nodes[0];
    assert_eq!((node.attempt_timeout, node.timeout), (Some(Duration::from_secs(30)), Some(Duration::from_secs(120))));
    assert_eq!((node.durable, node.rescue, &*node.labels["colour"]), (false, true, "red"));
    assert_eq!(spec.timeout, Some(Duration::from_secs(3600)));
    assert!(spec.on_failure.is_some() && spec.finally.is_some());
}

#[test]
fn names_are_checked_as_in_a_graph() {
    let flow = Flow::dag("flow", |dag, n: Node<u32>| {
        dag.node("one", one, n);
        dag.node("not ok", one, n);
        dag.node("one", one, n)
    });
    assert_eq!(codes(flow), ["plan-invalid-name", "plan-duplicate-node"]);
    let flow = Flow::dag("not ok", |dag, n: Node<u32>| dag.node("one", one, n));
    assert_eq!(codes(flow), ["plan-invalid-name"]);
}
