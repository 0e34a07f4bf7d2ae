//! Handlers: plain `async fn`s, with or without a [`Ctx`] in front.

use crate::code::{BoxFuture, Code};
use crate::ctx::Ctx;
use crate::data::{Data, DataError};
use crate::error::{BoxError, is_fatal, text_of};
use vastflow_core::plan::Schema;
use vastflow_core::{Failure, FailureKind, Payload, Reply};

/// Marks handlers that take only their input.
#[derive(Debug)]
pub enum Plain {}

/// Marks handlers that take a [`Ctx`] and their input.
#[derive(Debug)]
pub enum WithCtx {}

/// A function that can be the code of a node: `async fn(In) -> Result<Out>` or `async fn(Ctx, In) -> Result<Out>`,
/// where `In` is what is wired to the node (several nodes: a tuple), and the error is anything that turns into a
/// boxed error.
#[diagnostic::on_unimplemented(
    message = "this is not a handler; a handler is an `async fn(input) -> Result<output>`, with a `Ctx` in front if it wants one",
    label = "expected `async fn(In) -> Result<Out>` or `async fn(Ctx, In) -> Result<Out>`",
    note = "several inputs arrive as one tuple: `async fn((a, b): (A, B)) -> Result<Out>`",
    note = "the error of the `Result` is an `Error + Send + Sync`, or left to `vastflow::Result<Out>`"
)]
pub trait Handler<In, Marker>: Send + Sync + 'static {
    /// What it gives.
    type Out: Send + 'static;

    /// Calls it.
    fn handle(&self, ctx: Ctx, input: In) -> impl Future<Output = Result<Self::Out, BoxError>> + Send + 'static;
}

/// What a handler looks like, whatever its future may hold. Apart from [`Handler`], so that the compiler, when a
/// future is not `Send`, says which value is held across which `.await`.
pub trait Shape<In, Marker> {
    /// What it gives.
    type Out;
    /// How it fails.
    type Error: Into<BoxError>;
    /// What a call of it is.
    type Future: Future<Output = Result<Self::Out, Self::Error>>;

    /// Calls it.
    fn call(&self, ctx: Ctx, input: In) -> Self::Future;
}

impl<F, Fut, In, Out, E> Shape<In, Plain> for F
where
    F: Fn(In) -> Fut,
    Fut: Future<Output = Result<Out, E>>,
    E: Into<BoxError>,
{
    type Out = Out;
    type Error = E;
    type Future = Fut;

    fn call(&self, _: Ctx, input: In) -> Fut {
        self(input)
    }
}

impl<F, Fut, In, Out, E> Shape<In, WithCtx> for F
where
    F: Fn(Ctx, In) -> Fut,
    Fut: Future<Output = Result<Out, E>>,
    E: Into<BoxError>,
{
    type Out = Out;
    type Error = E;
    type Future = Fut;

    fn call(&self, ctx: Ctx, input: In) -> Fut {
        self(ctx, input)
    }
}

impl<F, In, M> Handler<In, M> for F
where
    F: Shape<In, M> + Send + Sync + 'static,
    F::Future: Send + 'static,
    F::Out: Send + 'static,
{
    type Out = F::Out;

    fn handle(&self, ctx: Ctx, input: In) -> impl Future<Output = Result<F::Out, BoxError>> + Send + 'static {
        let result = self.call(ctx, input);
        async move { result.await.map_err(Into::into) }
    }
}

/// How a handler's input is made from what flows in.
pub(crate) type Decode<In> = fn(&Ctx, &[Payload]) -> Result<In, DataError>;

/// How a handler's input is made from what flows in, and what it looks like.
pub(crate) struct Takes<In> {
    pub(crate) decode: Decode<In>,
    pub(crate) schema: fn() -> Schema,
}

impl<In> Takes<In> {
    pub(crate) const fn new(decode: Decode<In>, schema: fn() -> Schema) -> Self {
        Takes { decode, schema }
    }

    /// An input that is not what flows in.
    pub(crate) const fn aside(decode: Decode<In>) -> Self {
        Takes { decode, schema: Schema::default }
    }
}

/// A handler as [`Code`]: decode, call, encode.
pub(crate) struct Typed<H, In, M> {
    handler: H,
    takes: Takes<In>,
    marker: std::marker::PhantomData<fn() -> M>,
}

impl<H, In, M> Typed<H, In, M> {
    pub(crate) fn new(handler: H, takes: Takes<In>) -> Self {
        Typed { handler, takes, marker: std::marker::PhantomData }
    }
}

impl<H, In, M> Code for Typed<H, In, M>
where
    H: Handler<In, M>,
    H::Out: Data,
    In: 'static,
    M: 'static,
{
    fn call(&self, ctx: Ctx, args: Vec<Payload>) -> BoxFuture<Reply> {
        let input = match (self.takes.decode)(&ctx, &args) {
            Ok(input) => input,
            Err(error) => {
                let error = Box::pin(std::future::ready(unusable(&error)));
                return error;
            }
        };
        let result = self.handler.handle(ctx, input);
        Box::pin(async move {
            match result.await {
                Ok(output) => output.encode().map_or_else(|error| unusable(&error), Reply::Done),
                Err(error) => failed(&error),
            }
        })
    }

    fn takes(&self) -> Schema {
        (self.takes.schema)()
    }

    fn gives(&self) -> Schema {
        H::Out::schema()
    }
}

/// What a handler's error means: retryable, unless it says otherwise.
pub(crate) fn failed(error: &BoxError) -> Reply {
    let failure = Failure::new(FailureKind::Error, text_of(&**error));
    Reply::Failed { failure, retryable: !is_fatal(error) }
}

/// A value that does not fit will not fit the next time either.
pub(crate) fn unusable(error: &DataError) -> Reply {
    Reply::Failed { failure: Failure::new(FailureKind::Engine, error.to_string()), retryable: false }
}
