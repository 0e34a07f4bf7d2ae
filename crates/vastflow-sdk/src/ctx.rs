//! What a handler can ask about the call it is in.

use crate::child::{ChildAsk, ChildState};
use crate::code::BoxFuture;
use crate::data::{Bytes, Data, DataError, Parts, to_json};
use crate::error::BoxError;
use crate::log::Log;
use crate::values::{Temporary, Values};
use serde::Serialize;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;
use tracing::Span;
use vastflow_core::plan::NodeSpec;
use vastflow_core::{
    Context, Failure, Level, Name, NodeIx, Payload, Plan, RunId, RunOutcome, RunStarted, Said, ScopeId, Task,
    Timestamp, TraceContext, Writes,
};

/// The call that a handler is in: which run, which node, which attempt; the run's shared data; whether to stop.
///
/// Cloning shares it. Take it as the first argument of a handler that wants it:
///
/// ```
/// use vastflow_sdk::{Ctx, Result};
///
/// async fn charge(ctx: Ctx, cents: u64) -> Result<String> {
///     // A handler may run again after a crash: the key is the same each time, so the bank can tell.
///     let receipt = format!("charged {cents} under {}", ctx.idempotency_key());
///     ctx.put("receipt", &receipt);
///     Ok(receipt)
/// }
/// ```
#[derive(Clone)]
pub struct Ctx(Arc<Inner>);

thread_local! {
    /// The calls whose code this thread polls, the innermost last.
    static CURRENT: RefCell<Vec<Ctx>> = const { RefCell::new(Vec::new()) };
}

struct Inner {
    scope: ScopeId,
    plan: Arc<Plan>,
    task: Task,
    started: Arc<RunStarted>,
    inputs: Vec<(Option<NodeIx>, Payload)>,
    about: About,
    deadline: Option<Timestamp>,
    now: Timestamp,
    span: Span,
    caller: u64,
    /// Made when the call first says something.
    log: OnceLock<Log>,
    engine: Arc<dyn EngineLink>,
    values: Values,
    cancelled: AtomicBool,
    /// Made when somebody first waits for it; most calls never do.
    token: OnceLock<CancellationToken>,
    /// Why the run is stopping, once it is.
    stopping: OnceLock<RunOutcome>,
}

/// What an engine knows about a call when it makes one.
#[derive(Clone)]
pub struct CallParts {
    /// The scope of the run that the node is in.
    pub scope: ScopeId,
    /// The plan that the scope follows.
    pub plan: Arc<Plan>,
    /// The task that this call answers.
    pub task: Task,
    /// How the run began.
    pub started: Arc<RunStarted>,
    /// The values that flow into the node, with the nodes they come from.
    pub inputs: Vec<(Option<NodeIx>, Payload)>,
    /// The run's shared data as recorded so far.
    pub context: Arc<Context>,
    /// The run's data of this process.
    pub temporary: Temporary,
    /// What the call is about, besides what flows into the node.
    pub about: About,
    /// How the run will end, if it is ending.
    pub outcome: Option<RunOutcome>,
    /// When the call is given up.
    pub deadline: Option<Timestamp>,
    /// What time it is.
    pub now: Timestamp,
    /// The span that the call runs in.
    pub span: Span,
    /// A number of the worker that makes the call, which no other has.
    pub caller: u64,
    /// The engine that makes the call.
    pub engine: Arc<dyn EngineLink>,
}

/// What a call is about, besides what flows into its node.
#[derive(Clone, Debug, Default)]
pub enum About {
    /// Nothing besides.
    #[default]
    Nothing,
    /// A node's own `on_failure` is asked about this.
    Rescue(Failure),
    /// A foreach's handler is asked for a page of items.
    Page {
        /// Which one, from 1.
        number: u32,
        /// Where it begins; none for the first.
        cursor: Option<Payload>,
    },
    /// Results of items are to be folded.
    Fold {
        /// Which batch of them, from 1.
        number: u32,
        /// What was made of those before; none at first.
        acc: Option<Payload>,
        /// The results, each with the key of its item.
        results: Vec<(Box<str>, Payload)>,
    },
    /// What the node did is to be taken back: its result, or none when nobody knows whether it did it.
    Undo(Option<Payload>),
}

