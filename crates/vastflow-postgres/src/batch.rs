//! A batch as the arrays that the server's function takes.

use crate::task::{class, pack};
use crate::waves::waves;
use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};
use uuid::Uuid;
use vastflow_core::run::RunSummary;
use vastflow_core::{Event, Task, codec};
use vastflow_store::{Commit, Control, StoreError};

/// With how many bytes of events, messages and results a call is full.
const BYTES: usize = 8 << 20;

/// What the server's function is called with; the names are its.
#[derive(Default)]
pub(crate) struct Batch<'a> {
    waves: Vec<i32>,
    names: Vec<String>,
    workers: Vec<i64>,
    has_inner: bool,
    has_mail: bool,
    has_control: bool,
    bytes: usize,
    elements: Elements<'a>,
    settles: Settles,
    obsolete: (Vec<i32>, Vec<i64>),
    queue: Queue<'a>,
    messages: Messages<'a>,
    runs: Runs<'a>,
}

#[derive(Default)]
struct Elements<'a> {
    op: Vec<Uuid>,
    scope: Vec<String>,
    run: Vec<&'a str>,
    expected: Vec<i64>,
    at: Vec<i64>,
    worker: Vec<i64>,
    control: Vec<i16>,
    count: Vec<i32>,
    events: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Settles {
    el: Vec<i32>,
    task: Vec<i64>,
    token: Vec<i32>,
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

#[derive(Default)]
struct Messages<'a> {
    el: Vec<i32>,
    to: Vec<String>,
    kind: Vec<i64>,
    codec: Vec<&'static str>,
    body: Vec<&'a [u8]>,
}

#[derive(Default)]
struct Runs<'a> {
    el: Vec<i32>,
    scope: Vec<&'a str>,
    flow: Vec<&'a str>,
    plan: Vec<String>,
    priority: Vec<i16>,
    status: Vec<&'static str>,
    started: Vec<i64>,
    ended: Vec<Option<i64>>,
    key: Vec<Option<&'a str>>,
    labels: Vec<Option<String>>,
    outcome: Vec<Option<Vec<u8>>>,
    output: Vec<Option<&'a [u8]>>,
    codec: Vec<Option<&'static str>>,
}

/// The word as the table has it.
pub(crate) const fn control_number(control: Control) -> i16 {
    match control {
        Control::Running => 0,
        Control::Held => 1,
        Control::Stopping => 2,
        Control::Killed => 3,
    }
}

/// The word that a number of the table means.
pub(crate) fn control_word(number: i16) -> Result<Control, StoreError> {
    [Control::Running, Control::Held, Control::Stopping, Control::Killed]
        .into_iter()
        .find(|control| control_number(*control) == number)
        .ok_or_else(|| StoreError::corrupt(format!("{number} is no control word that this version knows")))
}

