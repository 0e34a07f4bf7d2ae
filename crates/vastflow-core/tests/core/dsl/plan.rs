//! Plans as text.

use core::iter::Peekable;
use core::time::Duration;
use std::vec::IntoIter;
use vastflow_core::plan::{
    BasinSpec, BranchSpec, CaseSpec, EdgeSpec, ForEachSpec, Gives, HookSpec, Join, NodeKind, NodeSpec, OnExhausted,
    Partial, PlanSpec, PollPolicy, Source, UndoSpec,
};
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
/// itself, `flow timeout 5s grace 1s`, `outputs a, b`, `on_failure …`, `finally …`. Edges into gates, rivers and signals
/// only order; any other node without parents takes the run's input. Graphs inside nodes stand in braces with spaces around:
/// `b basin export k { a }`, `c branch collect needs any { left { a } right { a; b < a } }`,
/// `f foreach 2 map tolerate 1 { a }`.
pub(crate) fn spec(text: &str) -> PlanSpec {
    let mut spaced = text.replace('\n', " ; ");
    for sign in [",", "<", ";"] {
        spaced = spaced.replace(sign, &format!(" {sign} "));
    }
    let words: Vec<String> = spaced.split_whitespace().map(Into::into).collect();
    graph(&mut words.into_iter().peekable())
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

type Words = Peekable<IntoIter<String>>;

fn take(words: &mut Words) -> String {
    words.next().expect("the plan goes on here")
}

fn taken(words: &mut Words, word: &str) -> bool {
    words.next_if(|next| next == word).is_some()
}

/// The next word of a statement.
fn option(words: &mut Words) -> Option<String> {
    words.next_if(|word| !matches!(word.as_str(), ";" | "}"))
}

/// Statements up to the end of the text or of the braces.
fn graph(words: &mut Words) -> PlanSpec {
    let mut plan = PlanSpec::new(name("flow"));
    while words.peek().is_some_and(|word| word != "}") {
        match take(words).as_str() {
            ";" => {}
            "flow" => flow(&mut plan, words),
            "outputs" => {
                while let Some(word) = option(words) {
                    plan.outputs.extend((word != ",").then(|| name(&word)));
                }
            }
            "on_failure" => plan.on_failure = Some(hook(words)),
            "finally" => plan.finally = Some(hook(words)),
            "gate" => {
                let called = take(words);
                plan.nodes.push(node(&called, NodeKind::Gate, words));
            }
            first => plan.nodes.push(node(first, NodeKind::Task, words)),
        }
    }
    plan
}

fn braces(words: &mut Words) -> PlanSpec {
    assert!(taken(words, "{"), "a graph in braces belongs here");
    let body = graph(words);
    assert!(taken(words, "}"));
    body
}

fn flow(plan: &mut PlanSpec, words: &mut Words) {
    while let Some(word) = option(words) {
        match word.as_str() {
            "timeout" => plan.timeout = Some(time(&take(words))),
            "grace" => plan.cancel_grace = time(&take(words)),
            other => panic!("a flow has no option {other:?}"),
        }
    }
}

fn hook(words: &mut Words) -> HookSpec {
    let mut retry = RetryPolicy::default();
    while let Some(word) = option(words) {
        assert!(retry_option(&mut retry, &word, words), "a hook has no option {word:?}");
    }
    HookSpec { retry, ..HookSpec::default() }
}

fn node(called: &str, kind: NodeKind, words: &mut Words) -> NodeSpec {
    let mut node = NodeSpec::new(name(called), kind);
    if taken(words, "<") {
        parents(&mut node, words);
    }
    while let Some(word) = option(words) {
        match word.as_str() {
            "river" | "branch" | "foreach" | "basin" | "signal" | "sleep" => node.kind = kind_option(&word, words),
            "timeout" => node.timeout = Some(time(&take(words))),
            "attempt_timeout" => node.attempt_timeout = Some(time(&take(words))),
            "rescue" => node.rescue = true,
            "atomic" => node.atomic = true,
            "aggregator" => node.aggregator = true,
            "isolated" => node.isolated = true,
            "fast" => node.durable = false,
            "pause" => node.on_exhausted = OnExhausted::Pause,
            "compensate" => node.on_exhausted = OnExhausted::Compensate,
            "join" => node.join = join(words),
            "undo" => {
                let mut retry = RetryPolicy::default();
                if words.peek().is_some_and(|word| word.starts_with(|first: char| first.is_ascii_digit())) {
                    retries(&mut retry, &take(words));
                }
                node.undo = Some(UndoSpec { retry });
            }
            "config" => node.config = Some(take(words).into()),
            "code" => node.code = Some(name(&take(words))),
            word => assert!(retry_option(&mut node.retry, word, words), "a node has no option {word:?}"),
        }
    }
    let only_orders = matches!(node.kind, NodeKind::River { .. } | NodeKind::Gate | NodeKind::Signal { .. });
    node.inputs.iter_mut().for_each(|edge| edge.order_only |= only_orders);
    if node.inputs.is_empty() && !only_orders {
        node.inputs.push(EdgeSpec::data(Source::Input));
    }
    node
}

fn kind_option(kind: &str, words: &mut Words) -> NodeKind {
    match kind {
        "river" => {
            let word = take(words);
            let (times, interval) = word.split_once('@').unwrap();
            NodeKind::River { poll: PollPolicy { times: times.parse().unwrap(), interval: time(interval) } }
        }
        "signal" => NodeKind::Signal { name: name(&take(words)) },
        "sleep" => NodeKind::Sleep { duration: time(&take(words)) },
        "branch" => NodeKind::Branch(Box::new(branch(words))),
        "foreach" => NodeKind::ForEach(Box::new(foreach(words))),
        _ => {
            let mut export = taken(words, "export").then(Vec::new);
            while words.peek().is_some_and(|word| word != "{") {
                export.as_mut().unwrap().push(take(words).into());
            }
            NodeKind::Basin(Box::new(BasinSpec { body: braces(words), export }))
        }
    }
}

fn branch(words: &mut Words) -> BranchSpec {
    let mut branch = BranchSpec { cases: Vec::new(), join: Join::All, collect: false };
    while !taken(words, "{") {
        match take(words).as_str() {
            "collect" => branch.collect = true,
            "needs" => branch.join = join(words),
            other => panic!("a branch has no option {other:?}"),
        }
    }
    while !taken(words, "}") {
        if taken(words, ";") {
            continue;
        }
        let key = take(words).into();
        branch.cases.push(CaseSpec { key, body: braces(words) });
    }
    branch
}

fn foreach(words: &mut Words) -> ForEachSpec {
    let window = take(words).parse().unwrap();
    let mut foreach = ForEachSpec {
        body: PlanSpec::new(name("flow")),
        window,
        join: Join::All,
        partial: Partial::Stop,
        gives: Gives::List,
    };
    while words.peek().is_some_and(|word| word != "{") {
        match take(words).as_str() {
            "list" => foreach.gives = Gives::List,
            "map" => foreach.gives = Gives::Map,
            "reduce" => foreach.gives = Gives::Reduced { ordered: false },
            "ordered" => foreach.gives = Gives::Reduced { ordered: true },
            "finish" => foreach.partial = Partial::Finish,
            "tolerate" => foreach.partial = Partial::Tolerate(take(words).parse().unwrap()),
            "needs" => foreach.join = join(words),
            other => panic!("a foreach has no option {other:?}"),
        }
    }
    foreach.body = braces(words);
    foreach
}

/// `all`, `any`, `settled`, or how many.
fn join(words: &mut Words) -> Join {
    match take(words).as_str() {
        "all" => Join::All,
        "any" => Join::Any,
        "settled" => Join::AllSettled,
        count => Join::NOf(count.parse().unwrap()),
    }
}

fn parents(node: &mut NodeSpec, words: &mut Words) {
    loop {
        let mut edge = EdgeSpec::data(match take(words).as_str() {
            "input" => Source::Input,
            parent => Source::Node(name(parent)),
        });
        edge.order_only = taken(words, "order");
        edge.forwarder = taken(words, "forward");
        node.inputs.push(edge);
        if !taken(words, ",") {
            return;
        }
    }
}

/// `retry 2`, `retry 2@1s`, `doubling`, `longest 4s`, `jitter 50`.
fn retry_option(retry: &mut RetryPolicy, word: &str, words: &mut Words) -> bool {
    match word {
        "retry" => retries(retry, &take(words)),
        "doubling" => retry.factor = 2,
        "longest" => retry.max_interval = time(&take(words)),
        "jitter" => retry.jitter_percent = take(words).parse().unwrap(),
        _ => return false,
    }
    true
}

fn retries(retry: &mut RetryPolicy, value: &str) {
    let (times, interval) = value.split_once('@').unwrap_or((value, "0"));
    retry.retries = times.parse().unwrap();
    retry.interval = time(interval);
}