/// What a call may ask of the engine that makes it.
pub trait EngineLink: Send + Sync {
    /// Asks that a run stop.
    fn cancel(&self, run: &RunId, by: &str, why: &str);

    /// Asks about a run that the caller's run started.
    fn child(&self, id: RunId, ask: ChildAsk) -> BoxFuture<Result<ChildState, BoxError>> {
        let _ = ask;
        let why = format!("run {id} cannot be started here: a child run needs an engine with a store");
        Box::pin(std::future::ready(Err(why.into())))
    }
}

impl Ctx {
    /// The context of a new call.
    #[must_use]
    pub fn new(call: CallParts) -> Self {
        let CallParts { scope, plan, task, started, inputs, context, temporary, about, .. } = call;
        let CallParts { outcome, deadline, now, span, caller, engine, .. } = call;
        Ctx(Arc::new(Inner {
            scope,
            plan,
            task,
            started,
            inputs,
            about,
            deadline,
            now,
            span,
            caller,
            log: OnceLock::new(),
            engine,
            values: Values::new(context, temporary),
            cancelled: AtomicBool::new(false),
            token: OnceLock::new(),
            stopping: outcome.map_or_else(OnceLock::new, OnceLock::from),
        }))
    }

    /// The run's id.
    #[must_use]
    pub fn run_id(&self) -> &RunId {
        self.0.scope.run()
    }

    /// The scope of the run that this call is in: the root, or, inside it, a branch's arm, an item of a foreach, a basin.
    #[must_use]
    pub fn scope(&self) -> &ScopeId {
        &self.0.scope
    }

    /// The key of the item, or of the branch's arm, that this call is in; none in the run's outermost graph.
    #[must_use]
    pub fn key(&self) -> Option<String> {
        self.scope().parent().map(|(_, _, key)| key.into_owned())
    }

    /// The flow's name.
    #[must_use]
    pub fn flow(&self) -> &Name {
        self.0.plan.flow()
    }

    /// The node's name; of a hook, `on_failure` or `finally`.
    #[must_use]
    pub fn node(&self) -> &str {
        match (self.node_spec(), self.0.task) {
            (Some(spec), _) => &spec.name,
            (None, Task::Hook { hook: vastflow_core::Hook::OnFailure, .. }) => "on_failure",
            (None, _) => "finally",
        }
    }

