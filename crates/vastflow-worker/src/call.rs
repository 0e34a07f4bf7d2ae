//! Calling the code of a task: on a tokio task of its own, within its time, with its panics caught.

use crate::cell::{Calling, Cell};
use crate::claim::{Held, begin_later};
use crate::lanes::LanePlace;
use crate::observer::CallSeen;
use crate::shared::Shared;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tracing::Instrument;
use vastflow_core::limits::HOOK_TIMEOUT;
use vastflow_core::plan::{HookSpec, NodeKind};
use vastflow_core::run::{Input, TaskOutcome};
use vastflow_core::{
    Failure, FailureKind, Payload, Plan, Reply, RunStarted, ScopeId, State, Task, Timestamp, Travels, Writes,
};
use vastflow_sdk::{About, Bound, BoxFuture, CallParts, Ctx, DataError, EngineLink, Temporary};
use vastflow_store::ClaimToken;

/// From how long on a call that never paused has held up its thread.
const LONG: Duration = Duration::from_secs(1);

/// Begins a task that this engine holds, together with a slot if it takes one.
pub(crate) fn start_task(
    shared: &Arc<Shared>,
    cell: &Arc<Cell>,
    task: Task,
    token: ClaimToken,
    lane: Option<LanePlace>,
) {
    let slots = usize::from(task.takes_slot());
    if shared.stopped.is_off() {
        // Nobody would record what came of it.
        return shared.slots.give_back(slots);
    }
    let mut inner = cell.lock();
    // Another cell may have gone on with the scope; or the run may be told to stop, as of a time at which this task was
    // not due: then it would count as one that only waits, and must not be running.
    if inner.is_gone || inner.gathers_since_before(task) {
        let (plan, len, is_gone) = (cell.bound.root(), inner.state.len(), inner.is_gone);
        drop(inner);
        if !is_gone {
            // What waits to ride with something that may take long goes out now.
            cell.after(shared);
        }
        let held = Held { scope: cell.scope.clone(), task, token, plan, len, words: Vec::new(), lane, crashes: 0 };
        return begin_later(shared, held);
    }
    if let Some(call) = inner.calls.iter_mut().find(|call| call.task == task) {
        // The store took this worker for dead and gave the task out again: the call under way answers that claim.
        call.token = call.token.max(token);
        return shared.slots.give_back(slots);
    }
    if !inner.state.expects(task) {
        // It became obsolete while it was on its way. If what made it so is not recorded in the end, reloading begins it.
        drop(inner);
        shared.slots.give_back(slots);
        return cell.after(shared);
    }
    note_wait(shared, &cell.bound, &inner.state, task);
    if task == Task::Admit || task.is_timer() || !inner.state.may_start(cell.bound.plan(), task) {
        drop(inner);
        let input = match task {
            Task::Admit => Input::Admit,
            task if task.is_timer() => Input::Timer(task),
            task => Input::NotStarted(task),
        };
        return cell.answer(shared, input, (task, token), slots);
    }
    let site = Site {
        scope: &cell.scope,
        bound: &cell.bound,
        state: &inner.state,
        begun: cell.begun.as_ref(),
        temporary: shared.temporary.of(cell.scope.run()),
        engine: &shared.link,
        caller: shared.worker().0,
        now: shared.now(),
    };
    let ctx = site.ctx(task);
    let call = Call { counted: Counted::new(shared), cell: Arc::clone(cell), task, ctx: ctx.clone(), lane };
    let abort = shared.runtime.spawn(call.run()).abort_handle();
    inner.calls.push(Calling { task, token, ctx, abort });
}

/// Counts how long a task waited that could have begun before.
fn note_wait(shared: &Shared, bound: &Bound, state: &State, task: Task) {
    let Some(metrics) = &shared.metrics else { return };
    let ready = match task {
        Task::NodeDeadline { .. } => state.deadline(bound.plan(), task),
        task => state.ready_at(task),
    };
    // Of some kinds nobody knows since when they wait.
    let Some(ready) = ready.filter(|ready| *ready > Timestamp::ZERO) else { return };
    let waits = if task.is_timer() { &metrics.timer_lag } else { &metrics.queue_wait };
    waits.took(shared.now().since(ready));
}

/// Where a call is made.
pub(crate) struct Site<'a> {
    pub(crate) scope: &'a ScopeId,
    pub(crate) bound: &'a Bound,
    pub(crate) state: &'a State,
    /// How the run began, where the scope is not the run's root.
    pub(crate) begun: Option<&'a Arc<RunStarted>>,
    pub(crate) temporary: Temporary,
    pub(crate) engine: &'a Arc<dyn EngineLink>,
    /// A number of the worker, which no other has.
    pub(crate) caller: u64,
    pub(crate) now: Timestamp,
}

