//! A run's events as they are recorded.

use crate::claim::started_of;
use crate::engine::Engine;
use crate::error::Error;
use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use vastflow_core::event::{Choice, Origin};
use vastflow_core::id::escape_key;
use vastflow_core::view::Span;
use vastflow_core::{Event, Plan, Recorded, RunId, RunStarted, ScopeId, Seq};

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
    /// Whether it is not known yet if there is more to come: all may have been read before.
    resumes: bool,
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
        let (page, read) = (VecDeque::new(), Seq::ZERO);
        Events { engine, scope, news, plan: None, read, page, is_over: false, resumes: false }
    }

    /// The same from a position on: so many events are passed over, as they were read before.
    #[must_use]
    pub const fn after(mut self, read: Seq) -> Self {
        self.read = read;
        self.resumes = true;
        self
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
                self.is_over = std::mem::take(&mut self.resumes) && self.has_ended().await?;
                if !self.is_over {
                    self.news().await?;
                    self.still_there().await?;
                }
            }
            self.read = self.read.after(page.len());
            self.page.extend(page);
        }
    }

    /// A run that was deleted while it was read has no events to come.
    async fn still_there(&self) -> Result<(), Error> {
        match self.news.is_none() && self.engine.shared.store.run(self.scope.run()).await?.is_none() {
            true => Err(Error::UnknownRun { id: self.scope.run().clone() }),
            false => Ok(()),
        }
    }

    /// Whether the run is over and all of it was read.
    async fn has_ended(&self) -> Result<bool, Error> {
        let row = self.engine.shared.store.run(self.scope.run()).await?;
        Ok(row.is_none_or(|row| row.summary.status.is_final() && row.len <= self.read))
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
        if self.plan.is_none() {
            let plan = match &recorded.event {
                Event::RunStarted(started) => Some(started.plan),
                _ => started_of(&self.engine.shared, self.scope.run()).await?.map(|started| started.plan),
            };
            self.plan = match plan {
                Some(plan) => self.engine.shared.store.plan(plan).await?,
                None => None,
            };
        }
        let plan = self.plan.as_ref();
        let node = match &recorded.event {
            Event::Said { task, .. } => task.node(),
            event => event.node(),
        };
        let node = node.and_then(|node| Some(plan?.node(node)?.name.clone()));
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
        // One line, whatever a handler or a key says, and nothing that a terminal would take for a command.
        Line(self).to_string().chars().try_for_each(|c| f.write_char(if c.is_control() { ' ' } else { c }))
    }
}

/// The line of an event, with texts as they came.
struct Line<'a>(&'a RunEvent);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let event = self.0;
        let node = event.node.as_deref().unwrap_or("");
        let took = event.recorded.event.call().map(|call| Span(call.took.into()));
        match &event.recorded.event {
            Event::RunStarted(started) => write!(f, "{}", Begun(started)),
            Event::NodeSucceeded { .. } => write!(f, "✓ {node}"),
            Event::AttemptFailed { failure, .. } => write!(f, "↻ {node} failed, will be tried again: {failure}"),
            Event::NodeFailed { failure, .. } => write!(f, "✗ {node} failed: {failure}"),
            Event::RescueFailed { failure, .. } => write!(f, "✗ {node}: its on_failure failed: {failure}"),
            Event::Submitted { .. } => write!(f, "▸ {node} submitted"),
            Event::Polled { cause, .. } => write!(f, "… {node} not done yet: {cause}"),
            Event::NodeDropped { .. } => write!(f, "– {node} not started"),
            Event::NodeParked { failure, .. } => write!(f, "! {node} waits for an operator: {failure}"),
            Event::Woke { .. } => write!(f, "✓ {node} slept enough"),
            Event::HookDone { hook, .. } => write!(f, "✓ {hook}"),
            Event::HookFailed { hook, failure, .. } => write!(f, "✗ {hook} failed: {failure}"),
            Event::Undone { .. } => write!(f, "« {node} undone"),
            Event::UndoFailed { failure, retry_at: Some(_), .. } => {
                write!(f, "↻ {node}: its undo failed, will be tried again: {failure}")
            }
            Event::UndoFailed { failure, .. } => write!(f, "! {node}: its undo waits for an operator: {failure}"),
            Event::RunEnded { outcome } => write!(f, "● {outcome}"),
            event => inner_line(f, node, event),
        }?;
        took.map_or(Ok(()), |took| write!(f, "  {took}"))
    }
}

