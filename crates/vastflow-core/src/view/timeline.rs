//! A run as bars over time, for terminals: no colours, no cursor, at most 100 columns.

use super::{CallKind, NodeView, RunView, Span};
use crate::run::NodeStatus;
use crate::time::Timestamp;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

/// The widest line.
const COLUMNS: usize = 100;
/// The widest name.
const NAME: usize = 30;
/// How wide the bars are.
const BARS: usize = 40;
/// Idle time is shown at most this many times as long as time in which something ran…
const IDLE: u64 = 3;
/// … unless the run is so short that a person would see it as it was.
const SHORT: u64 = 10_000_000;

/// The bars of a run; see [`RunView::timeline`].
#[derive(Clone, Copy, Debug)]
pub struct Timeline<'a>(pub(super) &'a RunView);

/// What a cell of a bar shows. Of several the last one here wins.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cell {
    Nothing,
    Waits,
    Scopes,
    Asks,
    Call,
    Poll,
    Undo,
    Failed,
}

impl Cell {
    const ALL: [Cell; 8] =
        [Cell::Nothing, Cell::Call, Cell::Failed, Cell::Poll, Cell::Undo, Cell::Waits, Cell::Scopes, Cell::Asks];

    const fn sign(self) -> char {
        match self {
            Cell::Nothing => ' ',
            Cell::Waits => '·',
            Cell::Scopes => '─',
            Cell::Asks => '~',
            Cell::Call => '█',
            Cell::Poll => '▌',
            Cell::Undo => '«',
            Cell::Failed => '▒',
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Cell::Nothing => "",
            Cell::Waits => "waits",
            Cell::Scopes => "scopes inside",
            Cell::Asks => "sleeps, or waits for somebody",
            Cell::Call => "call",
            Cell::Poll => "poll",
            Cell::Undo => "undo",
            Cell::Failed => "failed call",
        }
    }
}

/// Microseconds since the run's start, with long idle times made short.
struct Axis {
    /// Where an idle time begins, how long it is, and how long it is shown.
    idle: Vec<(u64, u64, u64)>,
    /// How long all of it is shown.
    length: u64,
    total: u64,
}

impl Axis {
    fn of(view: &RunView, start: Timestamp) -> Self {
        let total = micros(view.took);
        let mut active: Vec<(u64, u64)> = view.lines().flat_map(|node| calls(node, start)).collect();
        active.extend(view.lines().flat_map(|node| open(node, start, total)));
        active.sort_unstable();
        let (mut idle, mut end, mut busy) = (Vec::new(), 0, 0);
        for (from, to) in active {
            if from > end {
                idle.push((end, from - end, from - end));
            }
            busy += to.saturating_sub(end.max(from));
            end = end.max(to);
        }
        if total > end {
            idle.push((end, total - end, total - end));
        }
        let room = if total < SHORT { total } else { busy.max(1).saturating_mul(IDLE) };
        let limit = limit(idle.iter().map(|(_, long, _)| *long).collect(), room);
        idle.iter_mut().for_each(|(_, long, shown)| *shown = (*long).min(limit));
        let length = busy + idle.iter().map(|(_, _, shown)| shown).sum::<u64>();
        Axis { idle, length: length.max(1), total }
    }

    /// The cell that a moment is shown in.
    fn cell(&self, at: u64) -> usize {
        let left_out: u64 = self
            .idle
            .iter()
            .take_while(|(from, ..)| *from < at)
            .map(|(from, long, shown)| (at - from).min(*long).saturating_sub(*shown))
            .sum();
        let shown = u128::from(at.saturating_sub(left_out));
        let cell = shown * BARS as u128 / u128::from(self.length);
        usize::try_from(cell).unwrap_or(BARS).min(BARS - 1)
    }

    /// The line below the bars, and what was left out of it.
    fn rule(&self) -> (String, u64) {
        let mut rule = vec!['─'; BARS];
        let mut left_out = 0;
        for (from, long, shown) in self.idle.iter().filter(|(_, long, shown)| shown < long) {
            // In the middle of what is shown of it.
            rule[self.cell(from + shown / 2)] = '┊';
            left_out += long - shown;
        }
        (rule.into_iter().collect(), left_out)
    }
}

