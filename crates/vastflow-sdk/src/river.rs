//! Rivers: work that is submitted and then polled for, and the Atlantic that every river ends in.

use crate::code::{BoxFuture, Code};
use crate::ctx::Ctx;
use crate::error::BoxError;
use crate::graph::Graph;
use crate::handler::{failed, unusable};
use crate::headwaters::Headwaters;
use crate::options::Retry;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::TypeId;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;
use vastflow_core::limits::HOOK_TIMEOUT;
use vastflow_core::plan::{HookSpec, NodeKind, NodeSpec, PollPolicy};
use vastflow_core::{Failure, FailureKind, Name, Payload, Reply, RunOutcome, Task};

/// What can be written into a plan and read back: anything that serde can write and read. Has a name of its own because
/// the compiler takes a trait that names serde's traits for a sealed one, and says so to whoever forgot the derives.
pub trait InPlan: Serialize + DeserializeOwned {}

impl<T: Serialize + DeserializeOwned> InPlan for T {}

/// A unit of work that is submitted (`flow`) and then polled (`cycle`) until it is done. Nothing is held between
/// polls: no thread, no task slot.
///
/// It is known by its `NAME`, so that a run drawn by one process can be carried on by another that registered it. Its
/// fields are written into the plan when it is drawn and read back for every call; what a process holds (a client, a
/// pool) belongs into a static, such as a `OnceLock` that `main` fills before the engine starts, not into a field.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use vastflow_sdk::{Cycle, DurationExt, Headwaters, River, RiverAttr, RiverError};
///
/// #[derive(Serialize, Deserialize)]
/// struct CreateVm;
///
/// impl River for CreateVm {
///     const NAME: &'static str = "create-vm";
///
///     fn attr(&self) -> RiverAttr {
///         RiverAttr::new().cycle(10, 1.secs())
///     }
///
///     async fn flow(&self, hw: &Headwaters) -> Result<(), RiverError> {
///         let name: String = hw.get("vmName")?;
///         hw.put("vmId", format!("id-of-{name}"));
///         Ok(())
///     }
///
///     async fn cycle(&self, hw: &Headwaters) -> Result<Cycle, RiverError> {
///         let id: String = hw.get("vmId")?;
///         Ok(if id.is_empty() { Cycle::Continue("booting".into()) } else { Cycle::Done })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a river",
    label = "needs `impl River for {Self}`",
    note = "implement `River` for it, and derive `serde::Serialize` and `serde::Deserialize`: its fields are stored in the plan"
)]
pub trait River: InPlan + Send + Sync + 'static {
    /// The name that it is registered under, and its node's name unless the drawing gives another.
    const NAME: &'static str;

    /// How it is retried and polled. Asked when it is drawn; the plan remembers it.
    fn attr(&self) -> RiverAttr {
        RiverAttr::new()
    }

    /// Submits the work.
    fn flow(&self, hw: &Headwaters) -> impl Future<Output = Result<(), RiverError>> + Send;

    /// Looks whether the work is done. Only called if [`RiverAttr::cycle`] allows for it.
    fn cycle(&self, hw: &Headwaters) -> impl Future<Output = Result<Cycle, RiverError>> + Send {
        let _ = hw;
        async { Ok(Cycle::Done) }
    }
}

/// What a poll found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cycle {
    /// The work is done.
    Done,
    /// Not yet; the text says what it waits for.
    Continue(String),
}

/// Why a river's call did not succeed.
#[derive(Debug)]
pub enum RiverError {
    /// `flow` wants to be called again, if its attributes allow for it, because.
    Retry(String),
    /// The river failed.
    Failed(BoxError),
}

impl RiverError {
    /// Asks that `flow` be called again. From `cycle` it is a failure like any other: a poll that found the work unfinished,
    /// or could not find out, says [`Cycle::Continue`], and the next one looks again.
    pub fn retry(cause: impl Into<String>) -> Self {
        RiverError::Retry(cause.into())
    }

    /// The river failed.
    pub fn failed(error: impl Into<BoxError>) -> Self {
        RiverError::Failed(error.into())
    }
}

impl<E: Into<BoxError>> From<E> for RiverError {
    fn from(error: E) -> Self {
        RiverError::Failed(error.into())
    }
}

impl fmt::Display for RiverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RiverError::Retry(cause) => write!(f, "try again: {cause}"),
            RiverError::Failed(error) => error.fmt(f),
        }
    }
}

