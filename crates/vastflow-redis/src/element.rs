//! A commit as the script takes it.

use crate::record::{body_of, digit_of, digit_of_status, of_commit, started_of, tail_of};
use crate::task;
use crate::wire::{Raw, told};
use vastflow_core::run::RunSummary;
use vastflow_core::{Name, Timestamp};
use vastflow_store::{Commit, Message, NewTask, StoreError, WorkerId};

told! {
    /// One commit of a batch.
    pub(crate) struct Element<'a> {
        run: &'a str,
        path: &'a str,
        expected: u64,
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
}

told! {
    struct New<'a> {
        task: String,
        due: String,
        keep: bool,
        under_way: bool,
        lane: Option<&'a str>,
    }
}

told! {
    struct Letter<'a> {
        to: &'a str,
        kind: u32,
        body: Raw,
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
        Ok(Element {
            run: commit.scope.run(),
            path: commit.scope.path(),
            expected: commit.expected.0,
            count: commit.events.len(),
            record: of_commit(commit)?,
            worker: id_of(commit.worker),
            at: is_virtual.then(|| text_of(commit.at)),
            settle: commit.settle.iter().map(|(one, token)| (task::text_of(*one), token.0)).collect(),
            obsolete: commit.obsolete.iter().map(|one| task::text_of(*one)).collect(),
            queue: commit.queue.iter().map(new).collect(),
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

fn new(new: &NewTask) -> New<'_> {
    let NewTask { task, due, keep, is_under_way, lane } = new;
    let lane = lane.as_ref().map(Name::as_str);
    New { task: task::text_of(*task), due: text_of(*due), keep: *keep, under_way: *is_under_way, lane }
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
