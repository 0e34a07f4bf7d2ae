//! A commit as the script takes it.

use crate::record::{body_of, digit_of, digit_of_status, of_commit, started_of, tail_of};
use crate::task;
use crate::wire::{Pack, Raw, told};
use vastflow_core::run::RunSummary;
use vastflow_core::{Name, Seq, Task, Timestamp};
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

/// What stands in a row: texts, numbers, bytes, and what lists show of a run.
enum Cell<'a> {
    Text(&'a str),
    Own(String),
    Number(u64),
    Bytes(Raw),
    Short(Short<'a>),
}

impl Pack for Cell<'_> {
    fn pack(&self, out: &mut Vec<u8>) {
        match self {
            Cell::Text(text) => text.pack(out),
            Cell::Own(text) => text.pack(out),
            Cell::Number(number) => number.pack(out),
            Cell::Bytes(bytes) => bytes.pack(out),
            Cell::Short(short) => short.pack(out),
        }
    }
}

told! {
    /// Commits as the script takes them, by columns: reading a name costs it as much as reading a value. What only some
    /// commits have are rows one after the other, each with the number of its commit first.
    #[derive(Default)]
    pub(crate) struct Columns<'a> {
        run: Vec<&'a str>,
        path: Vec<&'a str>,
        /// How long the journal must be, and how long it is then; under which field the record stands.
        expected: Vec<String>,
        after: Vec<String>,
        field: Vec<String>,
        record: Vec<Raw>,
        worker: Vec<String>,
        at: Vec<String>,
        /// Field and token of a task.
        settle: Vec<Cell<'a>>,
        /// Field of a task.
        obsolete: Vec<Cell<'a>>,
        /// Field of a task, from when on, how, lane.
        queue: Vec<Cell<'a>>,
        /// To whom, kind, body.
        messages: Vec<Cell<'a>>,
        control: Vec<Cell<'a>>,
        summary: Vec<Cell<'a>>,
    }
}

impl<'a> Columns<'a> {
    pub(crate) fn of(elements: Vec<Element<'a>>) -> Self {
        let mut columns = Columns::default();
        for (number, element) in (1..).zip(elements) {
            columns.add(number, element);
        }
        columns
    }

    fn add(&mut self, number: u64, element: Element<'a>) {
        self.run.push(element.run);
        self.path.push(element.path);
        self.expected.push(element.expected.to_string());
        self.after.push(element.expected.after(element.count).to_string());
        self.field.push(format!("j{} {}", element.expected, element.path));
        self.record.push(element.record);
        self.worker.push(element.worker);
        self.at.extend(element.at);
        let number = || Cell::Number(number);
        for (field, token) in element.settle {
            self.settle.extend([number(), Cell::Own(field), Cell::Number(token.into())]);
        }
        self.obsolete.extend(element.obsolete.into_iter().flat_map(|field| [number(), Cell::Own(field)]));
        for New { field, due, how, lane } in element.queue {
            self.queue.extend([number(), Cell::Own(field), Cell::Own(due), Cell::Text(how), Cell::Text(lane)]);
        }
        for Letter { to, kind, body } in element.messages {
            self.messages.extend([number(), Cell::Text(to), Cell::Number(kind.into()), Cell::Bytes(body)]);
        }
        self.control.extend(element.control.into_iter().flat_map(|control| [number(), Cell::Text(control)]));
        self.summary.extend(element.summary.into_iter().flat_map(|summary| [number(), Cell::Short(summary)]));
    }
}

told! {
    struct Short<'a> {
        flow: &'a str,
        /// What runs of the flow are counted together by.
        key: Option<&'a str>,
        plan: String,
        priority: i8,
        status: String,
        /// When it ended; empty while it has not.
        ended: String,
        tail: Raw,
        started: Option<Raw>,
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
        256 + self.tail.0.len() + self.started.as_ref().map_or(0, |started| started.0.len())
    }
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
    Ok(Short {
        flow: &summary.started.flow,
        key: summary.started.info.key.as_ref().map(Name::as_str),
        plan: summary.started.plan.to_string(),
        priority: summary.started.info.priority,
        status: digit_of_status(summary.status),
        ended: if summary.status.is_final() { text_of(ended) } else { String::new() },
        tail: tail_of(summary)?,
        started: started_of(commit, summary)?,
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
