//! Something asked of many runs at once. Each run is loaded and its flow asked for before anything is done to it.

use crate::auth::Principal;
use crate::handlers::control::{Verb, ask, because};
use crate::handlers::runs::Effort;
use crate::handlers::which::Which;
use crate::handlers::{json, look};
use crate::problem::{Answer, Refusal};
use crate::state::App;
use axum::extract::State;
use axum::{Extension, Json};
use bytes::Bytes;
use std::sync::Arc;
use vastflow_api::access::{BulkRow, Scope};
use vastflow_api::bulk::{Action, Bulk, BulkDone, Filter, Refused};
use vastflow_core::RunId;
use vastflow_store::{Doomed, Prune, RunRow, Store};

/// The most runs of one request.
const MOST: usize = 1_000;
const SAMPLE: usize = 20;
const FAILED: usize = 100;
const PAGE: usize = 200;

/// Asks something of many runs: those named by `ids`, or those that fit `filter`. Without `"dry_run": false` it only counts
/// them. One request is about at most 1,000 runs, and for a filter some 10,000 are looked at, for some 2 s; `more` says whether
/// there are others, and `next` from where on to look for them: with it as `before`. How far a request looks is a matter of time,
/// so whoever counts first says, with `until`, how far was counted: `next` of the dry run.
#[utoipa::path(post, path = "/api/v1/runs/bulk", operation_id = "bulk", tag = "control", request_body = Bulk,
    responses((status = 200, description = "What was done, or would be.", body = BulkDone)))]
pub(crate) async fn bulk(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    body: Bytes,
) -> Answer<(Extension<BulkRow>, Json<BulkDone>)> {
    let asked: Bulk = json(&body)?;
    if asked.action == Action::Delete && !who.may(Scope::Admin) {
        return Err(Refusal::new(
            "forbidden",
            format!("deleting takes the right `admin`, which {:?} has not", who.name()),
        ));
    }
    let Found { rows, mut failed, more, next } = found(&app, &who, &asked).await?;
    if asked.expected.is_some_and(|expected| rows.len() as u64 > expected) {
        let why = format!("there are {} runs now, more than were expected; nothing was done: look again", rows.len());
        return Err(Refusal::new("bulk-changed", why));
    }
    let mut done = Vec::new();
    if !asked.dry_run {
        for row in &rows {
            match act(&app, &who, row, asked.action, &asked.why).await {
                Ok(()) => done.push(row.id.to_string()),
                Err(refusal) => failed.push(refused(row.id.as_str(), refusal)),
            }
        }
    }
    let (matched, of, dry_run) = (rows.len() as u64, done.len() as u64, asked.dry_run);
    let row = row(asked, (matched, done, failed.len()));
    failed.truncate(FAILED);
    let sample = rows.iter().take(SAMPLE).map(|row| row.id.to_string()).collect();
    Ok((Extension(row), Json(BulkDone { dry_run, matched, done: of, sample, failed, more, next })))
}

/// What the audit log says of it.
fn row(asked: Bulk, (matched, mut done, failed): (u64, Vec<String>, usize)) -> BulkRow {
    let Bulk { action, mut ids, filter, dry_run, .. } = asked;
    let of = done.len() as u64;
    ids.truncate(SAMPLE);
    done.truncate(SAMPLE);
    BulkRow { action, dry_run, ids, filter, matched, done: of, failed: failed as u64, sample: done }
}

/// Runs that it is about.
#[derive(Default)]
struct Found {
    rows: Vec<RunRow>,
    failed: Vec<Refused>,
    more: bool,
    next: Option<String>,
}

async fn found(app: &App, who: &Principal, asked: &Bulk) -> Answer<Found> {
    match (&asked.ids[..], &asked.filter) {
        ([], Some(filter)) => by_filter(app, who, filter, asked).await,
        (ids, None) if (1..=MOST).contains(&ids.len()) && asked.before.is_none() && asked.until.is_none() => {
            by_ids(app, who, ids).await
        }
        _ => {
            let why = format!(
                "name 1 to {MOST} runs by `ids`, or give a `filter`, not both; `before` and `until` go with a filter"
            );
            Err(Refusal::new("bad-request", why))
        }
    }
}

