//! What is kept as bytes: appends to journals, messages, and how a run ended.

use crate::wire::Raw;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use vastflow_core::run::RunSummary;
use vastflow_core::{
    Codec, Event, Payload, Recorded, RunId, RunOutcome, RunStarted, RunStatus, ScopeId, Seq, Timestamp, codec,
};
use vastflow_store::{Commit, Control, ControlWord, Message, RunRow, StoreError};

/// The bytes before the events of a record: the commit's name (16), the time (8), how many events there are (4). The
/// scripts read the name and the number, and nothing else.
const HEAD: usize = 28;

/// What a commit appends.
pub(crate) fn of_commit(commit: &Commit) -> Result<Raw, StoreError> {
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(&commit.op.0.to_le_bytes());
    out.extend_from_slice(&commit.at.millis().to_le_bytes());
    let count = u32::try_from(commit.events.len()).map_err(|_| StoreError::Invalid("it has too many events".into()))?;
    out.extend_from_slice(&count.to_le_bytes());
    codec::encode(&commit.events, out).map(Raw).map_err(|why| StoreError::Invalid(why.to_string()))
}

/// The events of a record that begins at a position.
pub(crate) fn events_of(first: u64, record: &[u8]) -> Result<Vec<Recorded>, StoreError> {
    let damaged = || StoreError::corrupt("a record of a journal is shorter than its head");
    let (head, events) = record.split_at_checked(HEAD).ok_or_else(damaged)?;
    let at = head[16..24].try_into().map(u64::from_le_bytes).map_err(|_| damaged())?;
    let events = codec::decode(events).map_err(|why| StoreError::corrupt(format!("a journal: {why}")))?;
    let at = Timestamp::from_millis(at);
    Ok((first..).map(Seq).zip(events).map(|(seq, event)| Recorded { seq, at, event }).collect())
}

/// A message's body, with the byte that says how to read it.
pub(crate) fn body_of(payload: &Payload) -> Raw {
    let codec = match payload.codec() {
        Codec::Bytes => b'b',
        _ => b'j',
    };
    let mut out = Vec::with_capacity(1 + payload.len());
    out.push(codec);
    out.extend_from_slice(payload.bytes());
    Raw(out)
}

/// A message that waited in an inbox, with who sent it.
pub(crate) fn message_of(kept: &[u8], to: &ScopeId) -> Result<(ScopeId, Message), StoreError> {
    let (from, kind, body): (String, u32, Raw) = crate::wire::unpack(kept)?;
    let (codec, bytes) = match body.0.split_first() {
        Some((b'b', bytes)) => (Codec::Bytes, bytes),
        Some((b'j', bytes)) => (Codec::Json, bytes),
        _ => return Err(StoreError::corrupt("a message is of no known form")),
    };
    let from = ScopeId::from_parts(to.run().clone(), &from);
    Ok((from, Message { to: to.clone(), kind, body: Payload::new(codec, bytes.to_vec()) }))
}

/// What lists show of a run besides how it began, which its journal tells.
#[derive(Serialize, Deserialize)]
struct Tail<'a> {
    status: RunStatus,
    started_at: Timestamp,
    ended_at: Option<Timestamp>,
    outcome: Cow<'a, Option<RunOutcome>>,
    output: Cow<'a, Option<Payload>>,
}

pub(crate) fn tail_of(summary: &RunSummary) -> Result<Raw, StoreError> {
    let RunSummary { status, started_at, ended_at, outcome, output, .. } = summary;
    let tail = Tail {
        status: *status,
        started_at: *started_at,
        ended_at: *ended_at,
        outcome: Cow::Borrowed(outcome),
        output: Cow::Borrowed(output),
    };
    to_raw(&tail)
}

/// How a run began, if the commit's own events do not tell it.
pub(crate) fn started_of(commit: &Commit, summary: &RunSummary) -> Result<Option<Raw>, StoreError> {
    match commit.events.first() {
        _ if commit.expected != Seq::ZERO => Ok(None),
        Some(Event::RunStarted(started)) if *started == summary.started => Ok(None),
        _ => to_raw(&*summary.started).map(Some),
    }
}

