//! A batch as the arrays that the server's function takes.

use crate::arrays::{BYTES, Shown, Tasks, labels, millis, or_null, record};
use crate::connect::Parameter;
use crate::waves::waves;
use tokio_postgres::types::Type;
use uuid::Uuid;
use vastflow_core::Task;
use vastflow_core::run::RunSummary;
use vastflow_store::{Commit, Control, StoreError};

/// What the server's function is called with; the names are its.
#[derive(Default)]
pub(crate) struct Batch<'a> {
    waves: Vec<i32>,
    names: Vec<String>,
    has_inner: bool,
    has_mail: bool,
    has_control: bool,
    bytes: usize,
    elements: Elements<'a>,
    tasks: Tasks<'a>,
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
    key: Vec<Option<&'a str>>,
    labels: Vec<Option<String>>,
    shown: Shown<'a>,
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
        batch.tasks.end();
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
        self.has_mail |= commit.settle.iter().any(|(task, _)| *task == Task::Deliver);
        self.tasks.add(el, commit)?;
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

    /// The parameters of the server's function, after the two times and the patience.
    pub(crate) fn parameters(&self) -> Vec<Parameter<'_>> {
        let Elements { op, scope, run, expected, at, worker, control, count, events } = &self.elements;
        let (m, r) = (&self.messages, &self.runs);
        let mut all: Vec<Parameter<'_>> = vec![
            (&self.waves, Type::INT4_ARRAY),
            (&self.names, Type::TEXT_ARRAY),
            self.tasks.workers(),
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
        ];
        all.extend(self.tasks.parameters());
        let [status, started, ended, outcome, output, codec] = r.shown.parameters();
        all.extend([
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
            status,
            started,
            ended,
            or_null(&r.key, Type::TEXT_ARRAY),
            or_null(&r.labels, Type::TEXT_ARRAY),
            outcome,
            output,
            codec,
        ]);
        all
    }
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
        self.el.push(el);
        self.scope.push(run);
        self.flow.push(&summary.started.flow);
        self.plan.push(summary.started.plan.to_string());
        self.priority.push(i16::from(summary.started.info.priority));
        self.key.push(summary.started.info.key.as_deref());
        self.labels.push(labels(&summary.started.info.labels));
        self.shown.add(summary)
    }
}