impl Site<'_> {
    /// The context of a call that answers `task`.
    pub(crate) fn ctx(self, task: Task) -> Ctx {
        let Site { scope, bound, state, begun, temporary, engine, caller, now } = self;
        let plan = bound.plan();
        let node = task.node();
        let name = node.and_then(|node| plan.node(node)).map_or("hook", |spec| spec.name.as_str());
        Ctx::new(CallParts {
            scope: scope.clone(),
            plan: Arc::clone(plan),
            task,
            started: begun.or_else(|| state.started()).map_or_else(|| unstarted(bound), Arc::clone),
            inputs: node.map_or_else(Vec::new, |node| state.inputs(plan, node)),
            context: Arc::clone(state.context()),
            temporary,
            about: about(plan, state, task),
            outcome: state.outcome(),
            deadline: limit_of(bound, task)
                .map(|limit| now.plus(limit))
                .into_iter()
                .chain(state.deadline(plan, task))
                .min(),
            now,
            span: tracing::debug_span!("call", run = %scope.run(), flow = %plan.flow(), scope = scope.path(), node = name, ?task),
            caller,
            engine: Arc::clone(engine),
        })
    }
}

/// What a task's call is about, besides what flows into its node.
fn about(plan: &Plan, state: &State, task: Task) -> About {
    match task {
        Task::Rescue { node } => state.failure_to_rescue(node).cloned().map_or(About::Nothing, About::Rescue),
        Task::Undo { node, .. } => About::Undo(state.to_undo(node).cloned()),
        Task::Reduce { node, .. } => {
            let (acc, results) = state.to_reduce(plan, node).unwrap_or_default();
            let results = results.into_iter().map(|(key, value)| (key.into(), value.clone())).collect();
            About::Fold { number: state.batches_folded(node) + 1, acc, results }
        }
        Task::Attempt { node, .. } if matches!(plan.node(node).map(|spec| &spec.kind), Some(NodeKind::ForEach(_))) => {
            About::Page { number: state.pages_read(node) + 1, cursor: state.cursor(node).cloned() }
        }
        _ => About::Nothing,
    }
}

/// How a run began that has not begun: nothing is called then, but the type wants a value.
fn unstarted(bound: &Bound) -> Arc<RunStarted> {
    Arc::new(RunStarted {
        flow: bound.plan().flow().clone(),
        plan: bound.plan().hash(),
        seed: 0,
        input: Payload::null(),
        context: Writes::new(),
        info: Travels::default(),
        origin: None,
        queued: false,
    })
}

/// One call under way.
struct Call {
    counted: Counted,
    cell: Arc<Cell>,
    task: Task,
    ctx: Ctx,
    /// Held as long as the call is under way.
    lane: Option<LanePlace>,
}

impl Call {
    async fn run(self) {
        let outcome = Called::begin(&self.cell.bound, &self.ctx, self.task).end().await;
        drop(self.lane);
        let shared = self.counted.over();
        if let Some(metrics) = &shared.metrics {
            metrics.called(self.cell.bound.plan().flow(), outcome.took);
        }
        if let Some(observer) = &shared.observer {
            observer.called(&CallSeen::new(&self.ctx, &outcome.reply, outcome.took));
        }
        self.cell.ended(&shared, outcome);
    }
}

/// Counts as a call under way as long as it lives, also when the call is ended from outside.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.calling.fetch_add(1, Ordering::Relaxed);
        Counted(Arc::clone(shared))
    }

    fn over(self) -> Arc<Shared> {
        Arc::clone(&self.0)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.calling.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The code of a task, called: its panics are failures, and it ends within its time.
pub struct Called {
    future: Caught,
    ctx: Ctx,
    task: Task,
    limit: Option<Duration>,
    began: Instant,
}

impl Called {
    /// Calls the code of a task. It may be at its end already: see [`Called::poll_once`].
    #[must_use]
    pub fn begin(bound: &Bound, ctx: &Ctx, task: Task) -> Self {
        Called::begin_at(Instant::now(), bound, ctx, task)
    }

    /// The same for whoever knows what time it is.
    pub(crate) fn begin_at(began: Instant, bound: &Bound, ctx: &Ctx, task: Task) -> Self {
        let limit = limit_of(bound, task);
        let future = ctx.span().in_scope(|| Caught::call(bound, ctx));
        Called { future, ctx: ctx.clone(), task, limit, began }
    }

    /// The same without a limit: whoever has a clock of their own sees to it, with [`Called::too_late`].
    #[must_use]
    pub fn unlimited(self) -> Self {
        Called { limit: None, ..self }
    }

    /// What comes of a call that did not end in time. It is told to stop.
    #[must_use]
    pub fn too_late(ctx: &Ctx, limit: Duration) -> TaskOutcome {
        TaskOutcome { task: ctx.task(), reply: too_late(ctx, limit), writes: Writes::new(), took: limit }
    }

    /// What came of it, if it does not have to wait for anything.
    pub async fn poll_once(&mut self) -> Option<TaskOutcome> {
        let Called { future, ctx, .. } = self;
        let poll = |cx: &mut Context<'_>| Poll::Ready(ctx.span().in_scope(|| Pin::new(&mut *future).poll(cx)));
        match std::future::poll_fn(poll).await {
            Poll::Ready(reply) => Some(self.outcome(reply)),
            Poll::Pending => None,
        }
    }

    /// Waits for its end, within its time.
    pub async fn end(mut self) -> TaskOutcome {
        let span = self.ctx.span().clone();
        let reply = self.reply();
        let reply = if span.is_disabled() { reply.await } else { reply.instrument(span).await };
        self.outcome(reply)
    }

    async fn reply(&mut self) -> Reply {
        match self.limit {
            Some(limit) => {
                let left = limit.saturating_sub(self.began.elapsed());
                let reply = tokio::time::timeout(left, &mut self.future).await;
                reply.unwrap_or_else(|_| too_late(&self.ctx, limit))
            }
            None => (&mut self.future).await,
        }
    }

    fn outcome(&self, reply: Reply) -> TaskOutcome {
        let (reply, writes) = with_writes(&self.ctx, reply);
        TaskOutcome { task: self.task, reply, writes, took: self.began.elapsed() }
    }
}

impl fmt::Debug for Called {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Called({:?})", self.ctx)
    }
}

