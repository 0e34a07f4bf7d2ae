//! A run's events as they are recorded.

use crate::engine::Engine;
use crate::error::Error;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use vastflow_core::view::Span;
use vastflow_core::{Event, Plan, Recorded, RunId, ScopeId, Seq};

/// Events read at once.
const PAGE: usize = 256;
/// How often a run is looked at of which nobody here hears.
const LOOK: Duration = Duration::from_secs(1);

/// The events of a run: those that are there, then those to come, until its end.
pub struct Events {
    engine: Engine,
    scope: ScopeId,
    news: Option<watch::Receiver<()>>,
    plan: Option<Arc<Plan>>,
    read: Seq,
    page: VecDeque<Recorded>,
    is_over: bool,
}

/// One event, with the name of the node that it is about. Its `Display` is a line for a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunEvent {
    /// The event.
    pub recorded: Recorded,
    /// The node's name, if it is about one.
    pub node: Option<vastflow_core::Name>,
}

impl Events {
    pub(crate) fn new(engine: Engine, run: RunId, news: Option<watch::Receiver<()>>) -> Self {
        let scope = ScopeId::root(run);
        Events { engine, scope, news, plan: None, read: Seq::ZERO, page: VecDeque::new(), is_over: false }
    }

    /// The next event; none after the run's end.
    ///
    /// # Errors
    /// Store errors; [`Error::ShuttingDown`].
    pub async fn next(&mut self) -> Result<Option<RunEvent>, Error> {
        loop {
            if let Some(recorded) = self.page.pop_front() {
                self.is_over = matches!(recorded.event, Event::RunEnded { .. });
                return self.named(recorded).await.map(Some);
            }
            if self.is_over {
                return Ok(None);
            }
            if let Some(news) = &mut self.news {
                news.mark_unchanged();
            }
            let page = self.engine.shared.store.history(&self.scope, self.read, PAGE).await?;
            if page.is_empty() {
                self.news().await?;
            }
            self.read = self.read.after(page.len());
            self.page.extend(page);
        }
    }

    async fn news(&mut self) -> Result<(), Error> {
        let shared = &self.engine.shared;
        let has_news = self.news.is_some();
        let told = async {
            match &mut self.news {
                Some(news) => news.changed().await.is_ok(),
                None => false,
            }
        };
        tokio::select! {
            is_open = told, if has_news => {
                // The run's end closes the channel: what is left is read now.
                self.news = self.news.take().filter(|_| is_open);
                Ok(())
            }
            () = tokio::time::sleep(LOOK), if !has_news => Ok(()),
            () = shared.stopped.off() => Err(shared.why_stopped()),
        }
    }

    async fn named(&mut self, recorded: Recorded) -> Result<RunEvent, Error> {
        if let Event::RunStarted(started) = &recorded.event {
            self.plan = self.engine.shared.store.plan(started.plan).await?;
        }
        let plan = self.plan.as_ref();
        let node = recorded.event.node().and_then(|node| Some(plan?.node(node)?.name.clone()));
        Ok(RunEvent { recorded, node })
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        // Nothing is kept for a run that nobody reads along with any more.
        self.news = None;
        self.engine.shared.watchers.leave(self.scope.run());
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Events({} from {})", self.scope, self.read)
    }
}

impl fmt::Display for RunEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.node.as_deref().unwrap_or("");
        let took = self.recorded.event.call().map(|call| Span(call.took.into()));
        match &self.recorded.event {
            Event::RunStarted(started) => write!(f, "▸ {} started", started.flow),
            Event::NodeSucceeded { .. } => write!(f, "✓ {node}"),
            Event::AttemptFailed { failure, .. } => write!(f, "↻ {node} failed, will be tried again: {failure}"),
            Event::NodeFailed { failure, .. } => write!(f, "✗ {node} failed: {failure}"),
            Event::RescueFailed { failure, .. } => write!(f, "✗ {node}: its on_failure failed: {failure}"),
            Event::Submitted { .. } => write!(f, "▸ {node} submitted"),
            Event::Polled { cause, .. } => write!(f, "… {node} not done yet: {cause}"),
            Event::NodeDropped { .. } => write!(f, "– {node} not started"),
            Event::CancelRequested { by, why } => write!(f, "■ {by} asked to stop: {why}"),
            Event::RunTimedOut => f.write_str("■ time is up"),
            Event::HookDone { hook, .. } => write!(f, "✓ {hook}"),
            Event::HookFailed { hook, failure, .. } => write!(f, "✗ {hook} failed: {failure}"),
            Event::RunEnded { outcome } => write!(f, "● {outcome}"),
            other => f.write_str(other.name()),
        }?;
        took.map_or(Ok(()), |took| write!(f, "  {took}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Notify;
    use vastflow_sdk::{Flow, Node};
    use vastflow_store::MemoryStore;

    #[tokio::test]
    async fn nothing_is_kept_for_whoever_has_read_enough() {
        let go = Arc::new(Notify::new());
        let flow = {
            let go = Arc::clone(&go);
            let wait = move |n: u32| {
                let go = Arc::clone(&go);
                async move {
                    go.notified().await;
                    Ok::<_, vastflow_sdk::BoxError>(n)
                }
            };
            Flow::dag("waits", |dag, n: Node<'_, u32>| dag.node("wait", wait, n)).unwrap()
        };
        let engine = Engine::on(Arc::new(MemoryStore::new())).flow(flow).start().await.unwrap();
        let run = engine.run("waits", 1_u32).id("r").await.unwrap();
        let mut events = run.events();
        drop(run);
        events.next().await.unwrap().unwrap();
        assert_eq!(engine.shared.watchers.len(), 1);
        drop(events);
        assert_eq!(engine.shared.watchers.len(), 0, "the run goes on without them");

        go.notify_one();
        engine.handle("r").await.unwrap().wait().await.unwrap();
        let finished = engine.handle("r").await.unwrap();
        let mut events = finished.events();
        drop(finished);
        while events.next().await.unwrap().is_some() {}
        assert_eq!(engine.shared.watchers.len(), 0, "a finished run has no news");
    }
}
