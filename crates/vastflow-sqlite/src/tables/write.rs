//! Writing what changed, in the order of keys.

use super::bulk::{self, Row, Target};
use super::fold::{Fold, RunChange};
use super::mail::Inboxes;
use crate::record::Summary;
use crate::row::{self, Shown};
use rusqlite::{Connection, Result, params};
use std::sync::Arc;
use vastflow_core::{Plan, RunId, RunOutcome, RunStarted, RunStatus};
use vastflow_store::{ControlWord, Counts, StoreError};

/// Writes all of `fold` and the watermark.
pub(super) fn all(tables: &Connection, fold: &Fold<'_>, inboxes: &mut Inboxes, watermark: u64) -> Result<()> {
    plans(tables, &fold.plans)?;
    runs(tables, fold)?;
    journals(tables, fold)?;
    inboxes.follow(&fold.mail);
    inboxes.write(tables)?;
    meta(tables, fold, watermark)
}

/// What cannot be encoded is an error of this transaction.
fn encoded<T>(result: std::result::Result<T, StoreError>) -> Result<T> {
    result.map_err(|why| rusqlite::Error::ToSqlConversionFailure(Box::new(why)))
}

fn plans(tables: &Connection, plans: &[&str]) -> Result<()> {
    for json in plans {
        let plan = Plan::from_json(json).map_err(|why| StoreError::corrupt(format!("a plan cannot be read: {why}")));
        let plan = encoded(plan)?;
        let mut insert = tables.prepare_cached("INSERT OR IGNORE INTO plans(hash, flow, json) VALUES (?1, ?2, ?3)")?;
        insert.execute(params![plan.hash().to_string(), plan.flow().as_str(), json])?;
    }
    Ok(())
}

fn runs(tables: &Connection, fold: &Fold<'_>) -> Result<()> {
    let mut plan = Hex::default();
    let mut new = Vec::with_capacity(fold.runs.len());
    for (key, run) in &fold.runs {
        let key = key.cast_signed();
        match (&run.began, &run.summary) {
            (Some(id), Some(summary)) => new.push(NewRun { key, id, run, summary }),
            _ => update(tables, key, run)?,
        }
    }
    bulk::insert(tables, RUNS, &new, |run, row| insert(run, row, &mut plan))?;
    new.iter().try_for_each(|new| labels(tables, new))
}

const RUNS: Target = Target {
    table: "runs(key, id, flow, plan, status, control, revision, started_at, ended_at, events, input, output, error, \
            labels, start_rest, end_rest)",
    columns: 16,
};

/// The last plan hash as text: most runs of a transaction follow the same few plans.
#[derive(Default)]
struct Hex(Option<(vastflow_core::PlanHash, String)>);

impl Hex {
    fn of(&mut self, hash: vastflow_core::PlanHash) -> &str {
        if self.0.as_ref().is_none_or(|(last, _)| *last != hash) {
            self.0 = Some((hash, hash.to_string()));
        }
        self.0.as_ref().map_or("", |(_, text)| text)
    }
}

/// A run that began since the tables were last brought up to date.
struct NewRun<'a> {
    key: i64,
    id: &'a RunId,
    run: &'a RunChange,
    summary: &'a Summary,
}

impl NewRun<'_> {
    fn started(&self) -> Result<&Arc<RunStarted>> {
        let missing = || StoreError::corrupt(format!("run {} begins without saying how", self.id));
        encoded(self.summary.started.as_ref().ok_or_else(missing))
    }
}