pub(crate) fn limit_of(bound: &Bound, task: Task) -> Option<Duration> {
    match task {
        Task::Hook { hook, .. } => bound.plan().spec().hook(hook).map(HookSpec::limit),
        // One that hangs would keep the run, and all that is still to be taken back, from their end.
        Task::Undo { node, .. } => Some(bound.plan().node(node)?.attempt_timeout.unwrap_or(HOOK_TIMEOUT)),
        task => bound.plan().node(task.node()?)?.attempt_timeout,
    }
}

fn too_late(ctx: &Ctx, limit: Duration) -> Reply {
    // What the handler spawned can still see that it should stop.
    ctx.cancel_call(None);
    let failure = Failure::new(FailureKind::Timeout, format!("no answer within {limit:?}"));
    Reply::Failed { failure, retryable: true }
}

/// What the call wrote; nothing of a call that panicked or ran out of time.
fn with_writes(ctx: &Ctx, reply: Reply) -> (Reply, Writes) {
    let is_dropped = matches!(&reply, Reply::Failed { failure, .. }
        if matches!(failure.kind, FailureKind::Panic | FailureKind::Timeout));
    if is_dropped {
        return (reply, Writes::new());
    }
    match ctx.take_writes() {
        Ok(writes) => (reply, writes),
        Err(error) => (unwritable(&error), Writes::new()),
    }
}

fn unwritable(error: &DataError) -> Reply {
    Reply::Failed { failure: Failure::new(FailureKind::Engine, error.to_string()), retryable: false }
}

/// A handler's future whose panics are failures, and that is noticed when it does not let others go on.
struct Caught {
    future: BoxFuture<Reply>,
    ctx: Ctx,
    /// Whether it was said that it holds up its thread.
    is_known: bool,
}

impl Caught {
    fn call(bound: &Bound, ctx: &Ctx) -> Self {
        let called = catch_unwind(AssertUnwindSafe(|| ctx.within(|| bound.call(ctx.clone()))));
        let future = called.unwrap_or_else(|panic| Box::pin(std::future::ready(panicked(&*panic))));
        Caught { future, ctx: ctx.clone(), is_known: false }
    }

    /// Says once that a call has held up its thread.
    fn note(&mut self, held: Duration) {
        if held >= LONG && !std::mem::replace(&mut self.is_known, true) {
            tracing::warn!(
                run = %self.ctx.run_id(),
                node = self.ctx.node(),
                "the code of {:?} held its thread for {held:?} without an await: its time limits, a cancel and other calls had \
                 to wait for it; do such work in tokio::task::spawn_blocking",
                self.ctx.node(),
            );
        }
    }
}

/// What a handler left behind may panic when it is dropped; its call has its answer all the same.
impl Drop for Caught {
    fn drop(&mut self) {
        let left = std::mem::replace(&mut self.future, Box::pin(std::future::pending()));
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(left))) {
            tracing::warn!("what a handler left behind panicked when it was dropped: {}", text_of(&*panic));
        }
    }
}

impl Future for Caught {
    type Output = Reply;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Reply> {
        let began = Instant::now();
        let ctx = self.ctx.clone();
        let polled = catch_unwind(AssertUnwindSafe(|| ctx.within(|| self.future.as_mut().poll(cx))));
        self.note(began.elapsed());
        polled.unwrap_or_else(|panic| Poll::Ready(panicked(&*panic)))
    }
}