fn to_raw(value: &impl Serialize) -> Result<Raw, StoreError> {
    postcard::to_extend(value, Vec::new()).map(Raw).map_err(|why| StoreError::Invalid(why.to_string()))
}

/// A run as the scripts show it: its key, id, length, control word, tail, how it began, its first record.
#[derive(Deserialize)]
pub(crate) struct Row(String, String, u64, u8, u32, Raw, Raw, Raw);

impl Row {
    pub(crate) fn read(self) -> Result<RunRow, StoreError> {
        let Row(key, id, len, control, revision, tail, started, first) = self;
        let wrong = |what: &str| StoreError::corrupt(format!("run {id}: {what}"));
        let tail: Tail<'_> = postcard::from_bytes(&tail.0).map_err(|_| wrong("its summary cannot be read"))?;
        let started = match started.0.as_slice() {
            [] => begun_by(&first.0)?.ok_or_else(|| wrong("its journal does not say how it began"))?,
            bytes => postcard::from_bytes(bytes).map(Arc::new).map_err(|_| wrong("its beginning cannot be read"))?,
        };
        let summary = RunSummary {
            status: tail.status,
            started_at: tail.started_at,
            ended_at: tail.ended_at,
            started,
            outcome: tail.outcome.into_owned(),
            output: tail.output.into_owned(),
        };
        let id = RunId::new(&id).map_err(|why| StoreError::corrupt(why.to_string()))?;
        Ok(RunRow { key: number(&key)?, id, len: Seq(len), control: word(control, revision), summary })
    }
}

fn begun_by(record: &[u8]) -> Result<Option<Arc<RunStarted>>, StoreError> {
    let first = events_of(0, record)?.into_iter().next();
    Ok(first.and_then(|recorded| match recorded.event {
        Event::RunStarted(started) => Some(started),
        _ => None,
    }))
}

/// A whole number that the server wrote; scores of sorted sets may come with an exponent.
pub(crate) fn number(text: &str) -> Result<u64, StoreError> {
    if let Ok(number) = text.parse() {
        return Ok(number);
    }
    let number: f64 = text.parse().map_err(|_| StoreError::corrupt(format!("{text:?} is no number")))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it saturates, as times do")]
    Ok(number as u64)
}

const CONTROLS: [(Control, &str); 4] =
    [(Control::Running, "0"), (Control::Held, "1"), (Control::Stopping, "2"), (Control::Killed, "3")];

/// The digit of a control word.
pub(crate) fn digit_of(control: Control) -> &'static str {
    CONTROLS.iter().find(|(one, _)| *one == control).map_or("0", |(_, digit)| digit)
}

/// The control word with this number; the one that stops everything when the number is from the future.
pub(crate) fn word(number: u8, revision: u32) -> ControlWord {
    let control = CONTROLS.get(usize::from(number)).map_or(Control::Killed, |(control, _)| *control);
    ControlWord { control, revision }
}

const STATUSES: [RunStatus; 8] = [
    RunStatus::Queued,
    RunStatus::Running,
    RunStatus::Paused,
    RunStatus::NeedsAttention,
    RunStatus::Stopping,
    RunStatus::Succeeded,
    RunStatus::Failed,
    RunStatus::Stopped,
];

/// The digit of a status. The scripts know that the last three are final.
pub(crate) fn digit_of_status(status: RunStatus) -> String {
    let place = STATUSES.iter().position(|one| *one == status).unwrap_or(1);
    place.to_string()
}

/// The statuses in the order of their digits.
pub(crate) const fn statuses() -> [RunStatus; 8] {
    STATUSES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_tell_what_is_final() {
        for status in STATUSES {
            assert_eq!(digit_of_status(status).as_str() >= "5", status.is_final(), "{status:?}");
        }
    }

    #[test]
    fn scores_are_numbers_however_they_are_written() {
        assert_eq!(number("1000000").unwrap(), 1_000_000);
        assert_eq!(number("1.8446744073709552e+19").unwrap(), u64::MAX);
        assert!(number("soon").is_err());
    }
}
