//! Many batches of the log as what they change in the tables: a run and a scope once each.

use crate::batch;
use crate::record::{Entered, Entry, Summary, push_framed};
use std::collections::BTreeMap;
use std::fmt::Write;
use vastflow_core::{Payload, RunId, Seq, Timestamp};
use vastflow_store::{Append, ControlWord, StoreError};

/// What some batches change.
#[derive(Default)]
pub(super) struct Fold<'a> {
    pub(super) plans: Vec<&'a str>,
    /// Runs by key.
    pub(super) runs: BTreeMap<u64, RunChange>,
    /// Journals by run and path.
    pub(super) journals: BTreeMap<(u64, &'a str), Rows>,
    /// In the order in which they happened.
    pub(super) mail: Vec<Mail<'a>>,
}

/// What changed of a run.
#[derive(Default)]
pub(super) struct RunChange {
    /// Its id, when it began.
    pub(super) began: Option<RunId>,
    pub(super) summary: Option<Summary>,
    pub(super) control: Option<ControlWord>,
    /// The new length of its root journal.
    pub(super) len: Option<Seq>,
}

/// A row of a journal.
pub(super) struct Rows {
    pub(super) first: Seq,
    pub(super) at: Timestamp,
    pub(super) events: Vec<u8>,
    /// The position behind the last of them.
    pub(super) end: Seq,
    /// Whether the scope is over after them; none when they do not change that.
    pub(super) ended: Option<bool>,
    what: Vec<(&'static str, usize)>,
}

/// What happened to an inbox.
pub(super) enum Mail<'a> {
    Sent { run: u64, from: &'a str, to: &'a str, kind: u32, body: Payload },
    Delivered { run: u64, path: &'a str, count: u32 },
}

impl<'a> Fold<'a> {
    /// Takes in a batch.
    pub(super) fn add(&mut self, blob: &'a [u8]) -> Result<(), StoreError> {
        for record in batch::open(blob)? {
            match Entry::read(record?)? {
                Entry::Plan(json) => self.plans.push(json),
                Entry::Commit(commit) => self.commit(*commit)?,
            }
        }
        Ok(())
    }

    fn commit(&mut self, commit: Entered<'a>) -> Result<(), StoreError> {
        let key = commit.head.key;
        for (to, kind, body) in commit.letters() {
            self.mail.push(Mail::Sent { run: key, from: commit.path, to, kind, body });
        }
        if commit.head.delivered > 0 {
            self.mail.push(Mail::Delivered { run: key, path: commit.path, count: commit.head.delivered });
        }
        let append = &commit.append;
        let journal = self.journals.entry((key, commit.path)).or_insert_with(|| Rows::at(append.first, append.at));
        journal.add(commit.bytes, append)?;
        if commit.path.is_empty() {
            let run = self.runs.entry(key).or_default();
            run.len = Some(append.first.after(append.events.len()));
            run.change(commit);
        }
        Ok(())
    }

    /// The journals that went on, by run and path, and how far.
    pub(super) fn lengths(&self) -> impl Iterator<Item = (u64, &'a str, Seq)> {
        self.journals.iter().map(|((key, path), rows)| (*key, *path, rows.end))
    }

    /// The keys of the runs that ended.
    pub(super) fn finished(&self) -> impl Iterator<Item = u64> {
        self.runs.iter().filter(|(_, run)| run.has_ended()).map(|(key, _)| *key)
    }
}

impl RunChange {
    fn change(&mut self, commit: Entered<'_>) {
        if commit.run.is_some() {
            self.began = commit.run;
        }
        self.control = commit.head.control().or(self.control);
        if let Some(mut summary) = commit.summary {
            summary.started = summary.started.or_else(|| self.summary.take()?.started);
            self.summary = Some(summary);
        }
    }

    pub(super) fn has_ended(&self) -> bool {
        self.summary.as_ref().is_some_and(|summary| summary.status.is_final())
    }
}

impl Rows {
    fn at(first: Seq, at: Timestamp) -> Self {
        // Room for what a few nodes with small results leave behind.
        Rows { first, at, events: Vec::with_capacity(512), end: first, ended: None, what: Vec::with_capacity(4) }
    }

    fn add(&mut self, bytes: &[u8], append: &Append) -> Result<(), StoreError> {
        push_framed(&[bytes], &mut self.events)?;
        let head = append.head();
        self.end = head.end;
        self.ended = head.ends.or(self.ended);
        for event in &append.events {
            match self.what.last_mut() {
                Some((name, count)) if *name == event.name() => *count += 1,
                _ => self.what.push((event.name(), 1)),
            }
        }
        Ok(())
    }

    /// The kinds of its events, for people.
    pub(super) fn what(&self) -> String {
        self.what.iter().fold(String::with_capacity(64), |mut text, (name, count)| {
            let space = if text.is_empty() { "" } else { " " };
            // Writing to a string cannot fail.
            let _ = match count {
                1 => write!(text, "{space}{name}"),
                count => write!(text, "{space}{name}×{count}"),
            };
            text
        })
    }
}
