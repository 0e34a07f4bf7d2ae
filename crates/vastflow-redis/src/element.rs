//! A commit as the script takes it.

use crate::record::{body_of, digit_of, digit_of_status, of_commit, started_of, tail_of};
use crate::task;
use crate::wire::{Column, Pack, Raw, told};
use rustc_hash::FxHashMap;
use vastflow_core::run::RunSummary;
use vastflow_core::{Name, PlanHash, Seq, Task, Timestamp};
use vastflow_store::{Commit, Message, NewTask, StoreError, WorkerId};

/// One commit of a batch.
pub(crate) struct Element<'a> {
    run: &'a str,
    path: &'a str,
    expected: Seq,
    count: usize,
    record: Raw,
    worker: String,
    /// When it was made; said only where time is virtual.
    at: Option<String>,
    settle: Vec<(String, u32)>,
    obsolete: Vec<String>,
    queue: Vec<New<'a>>,
    messages: Vec<Letter<'a>>,
    control: Option<&'static str>,
    summary: Option<Short<'a>>,
    is_link: bool,
}

struct New<'a> {
    field: String,
    due: String,
    /// What its worker does with it: `k`eeps it, or has it `u`nder way.
    how: &'static str,
    lane: &'a str,
}

struct Letter<'a> {
    to: &'a str,
    kind: u32,
    body: Raw,
}

/// What lists show of a run, and how it began.
struct Short<'a> {
    kind: Kind<'a>,
    status: String,
    /// When it ended; empty while it has not.
    ended: String,
    tail: Raw,
}

/// What a run begins with besides its name and input; mostly many begin with the same.
#[derive(PartialEq, Eq, Hash)]
struct Kind<'a> {
    flow: &'a str,
    plan: PlanHash,
    priority: i8,
    /// What runs of the flow are counted together by.
    key: Option<&'a str>,
    /// How it began, if its first commit does not tell it.
    started: Option<Raw>,
}

impl Pack for Kind<'_> {
    fn pack(&self, out: &mut Vec<u8>) {
        let key = self.key.map_or(Cell::Nothing, Cell::Text);
        let started = self.started.clone().map_or(Cell::Nothing, Cell::Bytes);
        let (plan, priority) = (Cell::Own(self.plan.to_string()), Cell::Own(self.priority.to_string()));
        [Cell::Text(self.flow), plan, priority, key, started].pack(out);
    }
}

/// What stands in a list: texts, numbers, bytes, and nothing.
enum Cell<'a> {
    Text(&'a str),
    Own(String),
    Number(u64),
    Bytes(Raw),
    Nothing,
}

impl Pack for Cell<'_> {
    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Cell::Text(text) => text.pack(out),
            Cell::Own(text) => text.pack(out),
            Cell::Number(number) => number.pack(out),
            Cell::Bytes(bytes) => bytes.pack(out),
            Cell::Nothing => false.pack(out),
        }
    }
}

/// What one commit has of one kind, one value after the other.
type List<'a> = Vec<Cell<'a>>;

told! {
    /// Commits as the script takes them, by columns: reading a name costs it as much as reading a value. `commit.lua` says
    /// which values stand in the lists.
    #[derive(Default)]
    pub(crate) struct Columns<'a> {
        run: Vec<&'a str>,
        record: Vec<Raw>,
        worker: Column<String>,
        at: Vec<String>,
        begun: Column<usize>,
        kinds: Vec<Kind<'a>>,
        status: Column<String>,
        ended: Column<String>,
        tail: Column<Raw>,
        /// Of links of a chain: how the root's head stands and will stand, and the field of the record.
        was: Column<String>,
        will: Column<String>,
        field: Column<String>,
        /// Of all others: how long the journal must be, and how long it is then, and the rest.
        path: Column<&'a str>,
        expected: Column<String>,
        after: Column<String>,
        control: Column<&'static str>,
        settle: Column<List<'a>>,
        obsolete: Column<List<'a>>,
        queue: Column<List<'a>>,
        messages: Column<List<'a>>,
    }
}

impl<'a> Columns<'a> {
    pub(crate) fn of(elements: Vec<Element<'a>>) -> Self {
        let (mut columns, mut times) = (Columns::default(), FxHashMap::<&str, usize>::default());
        let mut numbers = FxHashMap::default();
        for element in &elements {
            *times.entry(element.run).or_default() += 1;
        }
        for element in elements {
            let is_alone = times.get(element.run) == Some(&1);
            columns.add(element, is_alone, &mut numbers);
        }
        let mut kinds: Vec<_> = numbers.into_iter().collect();
        kinds.sort_unstable_by_key(|(_, number)| *number);
        columns.kinds = kinds.into_iter().map(|(kind, _)| kind).collect();
        columns
    }

