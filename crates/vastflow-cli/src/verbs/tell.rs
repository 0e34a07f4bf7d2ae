//! What can be asked of many runs at once: pause, resume, stop, kill, retry, rerun, delete.

use super::{Context, ls};
use crate::args::{Filter, Told};
use crate::complaint::{Complaint, Exit};
use crate::convert;
use crate::desk::Desk;
use crate::out::Out;
use crate::text::count;
use serde_json::{Value, json};
use vastflow_api::run;
use vastflow_core::{RunId, RunStatus, Timestamp};
use vastflow_store::{Doomed, Prune, RunRow};
use vastflow_worker::{Engine, Error};

/// The most runs that one command finds by a filter.
pub(super) const MOST: usize = 100_000;
/// How many of them are shown before anything is done.
pub(super) const SHOWN: usize = 20;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Pause,
    Resume,
    Stop,
    Kill,
    Retry,
    Rerun,
    Rm,
}

impl Word {
    pub(super) const fn verb(self) -> &'static str {
        match self {
            Word::Pause => "pause",
            Word::Resume => "resume",
            Word::Stop => "stop",
            Word::Kill => "kill",
            Word::Retry => "retry",
            Word::Rerun => "rerun",
            Word::Rm => "delete",
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Word::Pause => "paused",
            Word::Resume => "resumed",
            Word::Stop => "asked to stop:",
            Word::Kill => "killed",
            Word::Retry => "retried",
            Word::Rerun => "begun again:",
            Word::Rm => "deleted",
        }
    }

    /// Whether it can be asked of a run that stands so.
    pub(super) const fn fits(self, status: RunStatus) -> bool {
        match self {
            Word::Pause => matches!(status, RunStatus::Queued | RunStatus::Running | RunStatus::NeedsAttention),
            Word::Resume => matches!(status, RunStatus::Paused),
            Word::Stop | Word::Kill => !status.is_final(),
            Word::Retry => matches!(status, RunStatus::Failed | RunStatus::Stopped),
            Word::Rerun | Word::Rm => status.is_final(),
        }
    }

    /// Whether it is to be confirmed: what it takes away does not come back.
    pub(super) const fn is_destructive(self, runs: usize) -> bool {
        match self {
            Word::Kill | Word::Rm => true,
            Word::Stop => runs > 1,
            _ => false,
        }
    }
}

/// What became of it.
#[derive(Default)]
pub(super) struct Done {
    /// The runs, and the new ones that go on from them.
    pub(super) runs: Vec<(RunId, Option<RunId>)>,
    pub(super) failed: Vec<(RunId, Complaint)>,
}

pub(super) async fn tell(word: Word, told: &Told, context: &Context) -> Result<(), Complaint> {
    says_which(word, told)?;
    let looks = told.dry_run;
    let desk = if looks {
        super::desk(context, crate::args::Watch::default()).await?
    } else {
        Desk::change(&context.config).await?
    };
    let out = context.out;
    let rows = chosen(word, told, &desk, out).await?;
    if told.dry_run {
        plan(word, &rows, context, &desk).await;
        return desk.close().await;
    }
    if word.is_destructive(rows.len()) && !rows.is_empty() {
        if told.ids.is_empty() && !out.is_json() && !told.yes {
            preview(&rows, context, &desk).await;
        }
        out.confirm(&format!("{} {}", word.verb(), count(rows.len() as u64, "run")), told.yes)?;
    }
    let done = match word {
        Word::Rm => delete(rows, &desk, context).await?,
        _ => ask(word, rows, &desk, context, (&context.by(&told.reason), &told.reason.why)).await?,
    };
    desk.close().await?;
    report(word, done, context)
}

/// Whether it is said which runs are meant.
pub(super) fn says_which(word: Word, told: &Told) -> Result<(), Complaint> {
    if told.ids.is_empty() && !told.all && told.filter.is_empty() {
        return Err(Complaint::usage(format!("which runs are to {}?", word.verb()))
            .next("name them by their ids, or by --flow, --status, --label, --older, --from, --to, or say --all"));
    }
    if !told.ids.is_empty() && !told.filter.is_empty() {
        return Err(Complaint::usage("runs are named by their ids or by a filter, not by both"));
    }
    Ok(())
}

/// The filter, with the statuses of runs of which it can be asked; none when it leaves none of those.
pub(super) fn fitting(word: Word, told: &Told) -> Option<Filter> {
    let mut filter = told.filter.clone();
    if filter.status.is_empty() {
        filter.status = RunStatus::ALL.into_iter().filter(|status| word.fits(*status)).collect();
    }
    filter.status.retain(|status| word.fits(*status));
    (!filter.status.is_empty()).then_some(filter)
}

