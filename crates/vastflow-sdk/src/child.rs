//! Runs that a run starts: a node that begins a run of another flow, with an id of its own, and ends as that one ends.

use crate::code::{BoxFuture, Code};
use crate::ctx::Ctx;
use crate::dag::{Dag, Node};
use crate::data::Data;
use crate::error::BoxError;
use crate::flow::Flow;
use crate::handler::failed;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::id::InvalidId;
use vastflow_core::plan::{NodeKind, PollPolicy, Schema};
use vastflow_core::{Failure, FailureKind, Name, Payload, Reply, RunId, RunOutcome, RunStatus, ScopeId, Task};

/// How often a child run is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// What a call may ask of its engine about a run that its own run started.
#[derive(Clone, Debug)]
pub enum ChildAsk {
    /// Begin it, unless it has begun.
    Start {
        /// The flow, which must be registered with the engine.
        flow: Name,
        /// Its input.
        input: Payload,
        /// The run that starts it.
        parent: RunId,
    },
    /// Where does it stand? Its parent goes on, so if a pause of that has reached it, it goes on too.
    Look {
        /// The run that started it.
        parent: RunId,
    },
    /// Where does a run stand that somebody else started?
    Find,
    /// Stop it, unless it is over.
    Cancel {
        /// Who asks.
        by: String,
        /// Why.
        why: String,
    },
}

/// Where a child run stands.
#[derive(Clone, Debug)]
pub struct ChildState {
    /// In a word.
    pub status: RunStatus,
    /// How it ended, or will end.
    pub outcome: Option<RunOutcome>,
    /// Its output, once it succeeded.
    pub output: Option<Payload>,
}

impl Dag {
    /// Draws a node that starts a run of another flow and waits for its end: a run with a history and an id of its own,
    /// `parent-id.name`, that is listed, looked at, paused and retried by itself. Its output is the node's, its failure
    /// the node's failure. It carries the label `parent`. A stop or a kill of the parent is one of it too, and so is a
    /// pause; when the parent is resumed it goes on, unless somebody paused it by itself.
    ///
    /// Its flow is registered with the engine like any other. Draw a [`Dag::subflow`] where the nodes may as well be
    /// this flow's own: that costs nothing, and this one is looked at once a second.
    ///
    /// ```
    /// use vastflow_sdk::{Flow, Node, Result};
    ///
    /// async fn pay(cents: u32) -> Result<String> { Ok(format!("paid {cents}")) }
    ///
    /// let payment: Flow<u32, String> = Flow::dag("payment", |dag, cents: Node<u32>| dag.node("pay", pay, cents))?;
    /// let order: Flow<u32, String> =
    ///     Flow::dag("order", |dag, cents: Node<u32>| dag.child_run("payment", &payment, cents))?;
    /// # Ok::<(), vastflow_core::PlanErrors>(())
    /// ```
    pub fn child_run<'d, In: Data, Out: Data>(
        &'d self,
        name: &str,
        flow: &Flow<In, Out>,
        input: Node<'d, In>,
    ) -> Node<'d, Out> {
        let kind = NodeKind::River { poll: PollPolicy { times: u32::MAX, interval: LOOK } };
        let code = Arc::new(ChildRun { flow: flow.name().clone(), takes: In::schema(), gives: Out::schema() });
        let at = self.draw_kind(name, kind, code, &[input.wire()]);
        self.name_child(at, flow.name());
        // In a run that is being stopped it is still looked at, so that the child is stopped and waited for.
        self.make_atomic(at);
        self.node_at(at)
    }
}

impl Dag {
    /// Draws a node that waits for the end of a run of the store, whoever started it and however it ends: what came of it,
    /// [`Ctx::find_run`] says. A run that is not there, or was deleted, fails the node. It looks once a second unless
    /// [`Node::look_every`] says otherwise.
    ///
    /// ```
    /// use vastflow_sdk::{Ctx, Flow, Node, Result};
    ///
    /// async fn tell(ctx: Ctx, (): ()) -> Result<String> {
    ///     let id: String = ctx.run_input()?;
    ///     Ok(format!("{id} is {}", ctx.find_run(&id).await?.status))
    /// }
    ///
    /// let flow: Flow<String, String> =
    ///     Flow::dag("tells", |dag, id: Node<String>| dag.node("tell", tell, dag.await_run("end", id)))?;
    /// # Ok::<(), vastflow_core::PlanErrors>(())
    /// ```
    pub fn await_run<'d>(&'d self, name: &str, id: Node<'d, String>) -> Node<'d, ()> {
        let kind = NodeKind::River { poll: PollPolicy { times: u32::MAX, interval: LOOK } };
        let at = self.draw_kind(name, kind, Arc::new(AwaitRun), &[id.wire()]);
        self.node_at(at)
    }
}