/// The lines of what happens with scopes inside.
fn inner_line(f: &mut fmt::Formatter<'_>, node: &str, event: &Event) -> fmt::Result {
    match event {
        Event::BranchChosen { keys, .. } if keys.is_empty() => write!(f, "▸ {node} takes no arm"),
        Event::BranchChosen { keys, .. } => write!(f, "▸ {node} → {}", keys.join(", ")),
        Event::ItemsAdded { items, cursor, .. } => {
            let more = if cursor.is_some() { ", and there are more" } else { "" };
            write!(f, "▸ {node} × {}{more}", items.len())
        }
        Event::ChildEnded { key, end, .. } => match &end.result {
            Ok(_) => write!(f, "✓ {}", At(node, key)),
            Err(failure) => write!(f, "✗ {} failed: {failure}", At(node, key)),
        },
        Event::Reduced { count, .. } => write!(f, "▸ {node} folded {count}"),
        Event::ReduceFailed { failure, .. } => {
            write!(f, "↻ {node}: its reduction failed, will be tried again: {failure}")
        }
        Event::Clashed { keys, .. } => write!(f, "! {node} wrote over what others had written: {}", keys.join(", ")),
        Event::ChildUndone { key, .. } => write!(f, "« {} undone", At(node, key)),
        Event::ChildParked { key, waits: true, .. } => {
            write!(f, "! in {} something waits for an operator", At(node, key))
        }
        Event::ChildParked { key, .. } => write!(f, "▸ in {} nothing waits for an operator any more", At(node, key)),
        event => word_line(f, node, event),
    }
}

/// The lines of what somebody said to the run.
fn word_line(f: &mut fmt::Formatter<'_>, node: &str, event: &Event) -> fmt::Result {
    match event {
        Event::CancelRequested { by, why } => write!(f, "■ {by} asked to stop: {why}"),
        Event::Killed { by, why } => write!(f, "■ {by} killed it: {why}"),
        Event::RunTimedOut => f.write_str("■ time is up"),
        Event::GraceOver => f.write_str("■ what is not needed any more is waited for no longer"),
        Event::Paused { by, why } => write!(f, "‖ {by} paused it: {why}"),
        Event::Resumed { by, why } => write!(f, "▸ {by} resumed it: {why}"),
        Event::SignalReceived { name, .. } => write!(f, "» signal {name}"),
        Event::Resolved { choice, by, why, .. } => {
            let choice = match choice {
                Choice::Retry => "try again",
                Choice::Skip => "go on without it",
                Choice::MarkDone(_) => "it is done",
            };
            write!(f, "▸ {node}: {by} says, {choice}: {why}")
        }
        Event::UndoRequested => f.write_str("« what was done is taken back"),
        Event::WordsIgnored => f.write_str("… words came that nobody waits for any more"),
        Event::Said { said, .. } => {
            let all = said.lines.len() as u64 + u64::from(said.dropped);
            let node = if node.is_empty() { "a call" } else { node };
            write!(f, "“ {node} said {all} line{}", if all == 1 { "" } else { "s" })
        }
        other => f.write_str(other.name()),
    }
}

/// How a run began.
struct Begun<'a>(&'a RunStarted);

impl fmt::Display for Begun<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "▸ {} started", self.0.flow)?;
        match self.0.origin.as_deref() {
            Some(Origin { run, verb, by, why, .. }) => write!(f, ", a {verb} of {run} by {by}: {why}"),
            None => Ok(()),
        }
    }
}