impl<'a> Batch<'a> {
    /// The first of these commits, as many as go in one call; at least one.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when something in a commit cannot be kept by this kind of store.
    pub(crate) fn new(commits: &[&'a Commit]) -> Result<Self, StoreError> {
        let mut batch = Batch::default();
        for (at, commit) in commits.iter().enumerate() {
            batch.add(i32::try_from(at + 1).unwrap_or(i32::MAX), commit)?;
            if batch.bytes >= BYTES {
                break;
            }
        }
        batch.waves = commits.get(..batch.len()).map(waves).unwrap_or_default();
        batch.names.sort_unstable();
        batch.names.dedup();
        batch.workers.sort_unstable();
        batch.workers.dedup();
        Ok(batch)
    }

    /// How many of the commits are in it.
    pub(crate) fn len(&self) -> usize {
        self.elements.op.len()
    }

    fn add(&mut self, el: i32, commit: &'a Commit) -> Result<(), StoreError> {
        let scope = commit.scope.to_string();
        self.names.push(scope.clone());
        if !commit.scope.is_root() {
            self.names.push(commit.scope.run().to_string());
            self.has_inner |= commit.expected.0 == 0;
        }
        for (task, token) in &commit.settle {
            self.settles.el.push(el);
            self.settles.task.push(pack(*task)?);
            self.settles.token.push(token.0.cast_signed());
            self.has_mail |= *task == Task::Deliver;
        }
        for task in &commit.obsolete {
            self.obsolete.0.push(el);
            self.obsolete.1.push(pack(*task)?);
        }
        self.add_queue(el, commit)?;
        self.add_messages(el, commit);
        if let Some(summary) = &commit.summary {
            self.bytes += summary.output.as_ref().map_or(0, |output| output.bytes().len());
            self.runs.add(el, commit.scope.run(), summary)?;
        }
        self.has_control |= commit.control.is_some();
        self.elements.add(scope, commit)?;
        self.bytes += self.elements.events.last().map_or(0, Vec::len);
        Ok(())
    }

    fn add_queue(&mut self, el: i32, commit: &'a Commit) -> Result<(), StoreError> {
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

    fn add_messages(&mut self, el: i32, commit: &'a Commit) {
        for message in &commit.messages {
            let to = message.to.to_string();
            self.names.push(to.clone());
            self.has_inner |= !message.to.is_root();
            self.has_mail = true;
            self.messages.el.push(el);
            self.messages.to.push(to);
            self.messages.kind.push(i64::from(message.kind));
            self.messages.codec.push(message.body.codec().name());
            self.bytes += message.body.bytes().len();
            self.messages.body.push(message.body.bytes());
        }
    }

    /// The parameters of the server's function, after the two times.
    pub(crate) fn parameters(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        let Elements { op, scope, run, expected, at, worker, control, count, events } = &self.elements;
        let (s, o, q, m, r) = (&self.settles, &self.obsolete, &self.queue, &self.messages, &self.runs);
        vec![
            (&self.waves, Type::INT4_ARRAY),
            (&self.names, Type::TEXT_ARRAY),
            or_null(&self.workers, Type::INT8_ARRAY),
            (&self.has_inner, Type::BOOL),
            (&self.has_mail, Type::BOOL),
            (&self.has_control, Type::BOOL),
            (op, Type::UUID_ARRAY),
            (scope, Type::TEXT_ARRAY),
            (run, Type::TEXT_ARRAY),
            (expected, Type::INT8_ARRAY),
            (at, Type::INT8_ARRAY),
            (worker, Type::INT8_ARRAY),
            (control, Type::INT2_ARRAY),
            (count, Type::INT4_ARRAY),
            (events, Type::BYTEA_ARRAY),
            or_null(&s.el, Type::INT4_ARRAY),
            or_null(&s.task, Type::INT8_ARRAY),
            or_null(&s.token, Type::INT4_ARRAY),
            or_null(&o.0, Type::INT4_ARRAY),
            or_null(&o.1, Type::INT8_ARRAY),
            or_null(&q.el, Type::INT4_ARRAY),
            or_null(&q.task, Type::INT8_ARRAY),
            or_null(&q.class, Type::INT2_ARRAY),
            or_null(&q.due, Type::INT8_ARRAY),
            or_null(&q.keep, Type::INT2_ARRAY),
            or_null(&q.lane, Type::TEXT_ARRAY),
            or_null(&m.el, Type::INT4_ARRAY),
            or_null(&m.to, Type::TEXT_ARRAY),
            or_null(&m.kind, Type::INT8_ARRAY),
            or_null(&m.codec, Type::TEXT_ARRAY),
            or_null(&m.body, Type::BYTEA_ARRAY),
            or_null(&r.el, Type::INT4_ARRAY),
            or_null(&r.scope, Type::TEXT_ARRAY),
            or_null(&r.flow, Type::TEXT_ARRAY),
            or_null(&r.plan, Type::TEXT_ARRAY),
            or_null(&r.priority, Type::INT2_ARRAY),
            or_null(&r.status, Type::TEXT_ARRAY),
            or_null(&r.started, Type::INT8_ARRAY),
            or_null(&r.ended, Type::INT8_ARRAY),
            or_null(&r.key, Type::TEXT_ARRAY),
            or_null(&r.labels, Type::TEXT_ARRAY),
            or_null(&r.outcome, Type::BYTEA_ARRAY),
            or_null(&r.output, Type::BYTEA_ARRAY),
            or_null(&r.codec, Type::TEXT_ARRAY),
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

impl<'a> Elements<'a> {
    fn add(&mut self, scope: String, commit: &'a Commit) -> Result<(), StoreError> {
        self.op.push(Uuid::from_u128(commit.op.0));
        self.scope.push(scope);
        self.run.push(commit.scope.run().as_str());
        self.expected.push(millis(commit.expected.0));
        self.at.push(millis(commit.at.millis()));
        self.worker.push(commit.worker.0.cast_signed());
        self.control.push(commit.control.map_or(-1, control_number));
        self.count.push(i32::try_from(commit.events.len()).unwrap_or(i32::MAX));
        self.events.push(record(&commit.events)?);
        Ok(())
    }
}

impl<'a> Runs<'a> {
    fn add(&mut self, el: i32, run: &'a str, summary: &'a RunSummary) -> Result<(), StoreError> {
        let ended = |outcome: &vastflow_core::RunOutcome| record(&[Event::RunEnded { outcome: outcome.clone() }]);
        self.el.push(el);
        self.scope.push(run);
        self.flow.push(&summary.started.flow);
        self.plan.push(summary.started.plan.to_string());
        self.priority.push(i16::from(summary.started.info.priority));
        self.status.push(summary.status.as_str());
        self.started.push(millis(summary.started_at.millis()));
        self.ended.push(summary.ended_at.map(|at| millis(at.millis())));
        self.key.push(summary.started.info.key.as_deref());
        self.labels.push(labels(&summary.started.info.labels));
        self.outcome.push(summary.outcome.as_ref().map(ended).transpose()?);
        self.output.push(summary.output.as_ref().map(vastflow_core::Payload::bytes));
        self.codec.push(summary.output.as_ref().map(|output| output.codec().name()));
        Ok(())
    }
}

/// Labels as a JSON list of objects with one member each; none when there are none. They are there to be found by: how
/// they were written stands in the journal. The server's JSON has no NUL, so it and what is put for it are escaped.
pub(crate) fn labels(labels: &[(Box<str>, Box<str>)]) -> Option<String> {
    let plain = |text: &str| text.replace('\u{2400}', "\u{2400}\u{2400}").replace('\0', "\u{2400}0");
    let text = |text: &str| serde_json::to_string(&plain(text)).unwrap_or_default();
    let objects: Vec<String> = labels.iter().map(|(key, value)| format!("{{{}:{}}}", text(key), text(value))).collect();
    (!objects.is_empty()).then(|| format!("[{}]", objects.join(",")))
}

fn record(events: &[Event]) -> Result<Vec<u8>, StoreError> {
    codec::encode(events, Vec::new()).map_err(|why| StoreError::Invalid(why.to_string()))
}

/// A number that PostgreSQL, which has none without a sign, can keep.
pub(crate) fn millis(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