fn refused(id: &str, Refusal(problem, _): Refusal) -> Refused {
    Refused { id: id.to_owned(), code: problem.code, detail: problem.detail }
}

async fn by_ids(app: &App, who: &Principal, ids: &[String]) -> Answer<Found> {
    let mut found = Found::default();
    for id in ids {
        match look(app, who, id).await {
            Ok(row) => found.rows.push(row.without_payloads()),
            Err(refusal) => found.failed.push(refused(id, refusal)),
        }
    }
    Ok(found)
}

async fn by_filter(app: &App, who: &Principal, filter: &Filter, asked: &Bulk) -> Answer<Found> {
    let mut which = Which::of_filter(filter, who)?;
    let until = key_of(asked.until.as_deref(), "until")?;
    which.query.before = key_of(asked.before.as_deref(), "before")?;
    let (mut effort, mut found) = (Effort::of(app), Found::default());
    while effort.goes_on() {
        which.query.limit = PAGE.min(effort.left);
        let page = app.engine.store().runs(&which.query).await?;
        effort.left -= page.rows.len().min(effort.left);
        let is_old = page.rows.last().is_some_and(|row| which.is_too_old(row));
        // The newest come first.
        let end = until.filter(|until| page.rows.last().is_some_and(|row| row.key <= *until));
        let fits = |row: &RunRow| {
            until.is_none_or(|until| row.key >= until)
                && who.sees(&row.summary.started.flow)
                && which.takes(row)
                && takes(asked.action, row)
        };
        found.rows.extend(page.rows.into_iter().filter(fits).map(RunRow::without_payloads));
        which.query.before = end.or(page.next.filter(|_| !is_old));
        if found.rows.len() > MOST || end.is_some() || which.query.before.is_none() {
            break;
        }
    }
    let is_full = found.rows.len() > MOST;
    found.rows.truncate(MOST);
    let next = if is_full { found.rows.last().map(|row| row.key) } else { which.query.before };
    (found.more, found.next) = (next.is_some(), next.map(|next| next.to_string()));
    Ok(found)
}

/// A place in the list of runs.
fn key_of(given: Option<&str>, name: &str) -> Answer<Option<u64>> {
    let key = given.map(str::parse).transpose();
    key.map_err(|_| Refusal::new("bad-request", format!("`{name}` is what an answer gave as `next`")))
}

/// Whether something can be asked of a run as it stands, so that a filter needs not say so.
fn takes(action: Action, row: &RunRow) -> bool {
    let is_final = row.summary.status.is_final();
    match action {
        Action::Retry => is_final && row.summary.output.is_none(),
        Action::Rerun | Action::Delete => is_final,
        _ => !is_final,
    }
}

async fn act(app: &App, who: &Principal, row: &RunRow, action: Action, why: &str) -> Answer<()> {
    let verb = match action {
        Action::Pause => Verb::Pause,
        Action::Resume => Verb::Resume,
        Action::Stop => Verb::Stop,
        Action::Kill => Verb::Kill,
        Action::Retry | Action::Rerun => {
            let run = app.engine.handle(row.id.as_str()).await?;
            let by_why = (who.name(), because(why));
            match action {
                Action::Retry => run.retry(by_why.0, by_why.1).await?,
                _ => run.rerun(by_why.0, by_why.1).await?,
            };
            return Ok(());
        }
        Action::Delete => return delete(&**app.engine.store(), &row.id).await,
        _ => return Err(Refusal::new("bad-request", "this service knows no such action")),
    };
    ask(&app.engine.handle(row.id.as_str()).await?, verb, who, why).await
}

async fn delete(store: &dyn Store, id: &RunId) -> Answer<()> {
    let pruned = store.prune(&Prune { which: Doomed::Runs(vec![id.clone()]), limit: 1 }).await?;
    match pruned.runs {
        0 => {
            Err(Refusal::new("deleted-nothing", format!("run {id:?} is not over, or parts of it are still under way")))
        }
        _ => Ok(()),
    }
}
