//! One record of the log: a plan, or what one commit made true.
//!
//! ```text
//! record  = kind byte, then
//!   plan    = the plan's JSON text
//!   commit  = Head, Body, append          (Head and Body in postcard's wire format)
//! append  = first, at, op (postcard), then the events as vastflow_core::codec writes them
//! ```
//!
//! The part of a commit that needs no knowledge of the store ([`Draft`]) is encoded before the store is locked; the
//! [`Head`] is put in front of it once the ledger has said yes. The append part goes into the journal table as it
//! is. What is written twice in a commit (a result that is also the last node's output) is recorded once: see
//! [`Told`].

mod read;

pub(crate) use read::{Entered, Entry, Summary, first_of_append, read_append};

use crate::fail;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use vastflow_core::run::RunSummary;
use vastflow_core::{Codec, Event, Payload, RunOutcome, RunStarted, RunStatus, Seq, Timestamp, codec};
use vastflow_store::{Commit, Control, ControlWord, Message, OpId, StoreError};

const PLAN: u8 = 1;
const COMMIT: u8 = 2;

/// What the store knows of a commit that took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// The key of its run.
    pub(crate) key: u64,
    /// The run's control word, when the commit set it: its number and its revision.
    control: Option<(u8, u32)>,
    /// How many messages it took out of its scope's inbox.
    pub(crate) delivered: u32,
}

impl Head {
    pub(crate) fn new(key: u64, control: Option<ControlWord>, delivered: usize) -> Self {
        let control = control.map(|word| (number_of(word.control), word.revision));
        Head { key, control, delivered: u32::try_from(delivered).unwrap_or(u32::MAX) }
    }

    pub(crate) fn control(&self) -> Option<ControlWord> {
        self.control.map(|(number, revision)| ControlWord { control: control_of(number), revision })
    }
}

const CONTROLS: [Control; 4] = [Control::Running, Control::Held, Control::Stopping, Control::Killed];

fn number_of(control: Control) -> u8 {
    (0..).zip(CONTROLS).find(|(_, one)| *one == control).map_or(0, |(number, _)| number)
}

/// The control word with this number; the one that stops everything when the number is from the future.
fn control_of(number: u8) -> Control {
    CONTROLS.get(usize::from(number)).copied().unwrap_or(Control::Killed)
}

/// What a commit says by itself.
#[derive(Serialize, Deserialize)]
struct Body<'a> {
    /// The run's id, in its first commit; later ones are known by their key.
    run: Option<&'a str>,
    path: &'a str,
    #[serde(borrow)]
    summary: Option<Short<'a>>,
    #[serde(borrow)]
    messages: Vec<Letter<'a>>,
}

/// A [`RunSummary`] without what the commit's events tell anyway.
#[derive(Serialize, Deserialize)]
struct Short<'a> {
    status: RunStatus,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    #[serde(borrow)]
    started: Told<&'a [u8]>,
    #[serde(borrow)]
    outcome: Told<&'a [u8]>,
    #[serde(borrow)]
    output: Told<Bytes<'a>>,
}

/// Where to find something.
#[derive(Serialize, Deserialize)]
enum Told<T> {
    /// Nowhere: there is none, or it is as it was.
    Not,
    /// In this event of the same commit.
    ByEvent(u32),
    /// Here.
    Here(T),
}

#[derive(Serialize, Deserialize)]
struct Bytes<'a> {
    codec: Codec,
    bytes: &'a [u8],
}

#[derive(Serialize, Deserialize)]
struct Letter<'a> {
    to: &'a str,
    kind: u32,
    #[serde(borrow)]
    body: Bytes<'a>,
}

#[derive(Serialize, Deserialize)]
struct AppendHead {
    first: Seq,
    at: Timestamp,
    // The 16 bytes of the commit's name follow. Serde would take them one by one.
}

/// The record of a commit but for its head.
pub(crate) struct Draft(Vec<u8>);

impl Draft {
    /// Encodes what `commit` would make true.
    pub(crate) fn of(commit: &Commit) -> Result<Self, StoreError> {
        let is_first = commit.expected == Seq::ZERO && commit.scope.is_root();
        let owned = Owned::of(commit, is_first)?;
        let body = Body {
            run: is_first.then(|| commit.scope.run().as_str()),
            path: commit.scope.path(),
            summary: commit.summary.as_ref().map(|summary| owned.short(summary, &commit.events)),
            messages: commit.messages.iter().map(letter).collect(),
        };
        let out = to_extend(&body, Vec::with_capacity(256))?;
        append_events(commit.expected, commit.at, commit.op, &commit.events, out).map(Draft)
    }

