//! A batch that changes nothing but runs that nobody else is at, as the arrays that the server's function for it takes.

use crate::arrays::{BYTES, Shown, Tasks, labels, millis, or_null, record};
use crate::connect::Parameter;
use tokio_postgres::types::Type;
use uuid::Uuid;
use vastflow_core::run::RunSummary;
use vastflow_core::{Payload, PlanHash, Task};
use vastflow_store::{Commit, StoreError};

/// What the server's function is called with; the names are its. Runs that begin come first, in their order; the others
/// in the order of their names, in which everybody locks them.
#[derive(Default)]
pub(crate) struct Plain<'a> {
    /// Of each commit, as they were given, its place among the elements.
    pub(crate) places: Vec<usize>,
    plans: Vec<PlanHash>,
    hashes: Vec<String>,
    elements: Elements<'a>,
    begins: Begins<'a>,
    becomes: Becomes<'a>,
    tasks: Tasks<'a>,
}

#[derive(Default)]
struct Elements<'a> {
    scope: Vec<&'a str>,
    expected: Vec<i64>,
    at: Vec<i64>,
    op: Vec<Uuid>,
    worker: Vec<i64>,
    count: Vec<i32>,
    events: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Begins<'a> {
    flow: Vec<&'a str>,
    plan: Vec<i32>,
    priority: Vec<i16>,
    key: Vec<Option<&'a str>>,
    labels: Vec<Option<String>>,
    shown: Shown<'a>,
}

#[derive(Default)]
struct Becomes<'a> {
    el: Vec<i32>,
    shown: Shown<'a>,
}

/// Whether a commit concerns its own run only, and of that only the root scope.
fn is_plain(commit: &Commit) -> bool {
    commit.scope.is_root()
        && commit.messages.is_empty()
        && commit.control.is_none()
        && (commit.summary.is_some() || commit.expected.0 > 0)
        && commit.settle.iter().all(|(task, _)| *task != Task::Deliver)
}

fn begins(commit: &Commit) -> bool {
    commit.expected.0 == 0
}

impl<'a> Plain<'a> {
    /// The first of these commits, as many as go in one call, if all of them are plain. Each is of another run.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when something in a commit cannot be kept by this kind of store.
    pub(crate) fn new(commits: &[&'a Commit]) -> Result<Option<Self>, StoreError> {
        if !commits.iter().all(|commit| is_plain(commit)) {
            return Ok(None);
        }
        let mut records = Vec::new();
        let mut bytes = 0;
        for commit in commits {
            let events = record(&commit.events)?;
            bytes += events.len() + output_of(commit).map_or(0, |output| output.bytes().len());
            records.push(events);
            if bytes >= BYTES {
                break;
            }
        }
        let mut order: Vec<(usize, Vec<u8>)> = records.into_iter().enumerate().collect();
        order.sort_by_key(|(at, _)| {
            let commit = commits[*at];
            let is_later = !begins(commit);
            (is_later, is_later.then(|| commit.scope.run()))
        });
        let mut plain = Plain { places: vec![0; order.len()], ..Plain::default() };
        for (place, (at, events)) in order.into_iter().enumerate() {
            plain.places[at] = place;
            plain.add(i32::try_from(place + 1).unwrap_or(i32::MAX), commits[at], events)?;
        }
        // Tasks queue in the order in which they were submitted.
        for (place, commit) in plain.places.clone().into_iter().zip(commits) {
            plain.tasks.add(i32::try_from(place + 1).unwrap_or(i32::MAX), commit)?;
        }
        plain.tasks.end();
        plain.hashes = plain.plans.iter().map(ToString::to_string).collect();
        Ok(Some(plain))
    }

    /// How many of the commits are in it.
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    fn add(&mut self, el: i32, commit: &'a Commit, events: Vec<u8>) -> Result<(), StoreError> {
        let elements = &mut self.elements;
        elements.scope.push(commit.scope.run().as_str());
        elements.expected.push(millis(commit.expected.0));
        elements.at.push(millis(commit.at.millis()));
        elements.op.push(Uuid::from_u128(commit.op.0));
        elements.worker.push(commit.worker.0.cast_signed());
        elements.count.push(i32::try_from(commit.events.len()).unwrap_or(i32::MAX));
        elements.events.push(events);
        let Some(summary) = commit.summary.as_deref() else { return Ok(()) };
        if begins(commit) {
            let plan = self.plan(summary.started.plan);
            self.begins.add(summary, plan)
        } else {
            self.becomes.el.push(el);
            self.becomes.shown.add(summary)
        }
    }

    /// The number of a plan among those that are named, from 1.
    fn plan(&mut self, plan: PlanHash) -> i32 {
        let known = self.plans.iter().position(|known| *known == plan);
        let at = known.unwrap_or_else(|| {
            self.plans.push(plan);
            self.plans.len() - 1
        });
        i32::try_from(at + 1).unwrap_or(i32::MAX)
    }

    /// The parameters of the server's function, after the two times and the patience.
    pub(crate) fn parameters(&self) -> Vec<Parameter<'_>> {
        let Elements { scope, expected, at, op, worker, count, events } = &self.elements;
        let (b, u) = (&self.begins, &self.becomes);
        let mut all: Vec<Parameter<'_>> = vec![
            self.tasks.workers(),
            (&self.hashes, Type::TEXT_ARRAY),
            (scope, Type::TEXT_ARRAY),
            (expected, Type::INT8_ARRAY),
            (at, Type::INT8_ARRAY),
            (op, Type::UUID_ARRAY),
            (worker, Type::INT8_ARRAY),
            (count, Type::INT4_ARRAY),
            (events, Type::BYTEA_ARRAY),
            or_null(&b.flow, Type::TEXT_ARRAY),
            or_null(&b.plan, Type::INT4_ARRAY),
            or_null(&b.priority, Type::INT2_ARRAY),
        ];
        let [status, started, ended, outcome, output, codec] = b.shown.parameters();
        all.extend([status, started, ended, or_null(&b.key, Type::TEXT_ARRAY), or_null(&b.labels, Type::TEXT_ARRAY)]);
        all.extend([outcome, output, codec, or_null(&u.el, Type::INT4_ARRAY)]);
        all.extend(u.shown.parameters());
        all.extend(self.tasks.parameters());
        all
    }
}

fn output_of(commit: &Commit) -> Option<&Payload> {
    commit.summary.as_ref().and_then(|summary| summary.output.as_ref())
}

impl<'a> Begins<'a> {
    fn add(&mut self, summary: &'a RunSummary, plan: i32) -> Result<(), StoreError> {
        let started = &summary.started;
        self.flow.push(&started.flow);
        self.plan.push(plan);
        self.priority.push(i16::from(started.info.priority));
        self.key.push(started.info.key.as_deref());
        self.labels.push(labels(&started.info.labels));
        self.shown.add(summary)
    }
}
