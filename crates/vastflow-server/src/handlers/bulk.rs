//! Something asked of many runs at once. Each run is loaded and its flow asked for before anything is done to it.

use crate::auth::Principal;
use crate::handlers::control::{Verb, ask, because};
use crate::handlers::which::Which;
use crate::handlers::{json, look};
use crate::problem::{Answer, Refusal};
use crate::state::App;
use axum::extract::State;
use axum::{Extension, Json};
use bytes::Bytes;
use std::sync::Arc;
use vastflow_api::access::Scope;
use vastflow_api::bulk::{Action, Bulk, BulkDone, Filter, Refused};
use vastflow_core::RunId;
use vastflow_store::{Doomed, Prune, RunRow, Store};

/// The most runs of one request.
const MOST: usize = 1_000;
const SAMPLE: usize = 20;
const FAILED: usize = 100;
const PAGE: usize = 500;

/// Asks something of many runs: those named by `ids`, or those that fit `filter`. Without `"dry_run": false` it only counts
/// them. One request is about at most 1,000 runs; `more` says whether there are others.
#[utoipa::path(post, path = "/api/v1/runs/bulk", operation_id = "bulk", tag = "control", request_body = Bulk,
    responses((status = 200, description = "What was done, or would be.", body = BulkDone)))]
pub(crate) async fn bulk(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    body: Bytes,
) -> Answer<Json<BulkDone>> {
    let asked: Bulk = json(&body)?;
    if asked.action == Action::Delete && !who.may(Scope::Admin) {
        return Err(Refusal::new(
            "forbidden",
            format!("deleting takes the right `admin`, which {:?} has not", who.name()),
        ));
    }
    let (rows, mut failed, more) = match (&asked.ids[..], &asked.filter) {
        ([], Some(filter)) => by_filter(&app, &who, filter, asked.action).await?,
        (ids, None) if (1..=MOST).contains(&ids.len()) => by_ids(&app, &who, ids).await?,
        _ => {
            let why = format!("name 1 to {MOST} runs by `ids`, or give a `filter`, not both");
            return Err(Refusal::new("bad-request", why));
        }
    };
    if asked.expected.is_some_and(|expected| rows.len() as u64 > expected) {
        let why = format!("there are {} runs now, more than were expected; nothing was done: look again", rows.len());
        return Err(Refusal::new("bulk-changed", why));
    }
    let mut done = 0;
    if !asked.dry_run {
        for row in &rows {
            match act(&app, &who, row, asked.action, &asked.why).await {
                Ok(()) => done += 1,
                Err(refusal) => failed.push(refused(row.id.as_str(), refusal)),
            }
        }
    }
    failed.truncate(FAILED);
    let sample = rows.iter().take(SAMPLE).map(|row| row.id.to_string()).collect();
    Ok(Json(BulkDone { dry_run: asked.dry_run, matched: rows.len() as u64, done, sample, failed, more }))
}

type Found = (Vec<RunRow>, Vec<Refused>, bool);

fn refused(id: &str, Refusal(problem, _): Refusal) -> Refused {
    Refused { id: id.to_owned(), code: problem.code, detail: problem.detail }
}

async fn by_ids(app: &App, who: &Principal, ids: &[String]) -> Answer<Found> {
    let (mut rows, mut failed) = (Vec::new(), Vec::new());
    for id in ids {
        match look(app, who, id).await {
            Ok(row) => rows.push(row),
            Err(refusal) => failed.push(refused(id, refusal)),
        }
    }
    Ok((rows, failed, false))
}

async fn by_filter(app: &App, who: &Principal, filter: &Filter, action: Action) -> Answer<Found> {
    let mut which = Which::of_filter(filter, who)?;
    which.query.limit = PAGE;
    let mut rows = Vec::new();
    loop {
        let page = app.engine.store().runs(&which.query).await?;
        let is_old = page.rows.last().is_some_and(|row| which.is_too_old(row));
        let fits = |row: &RunRow| who.sees(&row.summary.started.flow) && which.takes(row) && takes(action, row);
        rows.extend(page.rows.into_iter().filter(fits));
        which.query.before = page.next.filter(|_| !is_old);
        if rows.len() > MOST || which.query.before.is_none() {
            break;
        }
    }
    let more = rows.len() > MOST;
    rows.truncate(MOST);
    Ok((rows, Vec::new(), more))
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