    /// Adds a commit; one that is the only one of its run may be a link of a chain.
    fn add(&mut self, element: Element<'a>, is_alone: bool, numbers: &mut FxHashMap<Kind<'a>, usize>) {
        self.run.push(element.run);
        self.at.extend(element.at.clone());
        let is_link = element.is_link && is_alone;
        if is_link {
            self.link(&element)
        } else {
            self.other(&element)
        }
        // Who has the call says so in the head.
        let goes_on = is_link && element.summary.is_none();
        self.worker.push((!goes_on).then_some(element.worker));
        let is_first = element.expected == Seq::ZERO;
        self.show(element.summary, is_first, numbers);
        self.record.push(element.record);
        let flat = |list: List<'a>| (!list.is_empty()).then_some(list);
        let (mut settle, mut queue) = (List::new(), List::new());
        if !is_link {
            for (field, token) in element.settle {
                settle.extend([Cell::Own(field), Cell::Number(token.into())]);
            }
            for New { field, due, how, lane } in element.queue {
                queue.extend([Cell::Own(field), Cell::Own(due), Cell::Text(how), Cell::Text(lane)]);
            }
        }
        let letter = |Letter { to, kind, body }| [Cell::Text(to), Cell::Number(kind.into()), Cell::Bytes(body)];
        self.settle.push(flat(settle));
        self.queue.push(flat(queue));
        self.obsolete.push(flat(element.obsolete.into_iter().map(Cell::Own).collect()));
        self.messages.push(flat(element.messages.into_iter().flat_map(letter).collect()));
    }

    /// What is new in lists. Kinds of runs that begin have numbers, from 1 on.
    fn show(&mut self, short: Option<Short<'a>>, is_first: bool, numbers: &mut FxHashMap<Kind<'a>, usize>) {
        let Some(Short { kind, status, ended, tail }) = short else {
            self.begun.push(None);
            self.status.push(None);
            self.ended.push(None);
            return self.tail.push(None);
        };
        let next = numbers.len() + 1;
        self.begun.push(is_first.then(|| *numbers.entry(kind).or_insert(next)));
        self.status.push(Some(status));
        self.ended.push((!ended.is_empty()).then_some(ended));
        self.tail.push(Some(tail));
    }

    /// A link of a chain: nothing is said of it but what is compared and what is set.
    fn link(&mut self, element: &Element<'a>) {
        let Element { expected, count, worker, .. } = element;
        let head = |length: Seq, call: Option<&str>| match call {
            Some(call) => format!("{length} {call} {worker}"),
            None => length.to_string(),
        };
        let (before, next) = (element.settle.first(), element.queue.first());
        let was = before.map_or_else(String::new, |(call, _)| head(*expected, Some(call)));
        self.was.push(Some(was));
        self.will.push(Some(head(expected.after(*count), next.map(|new| new.field.as_str()))));
        self.field.push(Some(format!("j{expected}")));
        self.path.push(None);
        self.expected.push(None);
        self.after.push(None);
        self.control.push(None);
    }

    fn other(&mut self, element: &Element<'a>) {
        self.was.push(None);
        self.will.push(None);
        self.field.push(None);
        self.path.push(Some(element.path));
        self.expected.push(Some(element.expected.to_string()));
        self.after.push(Some(element.expected.after(element.count).to_string()));
        self.control.push(element.control);
    }
}

impl<'a> Element<'a> {
    pub(crate) fn of(commit: &'a Commit, is_virtual: bool) -> Result<Self, StoreError> {
        check_form(commit)?;
        let field = |task| field_of(task, commit.scope.path());
        Ok(Element {
            run: commit.scope.run(),
            path: commit.scope.path(),
            expected: commit.expected,
            count: commit.events.len(),
            record: of_commit(commit)?,
            worker: id_of(commit.worker),
            at: is_virtual.then(|| text_of(commit.at)),
            settle: commit.settle.iter().map(|(one, token)| (field(*one), token.0)).collect(),
            obsolete: commit.obsolete.iter().map(|one| field(*one)).collect(),
            queue: commit.queue.iter().map(|one| new(one, field(one.task))).collect(),
            messages: commit.messages.iter().map(letter).collect(),
            control: commit.control.map(digit_of),
            summary: commit.summary.as_ref().map(|summary| short(commit, summary)).transpose()?,
            is_link: is_link(commit),
        })
    }
}

