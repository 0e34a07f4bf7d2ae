//! Plans as text.

use core::str::SplitWhitespace;
use core::time::Duration;
use std::iter::Peekable;
use vastflow_core::plan::{EdgeSpec, HookSpec, NodeKind, NodeSpec, PlanSpec, PollPolicy, Source};
use vastflow_core::retry::RetryPolicy;
use vastflow_core::{Name, Plan};

/// The plan that `text` draws, which must be valid.
#[track_caller]
pub(crate) fn plan(text: &str) -> Plan {
    Plan::new(spec(text)).unwrap()
}

/// The plan that `text` draws, not checked.
///
/// One statement a line or between `;`: `[gate] name [< parent [order|forward], …] [option …]`, or, for the flow
/// itself, `flow timeout 5s`, `outputs a, b`, `on_failure …`, `finally …`. Edges into gates and rivers only order; a
/// task without parents takes the run's input.
pub(crate) fn spec(text: &str) -> PlanSpec {
    let mut plan = PlanSpec::new(name("flow"));
    for statement in text.split([';', '\n']).map(str::trim).filter(|line| !line.is_empty()) {
        let spaced = statement.replace(',', " , ").replace('<', " < ");
        let mut words = spaced.split_whitespace().peekable();
        match words.next().unwrap() {
            "flow" => flow(&mut plan, words),
            "outputs" => plan.outputs = words.filter(|word| *word != ",").map(name).collect(),
            "on_failure" => plan.on_failure = Some(hook(words)),
            "finally" => plan.finally = Some(hook(words)),
            "gate" => plan.nodes.push(node(words.next().unwrap(), NodeKind::Gate, words)),
            first => plan.nodes.push(node(first, NodeKind::Task, words)),
        }
    }
    plan
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

/// The names of a plan's nodes, as drawn.
pub(super) fn node_names(plan: &Plan) -> Vec<String> {
    plan.spec().nodes.iter().map(|node| node.name.to_string()).collect()
}

/// `2s`, `50ms` or `0`.
pub(crate) fn time(text: &str) -> Duration {
    let number = |digits: &str| digits.parse().unwrap_or_else(|_| panic!("{text:?} is no time"));
    match text.strip_suffix("ms") {
        Some(millis) => Duration::from_millis(number(millis)),
        None => Duration::from_secs(number(text.strip_suffix('s').unwrap_or(text))),
    }
}

type Words<'a> = Peekable<SplitWhitespace<'a>>;

fn flow(plan: &mut PlanSpec, mut words: Words<'_>) {
    while let Some(word) = words.next() {
        match word {
            "timeout" => plan.timeout = Some(time(words.next().unwrap())),
            other => panic!("a flow has no option {other:?}"),
        }
    }
}

fn hook(mut words: Words<'_>) -> HookSpec {
    let mut retry = RetryPolicy::default();
    while let Some(word) = words.next() {
        assert!(retry_option(&mut retry, word, &mut words), "a hook has no option {word:?}");
    }
    HookSpec { retry, ..HookSpec::default() }
}

fn node(called: &str, kind: NodeKind, mut words: Words<'_>) -> NodeSpec {
    let mut node = NodeSpec::new(name(called), kind);
    if words.next_if_eq(&"<").is_some() {
        parents(&mut node, &mut words);
    }
    while let Some(word) = words.next() {
        match word {
            "river" => {
                let (times, interval) = words.next().unwrap().split_once('@').unwrap();
                node.kind =
                    NodeKind::River { poll: PollPolicy { times: times.parse().unwrap(), interval: time(interval) } };
            }
            "timeout" => node.timeout = Some(time(words.next().unwrap())),
            "attempt_timeout" => node.attempt_timeout = Some(time(words.next().unwrap())),
            "rescue" => node.rescue = true,
            "atomic" => node.atomic = true,
            "aggregator" => node.aggregator = true,
            "config" => node.config = words.next().map(Into::into),
            "code" => node.code = words.next().map(name),
            word => assert!(retry_option(&mut node.retry, word, &mut words), "a node has no option {word:?}"),
        }
    }
    let only_orders = node.kind != NodeKind::Task;
    node.inputs.iter_mut().for_each(|edge| edge.order_only |= only_orders);
    if node.inputs.is_empty() && !only_orders {
        node.inputs.push(EdgeSpec::data(Source::Input));
    }
    node
}

fn parents(node: &mut NodeSpec, words: &mut Words<'_>) {
    loop {
        let mut edge = EdgeSpec::data(match words.next().unwrap() {
            "input" => Source::Input,
            parent => Source::Node(name(parent)),
        });
        edge.order_only = words.next_if_eq(&"order").is_some();
        edge.forwarder = words.next_if_eq(&"forward").is_some();
        node.inputs.push(edge);
        if words.next_if_eq(&",").is_none() {
            return;
        }
    }
}

/// `retry 2`, `retry 2@1s`, `doubling`, `longest 4s`, `jitter 50`.
fn retry_option(retry: &mut RetryPolicy, word: &str, words: &mut Words<'_>) -> bool {
    match word {
        "retry" => {
            let value = words.next().unwrap();
            let (times, interval) = value.split_once('@').unwrap_or((value, "0"));
            retry.retries = times.parse().unwrap();
            retry.interval = time(interval);
        }
        "doubling" => retry.factor = 2,
        "longest" => retry.max_interval = time(words.next().unwrap()),
        "jitter" => retry.jitter_percent = words.next().unwrap().parse().unwrap(),
        _ => return false,
    }
    true
}
