//! What calls said: read from the journal of their scope.

use std::time::Duration;
use vastflow_core::{Event, Level, Name, Plan, Recorded, SaidLine};

/// A line of a call's log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// The node whose call said it; none: a hook of the flow.
    pub node: Option<Name>,
    /// Which attempt, from 1; of a poll, which tick.
    pub attempt: u32,
    /// How long after its call had begun.
    pub after: Duration,
    /// How much it matters.
    pub level: Level,
    /// The text.
    pub text: Box<str>,
}

impl LogLine {
    /// The lines of an event of a scope that follows `plan`, and how many were dropped before them; none of most events.
    #[must_use]
    pub fn of(plan: &Plan, recorded: &Recorded) -> (Vec<LogLine>, u32) {
        let Event::Said { task, said } = &recorded.event else { return (Vec::new(), 0) };
        let node = task.node().and_then(|node| plan.node(node)).map(|spec| spec.name.clone());
        let line = |line: &SaidLine| LogLine {
            node: node.clone(),
            attempt: task.attempt(),
            after: line.after.into(),
            level: line.level,
            text: line.text.clone(),
        };
        (said.lines.iter().map(line).collect(), said.dropped)
    }
}