impl Element<'_> {
    /// About how many bytes it takes on its way.
    pub(crate) fn size(&self) -> usize {
        let letters: usize = self.messages.iter().map(|letter| letter.to.len() + letter.body.0.len() + 32).sum();
        let rows = 64 * (self.settle.len() + self.obsolete.len() + self.queue.len());
        let summary = self.summary.as_ref().map_or(0, Short::size);
        256 + self.record.0.len() + letters + rows + summary
    }
}

impl Short<'_> {
    fn size(&self) -> usize {
        256 + self.tail.0.len() + self.kind.started.as_ref().map_or(0, |started| started.0.len())
    }
}

/// How many events of a root stand in the run's own hash; `tasks.lua` knows the same number.
const NEAR: u64 = 64;

/// Whether a commit does what most do: its root begins with a call in the worker's own hands, goes from one call to the
/// next in the same hands, or ends after one.
fn is_link(commit: &Commit) -> bool {
    let is_short = commit.scope.is_root() && commit.expected.0 < NEAR;
    let is_plain = commit.obsolete.is_empty() && commit.messages.is_empty() && commit.control.is_none();
    let is_kept = |new: &NewTask| {
        let is_at_once = new.due == Timestamp::default() && new.lane.is_none();
        new.keep && !new.is_under_way && is_at_once && new.task.takes_slot()
    };
    let form = match (&commit.settle[..], &commit.queue[..]) {
        ([], [next]) => commit.expected == Seq::ZERO && commit.summary.is_some() && is_kept(next),
        ([(call, token)], [next]) => call.takes_slot() && token.0 == 1 && commit.summary.is_none() && is_kept(next),
        ([(call, token)], []) => call.takes_slot() && token.0 == 1 && commit.summary.is_some(),
        _ => false,
    };
    is_short && is_plain && form
}

fn check_form(commit: &Commit) -> Result<(), StoreError> {
    let wrong = |what: &str| Err(StoreError::Invalid(what.into()));
    if commit.events.is_empty() {
        return wrong("it has no event");
    }
    if !commit.scope.is_root() && (commit.control.is_some() || commit.summary.is_some()) {
        return wrong("only a root scope changes the control word or the summary");
    }
    if commit.messages.iter().any(|message| message.to.run() != commit.scope.run()) {
        return wrong("a message goes to a scope of another run");
    }
    Ok(())
}

/// What finds a task in its run: its text, and its scope unless that is the root.
fn field_of(task: Task, path: &str) -> String {
    let mut field = task::text_of(task);
    if !path.is_empty() {
        field.push(' ');
        field.push_str(path);
    }
    field
}

fn new(new: &NewTask, field: String) -> New<'_> {
    let how = if new.is_under_way {
        "u"
    } else if new.keep {
        "k"
    } else {
        ""
    };
    New { field, due: text_of(new.due), how, lane: new.lane.as_ref().map_or("", Name::as_str) }
}

fn letter(message: &Message) -> Letter<'_> {
    Letter { to: message.to.path(), kind: message.kind, body: body_of(&message.body) }
}

fn short<'a>(commit: &Commit, summary: &'a RunSummary) -> Result<Short<'a>, StoreError> {
    let ended = summary.ended_at.unwrap_or_default();
    let started = &summary.started;
    let kind = Kind {
        flow: &started.flow,
        plan: started.plan,
        priority: started.info.priority,
        key: started.info.key.as_ref().map(Name::as_str),
        started: started_of(commit, summary)?,
    };
    Ok(Short {
        kind,
        status: digit_of_status(summary.status),
        ended: if summary.status.is_final() { text_of(ended) } else { String::new() },
        tail: tail_of(summary)?,
    })
}

/// A time as the scripts take it: Lua cannot hold the largest as numbers.
pub(crate) fn text_of(time: Timestamp) -> String {
    time.millis().to_string()
}

/// A worker as it stands in keys.
pub(crate) fn id_of(worker: WorkerId) -> String {
    format!("{:016x}", worker.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_know_how_much_stands_in_a_runs_own_hash() {
        assert!(include_str!("lua/tasks.lua").contains(&format!("\nlocal NEAR = {NEAR}\n")));
    }
}
