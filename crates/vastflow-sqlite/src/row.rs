//! A run as a row of the table `runs`, and back.

use crate::{fail, record};
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Row, ToSql};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;
use vastflow_core::event::Origin;
use vastflow_core::run::RunSummary;
use vastflow_core::{
    Codec, Name, Payload, PlanHash, RunId, RunInfo, RunOutcome, RunStarted, RunStatus, Seq, Timestamp, Travels, Writes,
};
use vastflow_store::{Control, ControlWord, RunRow, StoreError};

/// The columns that [`read`] reads.
pub(crate) const COLUMNS: &str = "key, id, flow, plan, status, control, revision, started_at, ended_at, events, input, \
                                  output, start_rest, end_rest";

/// What the readable columns do not say of how a run began.
#[derive(Serialize, Deserialize)]
struct StartRest<'a> {
    seed: u32,
    input: Codec,
    context: Cow<'a, Writes>,
    info: Cow<'a, Travels>,
    origin: Cow<'a, Option<Box<Origin>>>,
    queued: bool,
}

/// What the readable columns do not say of how it ended.
#[derive(Serialize, Deserialize)]
struct EndRest<'a> {
    outcome: Option<Cow<'a, RunOutcome>>,
    output: Option<Codec>,
}

pub(crate) fn start_rest(started: &RunStarted) -> Result<Vec<u8>, StoreError> {
    let RunStarted { seed, input, context, info, origin, queued, .. } = started;
    let origin = Cow::Borrowed(origin);
    let (context, info) = (Cow::Borrowed(context), Cow::Borrowed(info));
    record::to_extend(
        &StartRest { seed: *seed, input: input.codec(), context, info, origin, queued: *queued },
        Vec::new(),
    )
}

pub(crate) fn end_rest(outcome: Option<&RunOutcome>, output: Option<&Payload>) -> Result<Vec<u8>, StoreError> {
    let outcome = outcome.map(Cow::Borrowed);
    record::to_extend(&EndRest { outcome, output: output.map(Payload::codec) }, Vec::new())
}

/// A payload as people want to see it: JSON as text, anything else as a blob.
pub(crate) struct Shown<'a>(pub(crate) &'a Payload);

impl ToSql for Shown<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let bytes = self.0.bytes();
        let is_text = self.0.codec() == Codec::Json && std::str::from_utf8(bytes).is_ok();
        Ok(ToSqlOutput::Borrowed(if is_text { ValueRef::Text(bytes) } else { ValueRef::Blob(bytes) }))
    }
}

/// Labels as a JSON object; none when there are none.
pub(crate) fn labels_json(info: &RunInfo) -> Option<String> {
    if info.labels.is_empty() {
        return None;
    }
    let text = |text: &str| serde_json::to_string(text).unwrap_or_default();
    let members: Vec<String> =
        info.labels.iter().map(|(key, value)| format!("{}:{}", text(key), text(value))).collect();
    Some(format!("{{{}}}", members.join(",")))
}

/// Reads a row of [`COLUMNS`].
pub(crate) fn read(row: &Row<'_>) -> Result<RunRow, StoreError> {
    let key = number(row, 0)?.unwrap_or_default();
    inner(row, key).map_err(|error| match error {
        StoreError::Corrupt { why, source } => {
            StoreError::Corrupt { why: format!("row {key} of table runs: {why}"), source }
        }
        other => other,
    })
}

fn inner(row: &Row<'_>, key: u64) -> Result<RunRow, StoreError> {
    let start: StartRest<'_> = record::take(bytes(row, 12)?.unwrap_or_default())?.0;
    let end: EndRest<'_> = record::take(bytes(row, 13)?.unwrap_or_default())?.0;
    let input = Payload::new(start.input, bytes(row, 10)?.unwrap_or_default().to_vec());
    let output = bytes(row, 11)?.zip(end.output).map(|(bytes, codec)| Payload::new(codec, bytes.to_vec()));
    let started = RunStarted {
        flow: Name::new(text(row, 2)?).map_err(|why| fail::codec(&why))?,
        plan: text(row, 3)?.parse::<PlanHash>().map_err(|why| fail::codec(&why))?,
        seed: start.seed,
        input,
        context: start.context.into_owned(),
        info: start.info.into_owned(),
        origin: start.origin.into_owned(),
        queued: start.queued,
    };
    let summary = RunSummary {
        status: RunStatus::parse(text(row, 4)?).ok_or_else(|| StoreError::corrupt("its status is unknown"))?,
        started_at: Timestamp::from_millis(number(row, 7)?.unwrap_or_default()),
        ended_at: number(row, 8)?.map(Timestamp::from_millis),
        started: Arc::new(started),
        outcome: end.outcome.map(Cow::into_owned),
        output,
    };
    let control = ControlWord {
        control: control(text(row, 5)?)?,
        revision: u32::try_from(number(row, 6)?.unwrap_or_default()).unwrap_or(u32::MAX),
    };
    let id = RunId::new(text(row, 1)?).map_err(|why| fail::codec(&why))?;
    Ok(RunRow { key, id, len: Seq(number(row, 9)?.unwrap_or_default()), control, summary })
}

fn control(word: &str) -> Result<Control, StoreError> {
    [Control::Running, Control::Held, Control::Stopping, Control::Killed]
        .into_iter()
        .find(|control| control.as_str() == word)
        .ok_or_else(|| StoreError::corrupt("its control word is unknown"))
}

fn value<'a>(row: &'a Row<'_>, at: usize) -> Result<ValueRef<'a>, StoreError> {
    row.get_ref(at).map_err(|why| fail::codec(&why))
}

fn number(row: &Row<'_>, at: usize) -> Result<Option<u64>, StoreError> {
    let number = value(row, at)?.as_i64_or_null().map_err(|why| fail::codec(&why))?;
    Ok(number.map(i64::cast_unsigned))
}

fn bytes<'a>(row: &'a Row<'_>, at: usize) -> Result<Option<&'a [u8]>, StoreError> {
    value(row, at)?.as_bytes_or_null().map_err(|why| fail::codec(&why))
}

fn text<'a>(row: &'a Row<'_>, at: usize) -> Result<&'a str, StoreError> {
    value(row, at)?.as_str().map_err(|why| fail::codec(&why))
}