fn insert(new: &NewRun<'_>, row: &mut Row<'_, '_>, plan: &mut Hex) -> Result<()> {
    let NewRun { key, id, run, summary } = *new;
    let started = new.started()?;
    let control = run.control.unwrap_or_default();
    row.push(key)?;
    row.push(id.as_str())?;
    row.push(started.flow.as_str())?;
    row.push(plan.of(started.plan))?;
    row.push(summary.status.as_str())?;
    row.push(control.control.as_str())?;
    row.push(control.revision)?;
    row.push(summary.started_at.millis().cast_signed())?;
    row.push(ended_at(summary))?;
    row.push(len(run))?;
    row.push(Shown(&started.input))?;
    row.push(summary.output.as_ref().map(Shown))?;
    row.push(error(summary))?;
    row.push(row::labels_json(&started.info))?;
    row.push(encoded(row::start_rest(started))?)?;
    row.push(encoded(row::end_rest(summary.outcome.as_ref(), summary.output.as_ref()))?)
}

fn labels(tables: &Connection, new: &NewRun<'_>) -> Result<()> {
    for (key, value) in &new.started()?.info.labels {
        let mut insert = tables.prepare_cached("INSERT OR IGNORE INTO labels(key, value, run) VALUES (?1, ?2, ?3)")?;
        insert.execute(params![&**key, &**value, new.key])?;
    }
    Ok(())
}

fn update(tables: &Connection, key: i64, run: &RunChange) -> Result<()> {
    if let Some(ControlWord { control, revision }) = run.control {
        let mut update = tables.prepare_cached("UPDATE runs SET control = ?2, revision = ?3 WHERE key = ?1")?;
        update.execute(params![key, control.as_str(), revision])?;
    }
    let Some(summary) = &run.summary else {
        tables.prepare_cached("UPDATE runs SET events = ?2 WHERE key = ?1")?.execute(params![key, len(run)])?;
        return Ok(());
    };
    let mut update = tables.prepare_cached(
        "UPDATE runs SET status = ?2, ended_at = ?3, events = ?4, output = ?5, error = ?6, end_rest = ?7 WHERE key = ?1",
    )?;
    update.execute(params![
        key,
        summary.status.as_str(),
        ended_at(summary),
        len(run),
        summary.output.as_ref().map(Shown),
        error(summary),
        encoded(row::end_rest(summary.outcome.as_ref(), summary.output.as_ref()))?,
    ])?;
    Ok(())
}

fn ended_at(summary: &Summary) -> Option<i64> {
    summary.ended_at.map(|at| at.millis().cast_signed())
}

fn len(run: &RunChange) -> i64 {
    run.len.unwrap_or_default().0.cast_signed()
}

fn error(summary: &Summary) -> Option<String> {
    summary.outcome.as_ref().filter(|outcome| **outcome != RunOutcome::Succeeded).map(ToString::to_string)
}

fn journals(tables: &Connection, fold: &Fold<'_>) -> Result<()> {
    let all: Vec<_> = fold.journals.iter().collect();
    bulk::insert(tables, JOURNAL, &all, |((run, path), rows), row| {
        row.push(run.cast_signed())?;
        row.push(path)?;
        row.push(rows.first.0.cast_signed())?;
        row.push(rows.at.millis().cast_signed())?;
        row.push(rows.what())?;
        row.push(rows.ended)?;
        row.push(&rows.events)
    })
}

const JOURNAL: Target = Target { table: "journal(run, path, first, at, what, ended, events)", columns: 7 };

fn meta(tables: &Connection, fold: &Fold<'_>, watermark: u64) -> Result<()> {
    let mut ended = Counts::default();
    let statuses =
        fold.runs.values().filter(|run| run.has_ended()).filter_map(|run| Some(run.summary.as_ref()?.status));
    statuses.for_each(|status| *ended.of(status) += 1);
    let mut add = tables.prepare_cached("UPDATE meta SET value = value + ?2 WHERE key = ?1")?;
    for status in [RunStatus::Succeeded, RunStatus::Failed, RunStatus::Stopped] {
        let count = *ended.of(status);
        if count > 0 {
            add.execute(params![status.as_str(), count.cast_signed()])?;
        }
    }
    let mut set = tables.prepare_cached("UPDATE meta SET value = ?1 WHERE key = 'watermark'")?;
    set.execute([watermark.cast_signed()])?;
    Ok(())
}
