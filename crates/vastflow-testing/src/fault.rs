//! Faults: what is to go wrong on purpose.

use crate::place::Place;
use std::time::Duration;

/// What is to go wrong with a call; once, unless it is said otherwise. See
/// [`TestEngine::inject`](crate::TestEngine::inject).
///
/// ```
/// use vastflow::{DurationExt, Flow, Node, Result, TimesExt};
/// use vastflow_testing::{Fault, TestEngine};
///
/// async fn charge(cents: u32) -> Result<u32> { Ok(cents) }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let flow = Flow::dag("shop", |dag, n: Node<u32>| dag.node("charge", charge, n).retry(2.times().every(1.hours())))?;
/// let mut engine = TestEngine::new(&flow)?;
/// engine.inject("charge", Fault::fail("bank is down").times(2));
/// let run = engine.start(&flow, 700)?;
/// let began = engine.now();
/// engine.run_to_end(&run).await?;
/// assert_eq!(engine.output(&run)?, 700);
/// assert_eq!(engine.now().since(began), 2.hours());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a fault happens when it is injected"]
pub struct Fault {
    pub(crate) kind: Kind,
    /// How many calls meet it.
    calls: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Fail(String),
    Fatal(String),
    Panic(String),
    Hang,
    Slow(Duration),
    CrashBefore,
    CrashAfter,
    Twice,
}

impl Fault {
    const fn once(kind: Kind) -> Self {
        Fault { kind, calls: 1 }
    }

    /// The call fails with this error. The handler is not called.
    pub fn fail(error: impl Into<String>) -> Self {
        Fault::once(Kind::Fail(error.into()))
    }

    /// The call fails with this error, and no retry is made. The handler is not called.
    pub fn fatal(error: impl Into<String>) -> Self {
        Fault::once(Kind::Fatal(error.into()))
    }

    /// The call panics with this text. The handler is not called.
    pub fn panic(text: impl Into<String>) -> Self {
        Fault::once(Kind::Panic(text.into()))
    }

    /// The call does not end until its time is up or it is told to stop. The handler is not called, and the clock does
    /// not wait for it.
    pub const fn hang() -> Self {
        Fault::once(Kind::Hang)
    }

    /// The handler is called, and its answer comes only after this much virtual time.
    pub const fn slow(wait: Duration) -> Self {
        Fault::once(Kind::Slow(wait))
    }

    /// The process dies when the handler has ended and before its answer is recorded: what it did is done, and nobody
    /// knows. It is called again by the next process.
    pub const fn crash_before() -> Self {
        Fault::once(Kind::CrashBefore)
    }

    /// The process dies just after the handler's answer was recorded, before anything follows from it.
    pub const fn crash_after() -> Self {
        Fault::once(Kind::CrashAfter)
    }

    /// The handler is called twice for one attempt, as it happens when a worker is taken for dead: what the first call
    /// answered is lost, and what the second answered is delivered twice.
    pub const fn twice() -> Self {
        Fault::once(Kind::Twice)
    }

    /// That many calls meet it.
    pub const fn times(mut self, calls: u32) -> Self {
        self.calls = calls;
        self
    }

    /// Every call meets it.
    pub const fn always(self) -> Self {
        self.times(u32::MAX)
    }
}

/// What is to go wrong where.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Injected>);

#[derive(Debug)]
struct Injected {
    place: Place,
    fault: Fault,
    fired: u32,
}

impl Faults {
    pub(crate) fn add(&mut self, place: Place, fault: Fault) {
        self.0.push(Injected { place, fault, fired: 0 });
    }

    /// What goes wrong with the next call at a place; those that were injected first go first.
    pub(crate) fn take(&mut self, place: &Place) -> Option<Kind> {
        let fits = |one: &&mut Injected| one.fired < one.fault.calls && one.place.means(place);
        let one = self.0.iter_mut().find(fits)?;
        one.fired += 1;
        Some(one.fault.kind.clone())
    }

    /// How many calls met a fault.
    pub(crate) fn fired(&self) -> u32 {
        self.0.iter().map(|one| one.fired).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_used_up_in_order() {
        let mut faults = Faults::default();
        faults.add("a".into(), Fault::fail("x").times(2));
        faults.add("a".into(), Fault::hang());
        let kinds: Vec<_> = (0..4).map(|_| faults.take(&"a".into())).collect();
        let fail = Some(Kind::Fail("x".into()));
        assert_eq!(kinds, [fail.clone(), fail, Some(Kind::Hang), None]);
        assert_eq!((faults.take(&"b".into()), faults.fired()), (None, 3));
    }
}