/// How a river is retried and polled.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct RiverAttr {
    pub(crate) retry: Retry,
    pub(crate) poll: PollPolicy,
    pub(crate) atomic: bool,
    pub(crate) durable: bool,
    pub(crate) timeout: Option<Duration>,
}

impl Default for RiverAttr {
    fn default() -> Self {
        let poll = PollPolicy { times: 0, interval: Duration::ZERO };
        RiverAttr { retry: Retry::times(0), poll, atomic: false, durable: true, timeout: None }
    }
}

impl RiverAttr {
    /// No retries, no polls, no time limit; durable.
    pub fn new() -> Self {
        Self::default()
    }

    /// `flow` may be called again `times` times when it asks for it, `interval` apart: 1 + `times` calls in all.
    pub const fn retry(mut self, times: u32, interval: Duration) -> Self {
        self.retry = Retry::times(times).every(interval);
        self
    }

    /// `cycle` is called up to `times` times; `interval` passes before each call, the first included.
    pub const fn cycle(mut self, times: u32, interval: Duration) -> Self {
        self.poll = PollPolicy { times, interval };
        self
    }

    /// Whether it is carried to its end, and started when its turn comes, even in a run that is being stopped.
    pub const fn atomic(mut self, atomic: bool) -> Self {
        self.atomic = atomic;
        self
    }

    /// Whether its end is recorded before the next river begins; true unless said. `false` is quicker, and after a crash
    /// the river runs again. Rivers of a parallel river are always durable.
    pub const fn durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// How long all its calls and waits may take together; more than nothing. It goes on counting while the run is paused.
    pub const fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = Some(limit);
        self
    }
}

/// The end of a river: exactly one of its two calls is made and recorded, once, when everything above it has ended.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an Atlantic",
    label = "needs `impl Atlantic for {Self}`",
    note = "implement `Atlantic` for it, and derive `serde::Serialize` and `serde::Deserialize`"
)]
pub trait Atlantic: InPlan + Send + Sync + 'static {
    /// The name that it is registered under.
    const NAME: &'static str;

    /// How a failed call is retried. Without retries a failed `success` makes the run "failed in handler".
    fn retry(&self) -> Retry {
        Retry::times(0)
    }

    /// How long one call may take; a call that takes longer has failed.
    fn timeout(&self) -> Duration {
        HOOK_TIMEOUT
    }

    /// All went well.
    fn success(&self, hw: &Headwaters) -> impl Future<Output = Result<(), BoxError>> + Send;

    /// Something failed, or the run was stopped; [`Headwaters::err`] says why.
    fn fail(&self, hw: &Headwaters) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// A river as [`Code`].
pub(crate) struct RiverCode<R>(PhantomData<fn() -> R>);

/// An Atlantic as [`Code`].
pub(crate) struct AtlanticCode<A>(PhantomData<fn() -> A>);

/// A river's code and the name it is registered under.
#[must_use]
pub(crate) fn river_code<R: River>() -> Arc<dyn Code> {
    Arc::new(RiverCode::<R>(PhantomData))
}

/// An Atlantic's code.
#[must_use]
pub(crate) fn atlantic_code<A: Atlantic>() -> Arc<dyn Code> {
    Arc::new(AtlanticCode::<A>(PhantomData))
}

impl<R: River> Code for RiverCode<R> {
    fn call(&self, ctx: Ctx, _: Vec<Payload>) -> BoxFuture<Reply> {
        let config = ctx.node_spec().and_then(|spec| spec.config.clone());
        Box::pin(async move {
            let river: R = match read(config.as_deref()) {
                Ok(river) => river,
                Err(reply) => return reply,
            };
            let polls = matches!(ctx.task(), Task::Poll { .. });
            let hw = Headwaters::of_call(ctx);
            let answer = if polls {
                river.cycle(&hw).await.map(polled)
            } else {
                river.flow(&hw).await.map(|()| Reply::Submitted)
            };
            match answer {
                Ok(reply) => reply,
                Err(RiverError::Retry(cause)) if !polls => Reply::Retry { cause: cause.into() },
                Err(RiverError::Retry(cause)) => {
                    Reply::Failed { failure: Failure::new(FailureKind::Error, cause), retryable: false }
                }
                Err(RiverError::Failed(error)) => failed(&error),
            }
        })
    }