    /// Appends the whole record, with its length before it, to `out`.
    pub(crate) fn finish(&self, head: Head, out: &mut Vec<u8>) -> Result<(), StoreError> {
        let mut small = [0; 32];
        let head = postcard::to_slice(&head, &mut small).map_err(|why| fail::codec(&why))?;
        push_framed(&[&[COMMIT], head, &self.0], out)
    }
}

/// Parts of a summary that have to be encoded on their own to be borrowed.
struct Owned {
    started: Option<Vec<u8>>,
    outcome: Option<Vec<u8>>,
}

impl Owned {
    fn of(commit: &Commit, is_first: bool) -> Result<Self, StoreError> {
        let mut owned = Owned { started: None, outcome: None };
        let Some(summary) = &commit.summary else { return Ok(owned) };
        if is_first && !tells_start(commit.events.first(), &summary.started) {
            owned.started = Some(to_extend(&*summary.started, Vec::new())?);
        }
        if let Some(outcome) = summary.outcome.as_ref().filter(|outcome| end_in(&commit.events, outcome).is_none()) {
            owned.outcome = Some(to_extend(outcome, Vec::new())?);
        }
        Ok(owned)
    }

    fn short<'a>(&'a self, summary: &'a RunSummary, events: &[Event]) -> Short<'a> {
        Short {
            status: summary.status,
            started_at: summary.started_at,
            ended_at: summary.ended_at,
            started: match &self.started {
                Some(bytes) => Told::Here(bytes),
                None if tells_start(events.first(), &summary.started) => Told::ByEvent(0),
                None => Told::Not,
            },
            outcome: match (&self.outcome, &summary.outcome) {
                (Some(bytes), _) => Told::Here(bytes),
                (None, Some(outcome)) => end_in(events, outcome).map_or(Told::Not, Told::ByEvent),
                (None, None) => Told::Not,
            },
            output: match &summary.output {
                Some(output) => output_in(events, output).map_or_else(|| Told::Here(bytes_of(output)), Told::ByEvent),
                None => Told::Not,
            },
        }
    }
}

fn tells_start(event: Option<&Event>, started: &Arc<RunStarted>) -> bool {
    matches!(event, Some(Event::RunStarted(told)) if Arc::ptr_eq(told, started) || told == started)
}

fn end_in(events: &[Event], wanted: &RunOutcome) -> Option<u32> {
    (0..).zip(events).find(|(_, event)| matches!(event, Event::RunEnded { outcome } if outcome == wanted)).map(at)
}

fn output_in(events: &[Event], wanted: &Payload) -> Option<u32> {
    let is_it = |event: &Event| matches!(event, Event::NodeSucceeded { output, .. } if output == wanted);
    (0..).zip(events).find(|(_, event)| is_it(event)).map(at)
}

const fn at((at, _): (u32, &Event)) -> u32 {
    at
}

fn bytes_of(payload: &Payload) -> Bytes<'_> {
    Bytes { codec: payload.codec(), bytes: payload.bytes() }
}

fn letter(message: &Message) -> Letter<'_> {
    Letter { to: message.to.path(), kind: message.kind, body: bytes_of(&message.body) }
}

/// Appends a plan's record, with its length before it, to `out`.
pub(crate) fn push_plan(json: &str, out: &mut Vec<u8>) -> Result<(), StoreError> {
    push_framed(&[&[PLAN], json.as_bytes()], out)
}

/// Appends the parts with their length, 4 bytes, before them.
pub(crate) fn push_framed(parts: &[&[u8]], out: &mut Vec<u8>) -> Result<(), StoreError> {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    let len = u32::try_from(len).map_err(|_| StoreError::Invalid("it is larger than 4 GiB".into()))?;
    out.extend_from_slice(&len.to_le_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
    Ok(())
}

/// The parts that [`push_framed`] appended one after another; an error as the last when the bytes end too early.
pub(crate) fn framed(mut bytes: &[u8]) -> impl Iterator<Item = Result<&[u8], StoreError>> {
    std::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let cut = bytes
            .split_first_chunk::<4>()
            .and_then(|(len, rest)| rest.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?));
        let (part, rest) = cut.unwrap_or_default();
        bytes = rest;
        Some(if cut.is_some() { Ok(part) } else { Err(StoreError::corrupt("a record ends too early")) })
    })
}

fn append_events(first: Seq, at: Timestamp, op: OpId, events: &[Event], out: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    let mut out = to_extend(&AppendHead { first, at }, out)?;
    out.extend_from_slice(&op.0.to_le_bytes());
    codec::encode(events, out).map_err(|why| StoreError::Invalid(format!("its events cannot be written: {why}")))
}

pub(crate) fn to_extend(value: &impl Serialize, out: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    postcard::to_extend(value, out).map_err(|why| fail::codec(&why))
}

