//! What both kinds of batches are made of: parallel arrays, as the server's functions take them.

use crate::connect::Parameter;
use crate::task::{class, pack};
use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use vastflow_core::run::RunSummary;
use vastflow_core::{Event, Payload, RunOutcome, codec};
use vastflow_store::{Commit, StoreError};

/// With how many bytes of events, messages and results a call is full.
pub(crate) const BYTES: usize = 8 << 20;

/// The tasks that commits settle, make obsolete and queue; `el` is the place of the commit, counted from 1.
#[derive(Default)]
pub(crate) struct Tasks<'a> {
    settle: (Vec<i32>, Vec<i64>, Vec<i32>),
    obsolete: (Vec<i32>, Vec<i64>),
    queue: Queue<'a>,
    /// Who keeps what is queued.
    workers: Vec<i64>,
}

#[derive(Default)]
struct Queue<'a> {
    el: Vec<i32>,
    task: Vec<i64>,
    class: Vec<i16>,
    due: Vec<i64>,
    keep: Vec<i16>,
    lane: Vec<&'a str>,
}

/// What lists show of runs.
#[derive(Default)]
pub(crate) struct Shown<'a> {
    status: Vec<&'static str>,
    started: Vec<i64>,
    ended: Vec<Option<i64>>,
    outcome: Vec<Option<Vec<u8>>>,
    output: Vec<Option<&'a [u8]>>,
    codec: Vec<Option<&'static str>>,
}

impl<'a> Tasks<'a> {
    pub(crate) fn add(&mut self, el: i32, commit: &'a Commit) -> Result<(), StoreError> {
        for (task, token) in &commit.settle {
            self.settle.0.push(el);
            self.settle.1.push(pack(*task)?);
            self.settle.2.push(token.0.cast_signed());
        }
        for task in &commit.obsolete {
            self.obsolete.0.push(el);
            self.obsolete.1.push(pack(*task)?);
        }
        for new in &commit.queue {
            let class = class(new.task);
            self.queue.el.push(el);
            self.queue.task.push(pack(new.task)?);
            self.queue.class.push(class);
            self.queue.due.push(millis(new.due.millis()));
            self.queue.keep.push(if new.is_under_way { 2 } else { i16::from(new.keep) });
            self.queue.lane.push(new.lane.as_deref().filter(|_| class > 0).unwrap_or(""));
            if new.keep || new.is_under_way {
                self.workers.push(commit.worker.0.cast_signed());
            }
        }
        Ok(())
    }

    /// All is added.
    pub(crate) fn end(&mut self) {
        self.workers.sort_unstable();
        self.workers.dedup();
    }

    pub(crate) fn workers(&self) -> Parameter<'_> {
        or_null(&self.workers, Type::INT8_ARRAY)
    }

    pub(crate) fn parameters(&self) -> [Parameter<'_>; 11] {
        let (s, o, q) = (&self.settle, &self.obsolete, &self.queue);
        [
            or_null(&s.0, Type::INT4_ARRAY),
            or_null(&s.1, Type::INT8_ARRAY),
            or_null(&s.2, Type::INT4_ARRAY),
            or_null(&o.0, Type::INT4_ARRAY),
            or_null(&o.1, Type::INT8_ARRAY),
            or_null(&q.el, Type::INT4_ARRAY),
            or_null(&q.task, Type::INT8_ARRAY),
            or_null(&q.class, Type::INT2_ARRAY),
            or_null(&q.due, Type::INT8_ARRAY),
            or_null(&q.keep, Type::INT2_ARRAY),
            or_null(&q.lane, Type::TEXT_ARRAY),
        ]
    }
}

impl<'a> Shown<'a> {
    pub(crate) fn add(&mut self, summary: &'a RunSummary) -> Result<(), StoreError> {
        let ended = |outcome: &RunOutcome| record(&[Event::RunEnded { outcome: outcome.clone() }]);
        self.status.push(summary.status.as_str());
        self.started.push(millis(summary.started_at.millis()));
        self.ended.push(summary.ended_at.map(|at| millis(at.millis())));
        self.outcome.push(summary.outcome.as_ref().map(ended).transpose()?);
        self.output.push(summary.output.as_ref().map(Payload::bytes));
        self.codec.push(summary.output.as_ref().map(|output| output.codec().name()));
        Ok(())
    }

    pub(crate) fn parameters(&self) -> [Parameter<'_>; 6] {
        [
            or_null(&self.status, Type::TEXT_ARRAY),
            or_null(&self.started, Type::INT8_ARRAY),
            or_null(&self.ended, Type::INT8_ARRAY),
            or_null(&self.outcome, Type::BYTEA_ARRAY),
            or_null(&self.output, Type::BYTEA_ARRAY),
            or_null(&self.codec, Type::TEXT_ARRAY),
        ]
    }
}

/// An array, or nothing at all when it is empty: then the server passes over what it is for.
pub(crate) fn or_null<T: ToSql + Sync>(array: &Vec<T>, of: Type) -> (&(dyn ToSql + Sync), Type) {
    if array.is_empty() { (&Nothing, of) } else { (array, of) }
}

/// No array, of whatever type.
#[derive(Debug)]
struct Nothing;

impl ToSql for Nothing {
    fn to_sql(&self, _: &Type, _: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        Ok(IsNull::Yes)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Labels as a JSON list of objects with one member each; none when there are none. They are there to be found by: how
/// they were written stands in the journal. The server's JSON has no NUL, so it and what is put for it are escaped.
pub(crate) fn labels(labels: &[(Box<str>, Box<str>)]) -> Option<String> {
    let plain = |text: &str| text.replace('\u{2400}', "\u{2400}\u{2400}").replace('\0', "\u{2400}0");
    let text = |text: &str| serde_json::to_string(&plain(text)).unwrap_or_default();
    let objects: Vec<String> = labels.iter().map(|(key, value)| format!("{{{}:{}}}", text(key), text(value))).collect();
    (!objects.is_empty()).then(|| format!("[{}]", objects.join(",")))
}

pub(crate) fn record(events: &[Event]) -> Result<Vec<u8>, StoreError> {
    codec::encode(events, Vec::new()).map_err(|why| StoreError::Invalid(why.to_string()))
}

/// A number that PostgreSQL, which has none without a sign, can keep.
pub(crate) fn millis(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