    fn fits(&self, config: Option<&str>) -> Result<(), String> {
        fits::<R>(config)
    }
}

fn polled(cycle: Cycle) -> Reply {
    match cycle {
        Cycle::Done => Reply::Done(Payload::null()),
        Cycle::Continue(cause) => Reply::Continue { cause: cause.into() },
    }
}

impl<A: Atlantic> Code for AtlanticCode<A> {
    fn call(&self, ctx: Ctx, _: Vec<Payload>) -> BoxFuture<Reply> {
        let config = ctx.hook_config().map(str::to_owned);
        Box::pin(async move {
            let atlantic: A = match read(config.as_deref()) {
                Ok(atlantic) => atlantic,
                Err(reply) => return reply,
            };
            let went_well = ctx.outcome().is_none_or(|outcome| *outcome == RunOutcome::Succeeded);
            let hw = Headwaters::of_call(ctx);
            let answer = if went_well { atlantic.success(&hw).await } else { atlantic.fail(&hw).await };
            answer.map_or_else(|error| failed(&error), |()| Reply::Done(Payload::null()))
        })
    }

    fn fits(&self, config: Option<&str>) -> Result<(), String> {
        fits::<A>(config)
    }
}

/// The value that was drawn, read back from the plan.
fn read<T: DeserializeOwned>(config: Option<&str>) -> Result<T, Reply> {
    let of = crate::data::name_of::<T>();
    serde_json::from_str(config.unwrap_or("null"))
        .map_err(|why| unusable(&crate::DataError::Decode { of, why: why.to_string() }))
}

fn fits<T: DeserializeOwned>(config: Option<&str>) -> Result<(), String> {
    serde_json::from_str::<T>(config.unwrap_or("null")).map(drop).map_err(|why| why.to_string())
}

/// A value as it is written into a plan.
fn written(value: &impl Serialize) -> Result<Box<str>, String> {
    serde_json::to_string(value)
        .map(Into::into)
        .map_err(|why| format!("its fields cannot be stored in the plan: {why}"))
}

impl Graph {
    /// Draws a river as a node; gives its place, or none when a name is not valid.
    pub(crate) fn draw_river<R: River>(&mut self, name: &str, river: &R) -> Option<usize> {
        let (name, code) = (self.checked(name)?, self.checked(R::NAME)?);
        let attr = river.attr();
        let mut spec = NodeSpec::new(name.clone(), NodeKind::River { poll: attr.poll });
        spec.code = Some(code.clone());
        spec.retry = attr.retry;
        spec.atomic = attr.atomic;
        spec.durable = attr.durable;
        spec.timeout = attr.timeout;
        match written(river) {
            Ok(config) => spec.config = Some(config),
            Err(why) => self.errors.push(vastflow_core::plan::PlanError::Unfit { name, why }),
        }
        self.add_river(code, TypeId::of::<R>(), river_code::<R>());
        Some(self.draw_spec(spec))
    }

    /// Sets the Atlantic.
    pub(crate) fn draw_atlantic<A: Atlantic>(&mut self, atlantic: &A) {
        let Some(code) = self.checked(A::NAME) else { return };
        match written(atlantic) {
            Ok(config) => {
                self.finally = Some(HookSpec {
                    code: Some(code.clone()),
                    config: Some(config),
                    retry: atlantic.retry(),
                    timeout: Some(atlantic.timeout()).filter(|limit| *limit != HOOK_TIMEOUT),
                });
            }
            Err(why) => self.errors.push(vastflow_core::plan::PlanError::Unfit { name: code.clone(), why }),
        }
        self.add_river(code, TypeId::of::<A>(), atlantic_code::<A>());
    }
}

impl crate::Library {
    /// Registers a river under its name.
    ///
    /// # Errors
    /// [`NameTaken`](crate::code::NameTaken) when the name is taken; an invalid name counts as taken by nobody and is
    /// refused by the drawing.
    pub fn register_river<R: River>(&mut self) -> Result<(), BoxError> {
        Ok(self.add_river(Name::new(R::NAME)?, river_code::<R>())?)
    }

    /// Registers an Atlantic under its name.
    ///
    /// # Errors
    /// When the name is taken or not valid.
    pub fn register_atlantic<A: Atlantic>(&mut self) -> Result<(), BoxError> {
        Ok(self.add_river(Name::new(A::NAME)?, atlantic_code::<A>())?)
    }
}
