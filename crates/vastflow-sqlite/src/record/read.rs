//! Reading records.

use super::{AppendHead, Body, Bytes, COMMIT, Head, Letter, PLAN, Short, Told, take};
use crate::fail;
use std::sync::Arc;
use vastflow_core::run::RunSummary;
use vastflow_core::{Event, Payload, RunId, RunOutcome, RunStarted, RunStatus, ScopeId, Seq, Timestamp, codec};
use vastflow_store::{Append, Message, OpId, StoreError};

/// Reads the append part of a commit.
pub(crate) fn read_append(bytes: &[u8]) -> Result<Append, StoreError> {
    let (AppendHead { first, at }, rest) = take(bytes)?;
    let (op, rest) = rest.split_first_chunk().ok_or_else(|| StoreError::corrupt("a record ends too early"))?;
    let events = codec::decode(rest).map_err(|why| fail::codec(&why))?;
    Ok(Append { first, at, op: OpId(u128::from_le_bytes(*op)), events })
}

/// The position of the first event of an append, whatever comes behind it.
pub(crate) fn first_of_append(bytes: &[u8]) -> Result<Seq, StoreError> {
    take::<AppendHead>(bytes).map(|(head, _)| head.first)
}

/// A record, read.
pub(crate) enum Entry<'a> {
    /// A plan was put.
    Plan(&'a str),
    /// A commit took effect.
    Commit(Box<Entered<'a>>),
}

/// A commit that took effect, read.
pub(crate) struct Entered<'a> {
    pub(crate) head: Head,
    /// The run's id, when the commit began it.
    pub(crate) run: Option<RunId>,
    pub(crate) path: &'a str,
    pub(crate) summary: Option<Summary>,
    messages: Vec<Letter<'a>>,
    pub(crate) append: Append,
    /// `append` as it was written.
    pub(crate) bytes: &'a [u8],
}

/// What a commit says about its run in short.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) status: RunStatus,
    pub(crate) started_at: Timestamp,
    pub(crate) ended_at: Option<Timestamp>,
    /// None when it is as it was.
    pub(crate) started: Option<Arc<RunStarted>>,
    pub(crate) outcome: Option<RunOutcome>,
    pub(crate) output: Option<Payload>,
}

impl Summary {
    /// The whole summary of a run that begins.
    pub(crate) fn whole(&self) -> Result<RunSummary, StoreError> {
        let missing = || StoreError::corrupt("a run begins without saying how");
        Ok(RunSummary {
            status: self.status,
            started_at: self.started_at,
            ended_at: self.ended_at,
            started: Arc::clone(self.started.as_ref().ok_or_else(missing)?),
            outcome: self.outcome.clone(),
            output: self.output.clone(),
        })
    }
}

impl<'a> Entry<'a> {
    /// Reads a record.
    pub(crate) fn read(record: &'a [u8]) -> Result<Self, StoreError> {
        match record.split_first() {
            Some((&PLAN, json)) => {
                let json = std::str::from_utf8(json).map_err(|_| StoreError::corrupt("a plan is not text"))?;
                Ok(Entry::Plan(json))
            }
            Some((&COMMIT, rest)) => Entered::read(rest).map(Box::new).map(Entry::Commit),
            Some((kind, _)) => Err(StoreError::corrupt(format!("a record is of the unknown kind {kind}"))),
            None => Err(StoreError::corrupt("a record is empty")),
        }
    }
}

impl<'a> Entered<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, StoreError> {
        let (head, rest): (Head, _) = take(bytes)?;
        let (body, bytes): (Body<'a>, _) = take(rest)?;
        let append = read_append(bytes)?;
        let run = body.run.map(RunId::new).transpose().map_err(|why| fail::codec(&why))?;
        let summary = body.summary.map(|short| short.read(&append.events)).transpose()?;
        Ok(Entered { head, run, path: body.path, summary, messages: body.messages, append, bytes })
    }

    /// The messages it sent, in order, to scopes of the run `id`.
    pub(crate) fn messages(&self, id: &RunId) -> impl Iterator<Item = Message> {
        self.messages.iter().map(|letter| Message {
            to: ScopeId::from_parts(id.clone(), letter.to),
            kind: letter.kind,
            body: letter.body.payload(),
        })
    }

    /// The same by path.
    pub(crate) fn letters(&self) -> impl Iterator<Item = (&'a str, u32, Payload)> {
        self.messages.iter().map(|letter| (letter.to, letter.kind, letter.body.payload()))
    }
}

impl Bytes<'_> {
    fn payload(&self) -> Payload {
        Payload::new(self.codec, self.bytes.to_vec())
    }
}

impl Short<'_> {
    fn read(self, events: &[Event]) -> Result<Summary, StoreError> {
        let event = |at: u32| usize::try_from(at).ok().and_then(|at| events.get(at));
        let wrong = || StoreError::corrupt("a record refers to an event that is not there");
        let started = match self.started {
            Told::Not => None,
            Told::Here(bytes) => Some(Arc::new(take(bytes)?.0)),
            Told::ByEvent(at) => match event(at) {
                Some(Event::RunStarted(started)) => Some(Arc::clone(started)),
                _ => return Err(wrong()),
            },
        };
        let outcome = match self.outcome {
            Told::Not => None,
            Told::Here(bytes) => Some(take(bytes)?.0),
            Told::ByEvent(at) => match event(at) {
                Some(Event::RunEnded { outcome }) => Some(outcome.clone()),
                _ => return Err(wrong()),
            },
        };
        let output = match self.output {
            Told::Not => None,
            Told::Here(bytes) => Some(bytes.payload()),
            Told::ByEvent(at) => match event(at) {
                Some(Event::NodeSucceeded { output, .. }) => Some(output.clone()),
                _ => return Err(wrong()),
            },
        };
        let Short { status, started_at, ended_at, .. } = self;
        Ok(Summary { status, started_at, ended_at, started, outcome, output })
    }
}
