//! Small helpers: names, the codes of errors, and one call of a flow's code without an engine.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Polled, Poll, Waker};
use vastflow_core::{
    Context, Failure, NodeIx, Payload, Plan, PlanErrors, Reply, RunId, RunOutcome, RunStarted, ScopeId, Task,
    Timestamp, Travels,
};
use vastflow_sdk::{About, Bound, Bytes, CallParts, Ctx, Data, EngineLink, Flow, Library, Result, Temporary};

/// The codes of all errors of a drawing that is refused, in order.
pub(crate) fn codes<T>(drawn: Result<T, PlanErrors>) -> Vec<&'static str> {
    drawn.err().expect("a drawing that is refused").list().iter().map(|error| error.code()).collect()
}

/// All that is said about a drawing that is refused.
pub(crate) fn text<T>(drawn: Result<T, PlanErrors>) -> String {
    drawn.err().expect("a drawing that is refused").to_string()
}

/// Each node with what it waits for, as `b < a, (c)`: `(c)` only orders, `~c` is forwarded.
pub(crate) fn edges(plan: &Plan) -> Vec<String> {
    use vastflow_core::plan::Source;
    let edge = |edge: &vastflow_core::plan::EdgeSpec| {
        let from = match &edge.from {
            Source::Input => "input",
            Source::Node(name) => name.as_str(),
        };
        match (edge.order_only, edge.forwarder) {
            (true, _) => format!("({from})"),
            (_, true) => format!("~{from}"),
            _ => from.to_owned(),
        }
    };
    let line = |node: &vastflow_core::plan::NodeSpec| {
        let inputs: Vec<String> = node.inputs.iter().map(edge).collect();
        if inputs.is_empty() { node.name.to_string() } else { format!("{} < {}", node.name, inputs.join(", ")) }
    };
    plan.spec().nodes.iter().map(line).collect()
}

/// A handler that hands on what it gets.
pub(crate) async fn pass(bytes: Bytes) -> Result<Bytes> {
    Ok(bytes)
}

/// Waits for a future that never really waits.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Polled::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits for something"),
    }
}

pub(crate) fn is_pending<F: Future>(future: F) -> bool {
    pin!(future).poll(&mut Polled::from_waker(Waker::noop())).is_pending()
}

/// An engine that only remembers who asked a run to stop.
#[derive(Default)]
pub(crate) struct Asked(pub(crate) Mutex<Vec<String>>);

impl EngineLink for Asked {
    fn cancel(&self, run: &RunId, by: &str, why: &str) {
        self.0.lock().unwrap().push(format!("{run} by {by}: {why}"));
    }
}

/// A call about to be made.
pub(crate) struct Call {
    bound: Bound,
    parts: CallParts,
    pub(crate) asked: Arc<Asked>,
}

impl Call {
    pub(crate) fn of<In, Out>(flow: &Flow<In, Out>, task: impl FnOnce(&Plan) -> Task) -> Self {
        let bound = library(flow).bind(flow.plan()).unwrap();
        let asked = Arc::new(Asked::default());
        let started = RunStarted {
            flow: flow.name().clone(),
            plan: flow.plan().hash(),
            seed: 0,
            input: json("null"),
            context: Vec::new(),
            info: Travels::default(),
            origin: None,
            queued: false,
        };
        let parts = CallParts {
            scope: ScopeId::root(RunId::new("run-1").unwrap()),
            plan: Arc::clone(flow.plan()),
            task: task(flow.plan()),
            started: Arc::new(started),
            inputs: Vec::new(),
            context: Arc::new(Context::default()),
            temporary: Temporary::default(),
            about: About::Nothing,
            outcome: None,
            deadline: None,
            now: Timestamp::from_millis(0),
            span: tracing::Span::none(),
            caller: 0,
            engine: Arc::clone(&asked) as Arc<dyn EngineLink>,
        };
        Call { bound, parts, asked }
    }

    /// The first attempt of a node.
    pub(crate) fn node<In, Out>(flow: &Flow<In, Out>, node: &str) -> Self {
        Call::of(flow, |plan| Task::Attempt { node: plan.find(node).unwrap(), attempt: 1 })
    }

    /// With a value from another node; `input` is the run's.
    pub(crate) fn with(mut self, from: &str, value: impl Data) -> Self {
        let from: Option<NodeIx> = self.parts.plan.find(from);
        self.parts.inputs.push((from, value.encode().unwrap()));
        self
    }

    pub(crate) fn set(mut self, set: impl FnOnce(&mut CallParts)) -> Self {
        set(&mut self.parts);
        self
    }

    pub(crate) fn ctx(&self) -> Ctx {
        Ctx::new(self.parts.clone())
    }

    /// Makes it.
    pub(crate) fn reply(&self) -> Reply {
        now(self.bound.call(self.ctx()))
    }

    /// Makes it; the value it gives.
    pub(crate) fn value<T: Data>(&self) -> T {
        match self.reply() {
            Reply::Done(payload) => T::decode(&payload).unwrap(),
            other => panic!("not done: {other:?}"),
        }
    }

    /// Makes it; what it failed with, and whether it may be tried again.
    pub(crate) fn failure(&self) -> (String, bool) {
        match self.reply() {
            Reply::Failed { failure: Failure { message, .. }, retryable } => (message.into(), retryable),
            other => panic!("not failed: {other:?}"),
        }
    }
}

/// A library that has one flow and its rivers.
pub(crate) fn library<In, Out>(flow: &Flow<In, Out>) -> Library {
    let mut library = Library::default();
    library.add_flow(flow.name().clone(), Arc::clone(flow.code())).unwrap();
    library.learn_rivers(flow.rivers());
    library
}

pub(crate) fn json(text: &str) -> Payload {
    Payload::new(vastflow_core::Codec::Json, text.to_owned())
}

pub(crate) fn stopped(why: &str) -> RunOutcome {
    RunOutcome::Stopped { by: "somebody".into(), why: why.into() }
}