    /// Which attempt this is, from 1; of a poll, which tick.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.task.attempt()
    }

    /// The same text for every attempt of this call in this run, and for no other: hand it to systems that can
    /// recognise a repeated request. A handler runs at least once, and again if the process dies before its result
    /// is recorded. A node's undo action and its `on_failure` have keys of their own, and so has each page of items:
    /// what is sent under the key of another request would be taken for that one.
    #[must_use]
    pub fn idempotency_key(&self) -> String {
        let key = self.undone_key();
        match (self.0.task, self.about()) {
            (Task::Undo { .. }, _) => format!("{key}/undo"),
            (Task::Rescue { .. }, _) => format!("{key}/on_failure"),
            (Task::Attempt { .. }, About::Page { number, .. }) => format!("{key}/page/{number}"),
            (Task::Reduce { .. }, About::Fold { number, .. }) => format!("{key}/reduce/{number}"),
            _ => key,
        }
    }

    /// In an undo action: the [key](Ctx::idempotency_key) of the call that is taken back. Whoever was asked under it can
    /// tell whether they did it. In a node's own `on_failure` it is that of the call that failed; it is always the key of
    /// the node's own attempts.
    #[must_use]
    pub fn undone_key(&self) -> String {
        format!("{}/{}", self.scope(), self.node())
    }

    /// A header of the request that started the run; names are compared without case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let headers = &self.0.started.info.headers;
        headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    /// The raw query of the request that started the run.
    #[must_use]
    pub fn query(&self) -> &str {
        &self.0.started.info.query
    }

    /// A label of the run.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        let labels = &self.0.started.info.labels;
        labels.iter().find(|(key, _)| **key == *name).map(|(_, value)| &**value)
    }

    /// Everything that travels with the run: labels, headers, query, trace context, priority, deadline.
    #[must_use]
    pub fn info(&self) -> &vastflow_core::RunInfo {
        &self.0.started.info
    }

    /// The run's input.
    ///
    /// # Errors
    /// [`DataError`] when it is not a `T`.
    pub fn run_input<T: Data>(&self) -> Result<T, DataError> {
        T::decode(&self.0.started.input)
    }

    /// The values that flow into this node, by the names of the nodes they come from, as they were drawn in its own
    /// sub-flow; the run's input is `input`.
    #[must_use]
    pub fn inputs(&self) -> Parts {
        let own: &[Name] = self.node_spec().map_or(&[], |spec| &spec.group);
        let name = |from: Option<NodeIx>| match from.and_then(|node| self.0.plan.node(node)) {
            Some(spec) => name_within(own, spec).into(),
            None => "input".into(),
        };
        let parts = self.0.inputs.iter().map(|(from, payload)| (name(*from), payload.clone()));
        Parts::new(parts.collect())
    }

    /// Writes a value into the run's shared data. It is seen by this call at once, and by others when this call has
    /// returned, also when it returned an error. A value that cannot be written fails the call when it returns.
    pub fn put(&self, key: &str, value: impl Serialize) {
        self.put_payload(key, to_json(&value));
    }

    /// Writes raw bytes into the run's shared data.
    pub fn put_bytes(&self, key: &str, value: Bytes) {
        self.put_payload(key, value.encode());
    }

    pub(crate) fn put_payload(&self, key: &str, value: Result<Payload, DataError>) {
        self.0.values.put(key, value);
    }

    /// A value of the run's shared data.
    ///
    /// # Errors
    /// [`DataError::Missing`] when there is none, [`DataError::Decode`] when it is not a `T`.
    pub fn get<T: Data>(&self, key: &str) -> Result<T, DataError> {
        self.find(key)?.ok_or_else(|| DataError::Missing { key: key.to_owned() })
    }

    /// A value of the run's shared data, if it is there.
    ///
    /// # Errors
    /// [`DataError::Decode`] when it is not a `T`.
    pub fn find<T: Data>(&self, key: &str) -> Result<Option<T>, DataError> {
        self.0.values.get(key)
    }

    /// Deletes a value of the run's shared data.
    pub fn del(&self, key: &str) {
        self.0.values.del(key);
    }

    /// A copy of the run's shared data.
    #[must_use]
    pub fn all(&self) -> BTreeMap<String, Payload> {
        self.0.values.all()
    }

    /// Notes a text for later calls of this run in this process. Never recorded: gone after a restart.
    pub fn tmp_put(&self, key: &str, value: impl Into<String>) {
        self.0.values.temporary().put(key, value.into());
    }

    /// A text that an earlier call of this run noted in this process.
    #[must_use]
    pub fn tmp_get(&self, key: &str) -> Option<String> {
        self.0.values.temporary().get(key)
    }

    /// Whether this call should stop: its run is being stopped, or its time is up.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::Acquire)
    }

    /// Waits until this call should stop. Use it in a `select!` around long waits.
    pub async fn cancelled(&self) {
        let token = self.0.token.get_or_init(CancellationToken::new);
        // The flag is set before the token is looked for, so one of the two sees the other.
        if !self.is_cancelled() {
            token.cancelled().await;
        }
    }

    /// Asks that the whole run stop, with a reason. The first reason counts.
    pub fn cancel_run(&self, why: &str) {
        self.0.engine.cancel(self.run_id(), self.node(), why);
    }

    /// How the run will end, if it is ending: what a hook reports.
    #[must_use]
    pub fn outcome(&self) -> Option<&RunOutcome> {
        self.0.stopping.get()
    }

    /// When this call is given up: at the earliest of its own time limit, its node's total one and its run's. None when
    /// there is no limit.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        self.0.deadline
    }

    /// The time at which this call began, by the engine's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.0.now
    }

    /// The span that this call runs in.
    #[must_use]
    pub fn span(&self) -> &Span {
        &self.0.span
    }

    /// Where this call stands among traces: in that of whoever started the run, or in the run's own.
    #[must_use]
    pub fn trace(&self) -> TraceContext {
        let run = TraceContext::of_run(self.run_id(), self.info().trace.as_deref());
        run.of_call(self.scope(), self.0.task, (self.0.caller, self.0.now))
    }

    /// The same as the header `traceparent` has it, to be sent along with what this call asks of others.
    ///
    /// ```
    /// # use vastflow_sdk::{Ctx, Result};
    /// async fn fetch(ctx: Ctx, url: String) -> Result<String> {
    ///     Ok(format!("GET {url}\ntraceparent: {}", ctx.traceparent()))
    /// }
    /// ```
    #[must_use]
    pub fn traceparent(&self) -> String {
        self.trace().to_string()
    }

    /// Says something that is kept with the run: the call's log, for those who may see what runs carry. Its last 500 lines
    /// and 64 KiB are kept, and it is recorded with what comes of the call.
    ///
    /// ```
    /// # use vastflow_sdk::{Ctx, Result};
    /// async fn fetch(ctx: Ctx, url: String) -> Result<String> {
    ///     ctx.log(format!("asking {url}"));
    ///     Ok(url)
    /// }
    /// ```
    pub fn log(&self, text: impl Into<String>) {
        self.log_at(Level::Info, text);
    }

    /// The same with how much it matters.
    pub fn log_at(&self, level: Level, text: impl Into<String>) {
        self.0.log.get_or_init(Log::default).say(level, text.into());
    }

    /// The call that this thread makes just now: that whose code is being polled.
    #[must_use]
    pub fn current() -> Option<Ctx> {
        CURRENT.with_borrow(|current| current.last().cloned())
    }

    /// For engines: does something as this call.
    pub fn within<T>(&self, act: impl FnOnce() -> T) -> T {
        struct Out;
        impl Drop for Out {
            fn drop(&mut self) {
                CURRENT.with_borrow_mut(|current| _ = current.pop());
            }
        }
        CURRENT.with_borrow_mut(|current| current.push(self.clone()));
        let _out = Out;
        act()
    }

    /// For engines: takes what the call said so far.
    #[must_use]
    pub fn take_log(&self) -> Option<Said> {
        self.0.log.get().and_then(Log::take)
    }

    /// The task that this call answers.
    #[must_use]
    pub fn task(&self) -> Task {
        self.0.task
    }

    /// What the node's own `on_failure` is asked about.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        match &self.0.about {
            About::Rescue(failure) => Some(failure),
            _ => None,
        }
    }

    pub(crate) fn engine(&self) -> &Arc<dyn EngineLink> {
        &self.0.engine
    }

    pub(crate) fn about(&self) -> &About {
        &self.0.about
    }

    /// For engines: tells the call that it should stop, and how the run will end.
    pub fn cancel_call(&self, outcome: Option<RunOutcome>) {
        if let Some(outcome) = outcome {
            // The first reason counts.
            let _ = self.0.stopping.set(outcome);
        }
        self.0.cancelled.store(true, Ordering::Release);
        if let Some(token) = self.0.token.get() {
            token.cancel();
        }
    }

    /// For engines: takes what the call wrote.
    ///
    /// # Errors
    /// [`DataError`] when a value could not be written.
    pub fn take_writes(&self) -> Result<Writes, DataError> {
        self.0.values.take()
    }

    pub(crate) fn node_spec(&self) -> Option<&NodeSpec> {
        self.0.plan.node(self.0.task.node()?)
    }

    pub(crate) fn hook_config(&self) -> Option<&str> {
        let Task::Hook { hook, .. } = self.0.task else { return None };
        self.0.plan.spec().hook(hook)?.config.as_deref()
    }

    pub(crate) fn raw_inputs(&self) -> &[(Option<NodeIx>, Payload)] {
        &self.0.inputs
    }
}

/// What a node is called by those who were drawn in the sub-flow `own`: by its name there, or by that of the sub-flow in
/// there that it belongs to.
pub(crate) fn name_within<'a>(own: &[Name], spec: &'a NodeSpec) -> &'a str {
    match spec.group.strip_prefix(own) {
        Some([inner, ..]) => inner,
        Some([]) => {
            let before = own.iter().map(|group| group.len() + 1).sum();
            spec.name.get(before..).unwrap_or(&spec.name)
        }
        None => &spec.name,
    }
}

impl fmt::Debug for Ctx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ctx(run {}, node {}, attempt {})", self.run_id(), self.node(), self.attempt())
    }
}