fn panicked(panic: &(dyn Any + Send)) -> Reply {
    Reply::Failed { failure: Failure::new(FailureKind::Panic, text_of(panic)), retryable: true }
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a value that is not a text".into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::Room;
    use vastflow_core::RunId;
    use vastflow_core::run::{Reply, Start};
    use vastflow_core::{NodeIx, ScopeId};
    use vastflow_sdk::{Flow, Library, Node};
    use vastflow_store::MemoryStore;

    const TASK: Task = Task::Attempt { node: NodeIx(0), attempt: 1 };

    /// An engine with 5 slots of which one is taken, without any of its tasks, and a cell with a call that never ends.
    async fn calling() -> (Arc<Shared>, Arc<Cell>) {
        let flow = Flow::dag("hangs", |dag, n: Node<'_, u32>| {
            dag.node("n", |_: u32| std::future::pending::<vastflow_sdk::Result<u32>>(), n)
        });
        let flow = flow.unwrap();
        let mut library = Library::default();
        library.add_flow(flow.name().clone(), Arc::clone(flow.code())).unwrap();
        let bound = Arc::new(library.bind(flow.plan()).unwrap());
        let shared = Shared::new(
            Arc::new(MemoryStore::new()),
            library,
            Room { slots: 5, ..Room::default() },
            vastflow_store::WorkerInfo::here(),
            Duration::from_secs(15),
        );
        let input = Payload::new(vastflow_core::Codec::Json, "1");
        let start = Start { input, ..Start::new(RunId::new("r").unwrap()) };
        let mut state = State::default();
        state.step(bound.plan(), Input::Start(start), Timestamp::ZERO, &mut ()).unwrap();
        let cell = shared.admit(Cell::new(ScopeId::root(RunId::new("r").unwrap()), bound, state));
        assert!(shared.slots.take());
        start_task(&shared, &cell, TASK, ClaimToken::FIRST, None);
        tokio::task::yield_now().await;
        (shared, cell)
    }

    fn outcome() -> TaskOutcome {
        TaskOutcome { task: TASK, reply: Reply::Done(Payload::null()), writes: Writes::new(), took: Duration::ZERO }
    }

    #[tokio::test]
    async fn the_slot_of_a_stray_is_given_back_once() {
        let (shared, cell) = calling().await;
        {
            let mut inner = cell.lock();
            inner.riders.push(TASK);
            inner.state = State::default();
            assert_eq!(inner.drop_strays(), 1);
        }
        // It had ended at the same moment, and waited for the cell.
        cell.ended(&shared, outcome());
        let inner = cell.lock();
        assert_eq!((inner.gathered.slots(), inner.gathered.told.len()), (0, 0));
    }

    #[test]
    fn a_call_that_takes_back_has_a_limit_of_its_own_where_the_node_has_none() {
        let limit = |timeout: Option<Duration>| {
            let flow = Flow::dag("flow", |dag, n: Node<'_, u32>| {
                let node = dag.node("n", |n: u32| async move { Ok::<_, vastflow_sdk::BoxError>(n) }, n);
                let node = timeout.map_or(node, |limit| node.timeout(limit));
                node.undo(|_: Option<u32>| async { Ok::<_, vastflow_sdk::BoxError>(()) })
            });
            let bound = flow.unwrap().bound().unwrap();
            (limit_of(&bound, TASK), limit_of(&bound, Task::Undo { node: NodeIx(0), attempt: 1 }))
        };
        assert_eq!(limit(None), (None, Some(HOOK_TIMEOUT)));
        let second = Some(Duration::from_secs(1));
        assert_eq!(limit(second), (second, second));
    }

    #[tokio::test]
    async fn a_call_that_blocks_its_thread_is_told_of() {
        let flow = Flow::dag("blocks", |dag, n: Node<'_, u32>| {
            let block = |n: u32| async move {
                std::thread::sleep(LONG);
                Ok::<_, vastflow_sdk::BoxError>(n)
            };
            dag.node("block", block, n)
        });
        let heard = crate::heard::Heard::default();
        let _guard = tracing::subscriber::set_default(heard.clone());
        assert_eq!(crate::run_in_memory(&flow.unwrap(), 7).await.unwrap(), 7);
        let lines = heard.lines();
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert!(lines[0].contains("\"block\"") && lines[0].contains("spawn_blocking"), "{lines:?}");
    }

    #[tokio::test]
    async fn a_call_that_is_ended_from_outside_is_under_way_no_more() {
        let (shared, _cell) = calling().await;
        assert_eq!(shared.calling.load(Ordering::Relaxed), 1);
        shared.abort_calls();
        while shared.calling.load(Ordering::Relaxed) > 0 {
            tokio::task::yield_now().await;
        }
    }
}
