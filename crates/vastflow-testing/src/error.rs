//! Why a test did not go on.

use std::fmt;
use std::time::Duration;

/// Why a test did not go on. Its text says how to repeat the run: with which seed. Its `Debug` is the same text,
/// because that is what a test that returns it, or unwraps it, prints.
///
/// ```
/// use vastflow::{Flow, Node, Result};
/// use vastflow_testing::TestEngine;
///
/// async fn pay(_: u32) -> Result<u32> { Err("no money".into()) }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), vastflow_testing::Error> {
/// let flow = Flow::dag("shop", |dag, n: Node<u32>| dag.node("pay", pay, n)).map_err(vastflow::Error::from)?;
/// let mut engine = TestEngine::new(&flow)?;
/// let run = engine.start(&flow, 7)?;
/// engine.run_to_end(&run).await?;
/// let error = engine.output(&run).unwrap_err();
/// assert_eq!(error.code(), "run-failed");
/// assert!(error.to_string().contains("pay: no money"));
/// assert!(error.to_string().contains("VASTFLOW_SEED="));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Error {
    what: What,
    seed: Option<u64>,
}

/// What happened.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum What {
    #[error(transparent)]
    Engine(#[from] vastflow_worker::Error),
    #[error("{0}; this is a bug of vastflow, please report it")]
    Law(String),
    #[error(
        "nothing is left that time alone would bring, and the run is not over:\n{0}it may wait for a signal, an operator, or to be resumed"
    )]
    Stuck(String),
    #[error(
        "the handler of {place} has not answered for {patience:?} of real time, and the virtual clock stands still while a handler runs; if it waits for something that the test does later, or for the run to be stopped, say so with `TestEngine::builder().waits({place:?})`; if it only is slow, raise `patience`"
    )]
    Silent { place: String, patience: Duration },
    #[error("{0} steps without the clock moving: something begins again and again at once")]
    Endless(u64),
    #[error("{0}")]
    Golden(String),
    #[error("{0}")]
    Drill(String),
}

impl Error {
    pub(crate) fn new(what: impl Into<What>, seed: u64) -> Self {
        Error { what: what.into(), seed: Some(seed) }
    }

    pub(crate) fn unseeded(what: impl Into<What>) -> Self {
        Error { what: what.into(), seed: None }
    }

    /// A short code that stays the same when the text is improved: that of
    /// [`vastflow_worker::Error::code`], or `law-broken`, `stuck`, `silent-handler`, `endless`, `golden`, `drill`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match &self.what {
            What::Engine(error) => error.code(),
            What::Law(_) => "law-broken",
            What::Stuck(_) => "stuck",
            What::Silent { .. } => "silent-handler",
            What::Endless(_) => "endless",
            What::Golden(_) => "golden",
            What::Drill(_) => "drill",
        }
    }

    /// What an engine would have answered, if it is that.
    #[must_use]
    pub fn as_engine(&self) -> Option<&vastflow_worker::Error> {
        match &self.what {
            What::Engine(error) => Some(error),
            _ => None,
        }
    }

    /// The seed that repeats it.
    #[must_use]
    pub const fn seed(&self) -> Option<u64> {
        self.seed
    }
}

impl From<vastflow_worker::Error> for Error {
    fn from(error: vastflow_worker::Error) -> Self {
        Error::unseeded(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        match self.seed {
            Some(seed) => write!(f, "\n(VASTFLOW_SEED={seed} repeats it)"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self} [{}]", self.code())
    }
}

impl std::error::Error for Error {}