impl Ctx {
    /// Where another run of the store stands, and what came of it.
    ///
    /// # Errors
    /// There is no run of that id; the store does not answer; this call is made without a store.
    pub async fn find_run(&self, id: &str) -> Result<ChildState, BoxError> {
        self.engine().child(RunId::new(id)?, ChildAsk::Find).await
    }
}

/// The code of a node that waits for a run's end.
struct AwaitRun;

impl Code for AwaitRun {
    fn call(&self, ctx: Ctx, args: Vec<Payload>) -> BoxFuture<Reply> {
        Box::pin(async move { await_run(&ctx, args).await.unwrap_or_else(|error| failed(&error)) })
    }

    fn takes(&self) -> Schema {
        String::schema()
    }

    fn gives(&self) -> Schema {
        <()>::schema()
    }
}

async fn await_run(ctx: &Ctx, args: Vec<Payload>) -> Result<Reply, BoxError> {
    let id = String::decode(&args.into_iter().next().unwrap_or_else(Payload::null))?;
    let state = ctx.find_run(&id).await?;
    Ok(match ctx.task() {
        Task::Poll { .. } if state.status.is_final() => Reply::Done(Payload::null()),
        Task::Poll { .. } => Reply::Continue { cause: format!("run {id} is {}", state.status).into() },
        _ => Reply::Submitted,
    })
}

impl<'d, T> Node<'d, T> {
    /// Of a child run: how often it is looked at, once a second unless said. Each look is recorded, so say less for runs
    /// that take days.
    pub fn look_every(self, interval: Duration) -> Self {
        self.change_kind(|kind| match kind {
            NodeKind::River { poll } => {
                poll.interval = interval;
                Ok(())
            }
            _ => Err("it is no child run, so nothing is looked at; remove the option"),
        })
    }
}

/// The code of a node that stands for another run.
struct ChildRun {
    flow: Name,
    takes: Schema,
    gives: Schema,
}

impl Code for ChildRun {
    fn call(&self, ctx: Ctx, args: Vec<Payload>) -> BoxFuture<Reply> {
        let flow = self.flow.clone();
        Box::pin(async move {
            let answer = match ctx.task() {
                Task::Poll { .. } => look(&ctx).await,
                _ => start(&ctx, flow, args).await,
            };
            answer.unwrap_or_else(|error| failed(&error))
        })
    }

    fn takes(&self) -> Schema {
        self.takes.clone()
    }

    fn gives(&self) -> Schema {
        self.gives.clone()
    }
}

async fn start(ctx: &Ctx, flow: Name, args: Vec<Payload>) -> Result<Reply, BoxError> {
    if ctx.outcome().is_some() {
        return Err("it was not started, because its run is being stopped".into());
    }
    let input = args.into_iter().next().unwrap_or_else(Payload::null);
    let parent = ctx.run_id().clone();
    ctx.engine().child(child_id(ctx)?, ChildAsk::Start { flow, input, parent }).await?;
    Ok(Reply::Submitted)
}

async fn look(ctx: &Ctx) -> Result<Reply, BoxError> {
    let id = child_id(ctx)?;
    let ask = match ctx.outcome() {
        None => ChildAsk::Look { parent: ctx.run_id().clone() },
        Some(RunOutcome::Stopped { by, why }) => ChildAsk::Cancel { by: by.to_string(), why: why.to_string() },
        Some(outcome) => ChildAsk::Cancel { by: ctx.run_id().to_string(), why: outcome.to_string() },
    };
    let state = ctx.engine().child(id.clone(), ask).await?;
    Ok(match (state.status, state.outcome) {
        (RunStatus::Succeeded, _) => Reply::Done(state.output.unwrap_or_else(Payload::null)),
        (status, Some(outcome)) if status.is_final() => {
            let failure = Failure::new(FailureKind::Error, format!("run {id} {outcome}"));
            Reply::Failed { failure, retryable: false }
        }
        (status, _) => Reply::Continue { cause: format!("run {id} is {status}").into() },
    })
}

fn child_id(ctx: &Ctx) -> Result<RunId, InvalidId> {
    child_run_id(ctx.scope(), ctx.node())
}

/// The id of the run that a node stands for: that of its own run, where in it, and the node's name.
///
/// # Errors
/// When it would be too long.
pub fn child_run_id(scope: &ScopeId, node: &str) -> Result<RunId, InvalidId> {
    let mut id = scope.run().to_string();
    for (node, key) in scope.steps() {
        id.push('.');
        id.push_str(node);
        if !key.is_empty() {
            id.push(':');
            id.extend(key.chars().map(plain));
        }
    }
    RunId::new(format!("{id}.{node}"))
}

/// A character as ids allow it: others by their number.
fn plain(c: char) -> String {
    if c.is_ascii_alphanumeric() || c == '-' { c.to_string() } else { format!("_{:x}_", u32::from(c)) }
}
