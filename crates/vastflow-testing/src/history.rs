//! What is recorded of a run.

use std::fmt;
use std::sync::Arc;
use vastflow_core::{Event, Plan, Recorded, RunId, ScopeId};
use vastflow_worker::RunEvent;

/// All that is recorded of a run, scope by scope. Its `Display` is a line an event. Equal runs have equal histories.
///
/// ```
/// use vastflow::{Flow, Node, Result};
/// use vastflow_testing::TestEngine;
///
/// async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<()> {
/// let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
/// let mut engine = TestEngine::new(&flow)?;
/// let run = engine.start(&flow, 21)?;
/// engine.run_to_end(&run).await?;
/// let history = engine.history(&run)?;
/// let names: Vec<&str> = history.events().map(|(_, event)| event.name()).collect();
/// assert_eq!(names, ["RunStarted", "NodeSucceeded", "RunEnded"]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    pub(crate) plan: Arc<Plan>,
    /// The root first.
    pub(crate) journals: Vec<(ScopeId, Vec<Recorded>)>,
}

impl History {
    /// A history from what a store holds: the plan that the run follows, and the journals of its scopes.
    #[must_use]
    pub fn new(plan: Arc<Plan>, mut journals: Vec<(ScopeId, Vec<Recorded>)>) -> Self {
        journals.sort_by(|one, other| one.0.cmp(&other.0));
        History { plan, journals }
    }

    /// The run.
    #[must_use]
    pub fn run(&self) -> Option<&RunId> {
        self.journals.first().map(|(scope, _)| scope.run())
    }

    /// The plan that it follows.
    #[must_use]
    pub const fn plan(&self) -> &Arc<Plan> {
        &self.plan
    }

    /// Every event with its scope, scope by scope.
    pub fn events(&self) -> impl Iterator<Item = (&ScopeId, &Event)> {
        self.recorded().map(|(scope, recorded)| (scope, &recorded.event))
    }

    pub(crate) fn recorded(&self) -> impl Iterator<Item = (&ScopeId, &Recorded)> {
        self.journals.iter().flat_map(|(scope, journal)| journal.iter().map(move |recorded| (scope, recorded)))
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (scope, recorded) in self.recorded() {
            let plan = self.plan.of_scope(scope);
            let node = recorded.event.node().and_then(|node| Some(plan?.node(node)?.name.clone()));
            writeln!(f, "{scope} {}: {}", recorded.seq, RunEvent { recorded: recorded.clone(), node })?;
        }
        Ok(())
    }
}