/// The runs it is about: those that were named, or those that fit and of which it can be asked.
async fn chosen(word: Word, told: &Told, desk: &Desk, out: Out) -> Result<Vec<RunRow>, Complaint> {
    if told.ids.is_empty() {
        return match fitting(word, told) {
            Some(filter) => Ok(desk.many(&filter, MOST).await?.0),
            None => Ok(Vec::new()),
        };
    }
    let mut rows: Vec<RunRow> = Vec::new();
    for id in &told.ids {
        let row = if told.dry_run { desk.pick(id).await? } else { desk.pick_to_change(id, out).await? };
        if rows.iter().all(|known| known.id != row.id) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// Says what would be done.
async fn plan(word: Word, rows: &[RunRow], context: &Context, desk: &Desk) {
    if !context.out.is_json() {
        preview(rows, context, desk).await;
    }
    let ids: Vec<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    would(word, &ids, context);
}

/// Says that nothing was done.
pub(super) fn would(word: Word, ids: &[&str], context: &Context) {
    let out = context.out;
    if out.is_json() {
        out.json(json!({ "verb": word.verb(), "dry_run": true, "matched": ids.len(), "runs": ids }));
        return;
    }
    out.note(format!("would {} {}; nothing was done", word.verb(), count(ids.len() as u64, "run")));
}

async fn preview(rows: &[RunRow], context: &Context, desk: &Desk) {
    let shown: Vec<_> = rows.iter().take(SHOWN).map(convert::run).collect();
    preview_of(&shown, rows.len(), desk.now().await, context);
}

/// Shows some of the runs that it is about.
pub(super) fn preview_of(shown: &[run::RunRow], of: usize, now: Timestamp, context: &Context) {
    context.out.show(&mut ls::table(context, shown, now), "no run fits");
    if of > shown.len() {
        context.out.note(format!("… and {} more", of - shown.len()));
    }
}

async fn ask(
    word: Word,
    rows: Vec<RunRow>,
    desk: &Desk,
    context: &Context,
    by_why: (&str, &str),
) -> Result<Done, Complaint> {
    let engine = desk.engine().await?;
    let bar = context.out.bar(rows.len() as u64, word.verb());
    let mut done = Done::default();
    for row in rows {
        match ask_one(word, &engine, &row.id, by_why).await {
            Ok(new) => done.runs.push((row.id, new)),
            Err(error) => done.failed.push((row.id, error.into())),
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    engine.shutdown().await?;
    Ok(done)
}

async fn ask_one(word: Word, engine: &Engine, id: &RunId, (by, why): (&str, &str)) -> Result<Option<RunId>, Error> {
    let run = engine.handle(id).await?;
    match word {
        Word::Pause => run.pause(by, why).await?,
        Word::Resume => run.resume(by, why).await?,
        Word::Kill => run.kill(by, why).await?,
        Word::Retry => return Ok(Some(run.retry(by, why).await?.id().clone())),
        Word::Rerun => return Ok(Some(run.rerun(by, why).await?.id().clone())),
        Word::Stop | Word::Rm => run.cancel(by, why).await?,
    }
    Ok(None)
}

/// Deletes runs that are over, and says which are not.
async fn delete(rows: Vec<RunRow>, desk: &Desk, context: &Context) -> Result<Done, Complaint> {
    let mut done = Done::default();
    let (over, open): (Vec<RunRow>, Vec<RunRow>) = rows.into_iter().partition(|row| row.summary.status.is_final());
    for row in open {
        let (id, status) = (&row.id, row.summary.status);
        let error = Complaint::from(Error::RunNotEnded { id: id.clone(), status })
            .next(format!("vastflow runs stop {id}; where no worker runs: vastflow runs kill {id}"));
        done.failed.push((row.id, error));
    }
    let bar = context.out.bar(over.len() as u64, "delete");
    for some in over.chunks(500) {
        let ids: Vec<RunId> = some.iter().map(|row| row.id.clone()).collect();
        loop {
            let ask = Prune { which: Doomed::Runs(ids.clone()), limit: ids.len() };
            if !desk.store.prune(&ask).await?.more {
                break;
            }
        }
        for id in ids {
            match desk.store.run(&id).await? {
                None => done.runs.push((id, None)),
                Some(_) => {
                    let text = format!("run {id} stays: something is left to do in it");
                    done.failed.push((id, Complaint::new(Exit::Conflict, "run-not-ended", text)));
                }
            }
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    Ok(done)
}

pub(super) fn report(word: Word, done: Done, context: &Context) -> Result<(), Complaint> {
    let out = context.out;
    let matched = done.runs.len() + done.failed.len();
    if out.is_json() {
        let run = |(id, new): &(RunId, Option<RunId>)| match new {
            Some(new) => json!({ "id": id.as_str(), "new_id": new.as_str() }),
            None => json!({ "id": id.as_str() }),
        };
        let failed = |(id, why): &(RunId, Complaint)| json!({ "id": id.as_str(), "code": why.code, "text": why.text });
        out.json(json!({
            "verb": word.verb(),
            "dry_run": false,
            "matched": matched,
            "runs": done.runs.iter().map(run).collect::<Vec<Value>>(),
            "failed": done.failed.iter().map(failed).collect::<Vec<Value>>(),
        }));
    } else {
        for (id, new) in &done.runs {
            out.say(new.as_ref().unwrap_or(id));
        }
        match done.runs.len() {
            0 if matched == 0 => out.note("no run fits"),
            0 => {}
            runs => out.note(format!("{} {}", word.done(), count(runs as u64, "run"))),
        }
    }
    let (several, failures) = (matched > 1, done.failed.len());
    let Some((_, first)) = done.failed.first() else { return Ok(()) };
    if !several {
        return Err(first.clone());
    }
    if !out.is_json() {
        done.failed.iter().for_each(|(_, why)| out.complain(why));
    }
    let text = format!("{} of {matched} could not be done", count(failures as u64, "run"));
    Err(Complaint::new(first.exit, "some-failed", text).next("look at each: vastflow runs show ID"))
}