/// The longest that an idle time may be shown, so that all together fill no more than `room`: the short ones stay whole.
fn limit(mut idle: Vec<u64>, room: u64) -> u64 {
    idle.sort_unstable();
    let (mut room, mut left) = (room, idle.len() as u64);
    for long in idle {
        let share = room / left.max(1);
        if long > share {
            return share.max(1);
        }
        room -= long;
        left -= 1;
    }
    u64::MAX
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The calls of a node, from and to.
fn calls(node: &NodeView, start: Timestamp) -> impl Iterator<Item = (u64, u64)> {
    node.attempts.iter().map(move |call| {
        let to = micros(call.ended_at.since(start));
        (to.saturating_sub(micros(call.took)), to)
    })
}

/// When scopes of a node were under way: what runs in them is not known here, but something did.
fn open(node: &NodeView, start: Timestamp, total: u64) -> impl Iterator<Item = (u64, u64)> {
    let open = node.phases.iter().filter(|phase| phase.status == NodeStatus::Open);
    open.map(move |phase| {
        let until = phase.until.map_or(total, |until| micros(until.since(start)));
        (micros(phase.since.since(start)), until)
    })
}

fn bar(node: &NodeView, axis: &Axis, start: Timestamp) -> Vec<Cell> {
    let mut cells = vec![Cell::Nothing; BARS];
    let mut fill = |from: u64, to: u64, cell: Cell| {
        for at in &mut cells[axis.cell(from)..=axis.cell(to.max(from))] {
            *at = (*at).max(cell);
        }
    };
    for phase in &node.phases {
        let cell = match phase.status {
            NodeStatus::Open => Cell::Scopes,
            NodeStatus::Sleeping | NodeStatus::Listening | NodeStatus::Parked => Cell::Asks,
            _ => Cell::Waits,
        };
        let until = phase.until.map_or(axis.total, |until| micros(until.since(start)));
        // A node without code is done at once.
        if phase.until != Some(phase.since) || cell != Cell::Waits {
            fill(micros(phase.since.since(start)), until.saturating_sub(1), cell);
        }
    }
    for ((from, to), call) in calls(node, start).zip(&node.attempts) {
        let cell = match call.kind {
            _ if call.failed => Cell::Failed,
            CallKind::Poll => Cell::Poll,
            CallKind::Undo => Cell::Undo,
            _ => Cell::Call,
        };
        fill(from, to.saturating_sub(1), cell);
    }
    cells
}

/// What stands behind a bar.
fn behind(node: &NodeView) -> String {
    if let Some(who) = &node.waits_for {
        return format!("waits for {who}");
    }
    let mut text = Vec::new();
    if node.calls > 0 {
        text.push(Span(node.busy).to_string());
    }
    if node.calls > 1 {
        text.push(format!("{} calls", node.calls));
    }
    match &node.said {
        Some(said) => text.push(said.clone()),
        None if node.calls == 0 && node.inner.is_none() => text.push(node.status.to_string()),
        None => {}
    }
    text.join("  ")
}

/// The beginning of a text on one line, without what a terminal would take for a command.
fn clipped(text: &str, width: usize) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    if text.chars().count() <= width {
        return plain.collect();
    }
    plain.take(width.saturating_sub(1)).chain(['…']).collect()
}

impl<'a> Timeline<'a> {
    /// The bars alone, without the line above that names the run and the one below that says how it ended: for those who
    /// say that elsewhere.
    #[must_use]
    pub const fn bars(self) -> Bars<'a> {
        Bars(self.0)
    }
}

/// The bars of a [`Timeline`].
#[derive(Clone, Copy, Debug)]
pub struct Bars<'a>(&'a RunView);

impl fmt::Display for Timeline<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = self.0;
        let head = format!("run {} of {}: {} after {}", view.run, view.flow, view.status, Span(view.took));
        writeln!(f, "{}", clipped(&head, COLUMNS))?;
        write!(f, "{}", self.bars())?;
        match &view.outcome {
            Some(outcome) if *outcome != crate::event::RunOutcome::Succeeded => {
                writeln!(f, "  {}", clipped(&outcome.to_string(), COLUMNS - 2))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Bars<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let view = self.0;
        let start = view.started_at;
        let axis = Axis::of(view, start);
        let names: Vec<String> = view.lines().map(|node| clipped(&node.title(), NAME)).collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let mut used = Vec::new();
        for (node, name) in view.lines().zip(&names) {
            let cells = bar(node, &axis, start);
            let bar: String = cells.iter().map(|cell| cell.sign()).collect();
            used.extend(cells);
            let behind = clipped(&behind(node), COLUMNS - width - BARS - 8);
            let line = format!("  {} {name:width$} │{bar}│ {behind}", node.status.sign());
            writeln!(f, "{}", line.trim_end())?;
        }
        let (rule, left_out) = axis.rule();
        write!(f, "    {:width$} └{rule}┘ {}", "", Span(view.took))?;
        if left_out > 0 {
            write!(f, ", ┊ idle {}", Span(Duration::from_micros(left_out)))?;
        }
        writeln!(f)?;
        let legend = Cell::ALL.into_iter().skip(1).filter(|cell| used.contains(cell));
        let legend: Vec<String> = legend.map(|cell| format!("{} {}", cell.sign(), cell.word())).collect();
        if legend.is_empty() { Ok(()) } else { writeln!(f, "    {}", legend.join("   ")) }
    }
}
