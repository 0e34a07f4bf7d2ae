//! Looking on while a run goes.

use vastflow_worker::{Error, Run, RunEvent};

/// `run.follow(…)`.
pub trait Follow {
    /// Calls `see` with every event of the run, those that are there and then those to come, until the run ends.
    ///
    /// ```
    /// use vastflow::prelude::*;
    ///
    /// # async fn double(n: u32) -> Result<u32> { Ok(n * 2) }
    /// # #[tokio::main] async fn main() -> Result<()> {
    /// # let flow = Flow::dag("double", |dag, n: Node<u32>| dag.node("double", double, n))?;
    /// # let engine = Engine::open("memory:").await?.flow(flow).start().await?;
    /// let run = engine.run("double", 21).await?;
    /// let mut lines = Vec::new();
    /// run.follow(|event| lines.push(event.to_string())).await?;
    /// assert!(lines[1].starts_with("✓ double"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// Store errors; [`Error::ShuttingDown`].
    fn follow(&self, see: impl FnMut(RunEvent) + Send) -> impl Future<Output = Result<(), Error>> + Send;
}

impl Follow for Run {
    async fn follow(&self, mut see: impl FnMut(RunEvent) + Send) -> Result<(), Error> {
        let mut events = self.events();
        while let Some(event) = events.next().await? {
            see(event);
        }
        Ok(())
    }
}