/// A scope, as `Run::view_within` and others take it; a basin's has no key.
struct At<'a>(&'a str, &'a str);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let At(node, key) = self;
        if key.is_empty() { f.write_str(node) } else { write!(f, "{node}[{}]", escape_key(key)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::Notify;
    use vastflow_core::event::{Call, Item, Micros, ScopeEnd};
    use vastflow_core::{Codec, Failure, FailureKind, Name, NodeIx, Payload, RunFailure, Timestamp};
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

    #[track_caller]
    fn check(event: Event, line: &str) {
        let node = event.node().map(|_| Name::new("each").unwrap());
        let recorded = Recorded { seq: Seq::ZERO, at: Timestamp::ZERO, event };
        assert_eq!(RunEvent { recorded, node }.to_string(), line);
    }

    #[test]
    fn events_of_scopes_have_lines_of_their_own() {
        let (node, payload) = (NodeIx(0), || Payload::new(Codec::Json, "1"));
        let call = || Call { number: 1, took: Micros(1_500), writes: Vec::new() };
        let keys = |keys: &[&str]| keys.iter().map(|key| Box::<str>::from(*key)).collect::<Vec<_>>();
        let chosen = |of: &[&str]| Event::BranchChosen { node, keys: keys(of), input: None, call: call() };
        check(chosen(&["pass", "mail"]), "▸ each → pass, mail  1.5 ms");
        check(chosen(&[]), "▸ each takes no arm  1.5 ms");
        let items = vec![Item { key: "a".into(), input: payload() }];
        let added = |cursor| Event::ItemsAdded { node, items: items.clone(), cursor, call: call() };
        check(added(None), "▸ each × 1  1.5 ms");
        check(added(Some(payload())), "▸ each × 1, and there are more  1.5 ms");
        let failure = || RunFailure { node: None, failure: Failure::new(FailureKind::Error, "boom") };
        let ended = |result| Event::ChildEnded { node, key: "a".into(), end: ScopeEnd { result, writes: Vec::new() } };
        check(ended(Ok(payload())), "✓ each[a]");
        check(ended(Err(failure())), "✗ each[a] failed: boom");
        check(Event::ChildUndone { node, key: "".into() }, "« each undone");
        check(Event::ChildUndone { node, key: "a\n\u{1b}[31m".into() }, "« each[a  %5B31m] undone");
        check(Event::Clashed { node, keys: keys(&["x", "y"]) }, "! each wrote over what others had written: x, y");
        check(
            Event::ChildParked { node, key: "a".into(), waits: true },
            "! in each[a] something waits for an operator",
        );
        check(Event::Reduced { node, count: 3, acc: payload(), call: call() }, "▸ each folded 3  1.5 ms");
    }

    #[test]
    fn what_somebody_said_names_who() {
        let (node, failure) = (NodeIx(0), || Failure::new(FailureKind::Error, "boom"));
        let (by, why) = (|| "ann".into(), || "lunch".into());
        check(Event::Paused { by: by(), why: why() }, "‖ ann paused it: lunch");
        check(Event::Resumed { by: by(), why: why() }, "▸ ann resumed it: lunch");
        check(Event::Killed { by: by(), why: why() }, "■ ann killed it: lunch");
        check(
            Event::NodeParked { node, failure: failure(), call: Call::default() },
            "! each waits for an operator: boom  0 µs",
        );
        let resolved = |choice| Event::Resolved { node, choice, by: by(), why: why() };
        check(resolved(Choice::Skip), "▸ each: ann says, go on without it: lunch");
        let name = Name::new("approved").unwrap();
        let signal = Event::SignalReceived { id: "1".into(), name, payload: Payload::null() };
        check(signal, "» signal approved");
        check(Event::Undone { node, call: Call::default() }, "« each undone  0 µs");
        let undo = |retry_at| Event::UndoFailed { node, failure: failure(), retry_at, call: Call::default() };
        check(undo(None), "! each: its undo waits for an operator: boom  0 µs");
        check(undo(Some(Timestamp::ZERO)), "↻ each: its undo failed, will be tried again: boom  0 µs");
    }
}