pub(crate) fn take<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<(T, &'a [u8]), StoreError> {
    postcard::take_from_bytes(bytes).map_err(|why| fail::codec(&why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use vastflow_core::{RunId, ScopeId};
    use vastflow_testsuite::fixture::{self, Story, attempt};

    fn record(commit: &Commit, head: Head) -> Vec<u8> {
        let mut out = Vec::new();
        Draft::of(commit).unwrap().finish(head, &mut out).unwrap();
        let records: Vec<&[u8]> = framed(&out).map(Result::unwrap).collect();
        records[0].to_vec()
    }

    fn commits() -> Vec<Commit> {
        let mut story = Story::new(fixture::wide(1), "r");
        let mut commits = vec![story.start(), story.finish(attempt(0, 1))];
        for (number, commit) in (1..).zip(&mut commits) {
            commit.op = OpId(number);
        }
        commits[0].control = Some(Control::Held);
        commits[0].messages = vec![fixture::message(&fixture::inner("r", "1"), 300)];
        commits
    }

    #[test]
    fn records_come_back_as_they_were() {
        let word = ControlWord { control: Control::Held, revision: 1 };
        for (commit, head) in commits().iter().zip([Head::new(7, Some(word), 0), Head::new(300, None, 513)]) {
            let record = record(commit, head);
            let Entry::Commit(read) = Entry::read(&record).unwrap() else { panic!("a commit") };
            assert_eq!((read.head, read.head.control(), read.path), (head, commit.control.map(|_| word), ""));
            assert_eq!(read.run.is_some(), commit.expected == Seq::ZERO);
            assert_eq!(read.append.events, commit.events);
            assert_eq!((read.append.first, read.append.at, read.append.op), (commit.expected, commit.at, commit.op));
            assert_eq!(read_append(read.bytes).unwrap(), read.append);
            let id = RunId::new("r").unwrap();
            assert_eq!(read.messages(&id).collect::<Vec<_>>(), commit.messages);
            let (read, wrote) = (read.summary.unwrap(), commit.summary.as_ref().unwrap());
            assert_eq!((read.status, &read.outcome, &read.output), (wrote.status, &wrote.outcome, &wrote.output));
            assert_eq!(read.started.is_some(), commit.expected == Seq::ZERO);
        }
    }

    #[test]
    fn a_summary_that_the_events_do_not_tell_is_written_in_full() {
        let story = commits();
        let mut commit = fixture::commit(&ScopeId::root(fixture::run_id("r")), 0);
        commit.summary.clone_from(&story[1].summary);
        let record = record(&commit, Head::new(0, None, 0));
        let Entry::Commit(read) = Entry::read(&record).unwrap() else { panic!("a commit") };
        assert_eq!(Some(read.summary.unwrap().whole().unwrap()), commit.summary.as_deref().cloned());
    }

    /// What version 1 wrote is read for ever: these bytes must not change.
    #[test]
    fn the_format_stays_as_it_is() {
        let word = ControlWord { control: Control::Held, revision: 1 };
        let started = Arc::new(RunStarted {
            flow: fixture::name("f"),
            plan: "000102030405060708090a0b0c0d0e0f".parse().unwrap(),
            seed: 5,
            input: fixture::payload("7"),
            context: Vec::new(),
            info: Default::default(),
            origin: None,
            queued: false,
        });
        let mut commit = fixture::commit(&fixture::root("r"), 0);
        (commit.op, commit.at) = (OpId(0x0102), Timestamp::from_millis(9));
        commit.messages = vec![fixture::message(&fixture::inner("r", "1"), 300)];
        commit.events = vec![Event::RunStarted(Arc::clone(&started))];
        commit.summary = Some(Arc::new(RunSummary {
            status: RunStatus::Running,
            started_at: Timestamp::from_millis(9),
            ended_at: None,
            started,
            outcome: None,
            output: None,
        }));
        check(
            &record(&commit, Head::new(7, Some(word), 2)),
            "0207010101020101720001010900010000000107656163685b315dac0200033330300009020100000000000000000000000000000101000166000102030405060708090a0b0c0d0e0f050001370000000000000000000000",
        );
        (commit.expected, commit.messages, commit.summary) = (Seq(1), Vec::new(), None);
        commit.events = vec![Event::RunTimedOut];
        check(
            &record(&commit, Head::new(300, None, 0)),
            "02ac02000000000000010902010000000000000000000000000000010109",
        );
        let mut plan = Vec::new();
        push_plan("{}", &mut plan).unwrap();
        check(&plan, "03000000017b7d");
    }

    fn check(record: &[u8], expected: &str) {
        let hex: String = record.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected);
    }

    #[test]
    fn damaged_records_are_errors() {
        let record = record(&commits()[0], Head::new(7, None, 0));
        for len in 0..record.len() {
            assert!(Entry::read(&record[..len]).is_err(), "cut at {len}");
        }
        assert!(Entry::read(&[9, 1, 2]).is_err());
    }
}
