//! Looking at runs.

use crate::auth::Principal;
use crate::handlers::call::payload;
use crate::handlers::inside::Inside;
use crate::handlers::which::Which;
use crate::handlers::{Asks, find, look, see_all};
use crate::problem::{Answer, Refusal};
use crate::show;
use crate::state::App;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::Response;
use axum::{Extension, Json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use vastflow_api::Page;
use vastflow_api::event::EventRow;
use vastflow_api::run::{Counts, RunRow, Status};
use vastflow_api::view::RunView;
use vastflow_core::{Payload, PlanHash, RunStatus, Seq};
use vastflow_store::{Doomed, Prune};

/// How many runs are read at once to find some of them: each comes with what it got and gave.
const STEP: usize = 200;
/// The most rows of a page.
pub(crate) const MOST: usize = 1_000;

/// Runs, the newest first, a page at a time. For one page some 10,000 runs are looked at, and for some 2 s: when more would have
/// had to be, the page is `partial`, may be empty, and `next` goes on from there.
#[utoipa::path(get, path = "/api/v1/runs", operation_id = "list_runs", tag = "runs",
    params(("flow" = Option<String>, Query, description = "Only of this flow."),
        ("status" = Option<Status>, Query, description = "Only with this status; may be given several times."),
        ("label" = Option<String>, Query, description = "Only with this label, as `key:value`; may be given several times."),
        ("since_ms" = Option<u64>, Query, description = "Only those that began then or later."),
        ("until_ms" = Option<u64>, Query, description = "Only those that began before then."),
        ("id" = Option<String>, Query, description = "Only those whose id begins like this."),
        ("q" = Option<String>, Query, description = "Only those with this text in their id, in the value of a label, or in what they failed with."),
        ("before" = Option<String>, Query, description = "What the page before gave as `next`."),
        ("limit" = Option<u32>, Query, description = "The most rows; 100 unless said, at most 1,000.")),
    responses((status = 200, description = "A page.", body = Page<RunRow>)))]
pub(crate) async fn list_runs(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Answer<Json<Page<RunRow>>> {
    let words = [&Which::WORDS[..], &["before", "limit"]].concat();
    let asks = Asks::of(&uri, &words)?;
    let mut which = Which::of(&asks, &who)?;
    which.query.before = asks.parse("before")?;
    Ok(Json(page(&app, &who, which, asks.limit(100, MOST)?).await?))
}

/// A page of what somebody asks for and may see. Only so many runs are looked at for one page, and so long, so it may have less in
/// it than there is room for, and still not be the last. Runs are in the order in which they began: one that is too old ends
/// the list.
pub(crate) async fn page(app: &App, who: &Principal, mut which: Which, limit: usize) -> Answer<Page<RunRow>> {
    let mut items = Vec::new();
    let mut effort = Effort::of(app);
    which.query.limit = if which.leaves_out() || !who.sees_all() { STEP } else { limit };
    while effort.goes_on() {
        which.query.limit = which.query.limit.min(effort.left);
        let page = app.engine.store().runs(&which.query).await?;
        let last = page.rows.last().map(|row| row.key);
        effort.left -= page.rows.len().min(effort.left);
        for row in &page.rows {
            if which.is_too_old(row) {
                return Ok(Page::last(items));
            }
            if which.takes(row) && who.sees(&row.summary.started.flow) {
                items.push(show::row(&row.id, &row.summary));
            }
            if items.len() == limit {
                let is_last = page.next.is_none() && Some(row.key) == last;
                return Ok(Page::new(items, (!is_last).then(|| row.key.to_string())));
            }
        }
        which.query.before = page.next;
        if which.query.before.is_none() {
            break;
        }
    }
    let next = which.query.before.map(|before| before.to_string());
    Ok(Page { partial: next.is_some(), ..Page::new(items, next) })
}

/// How much is looked at for one answer.
pub(crate) struct Effort {
    /// How many runs may still be looked at.
    pub(crate) left: usize,
    began: Instant,
    time: Duration,
}

impl Effort {
    pub(crate) fn of(app: &App) -> Self {
        Effort { left: app.limits.looked_at.max(1), began: Instant::now(), time: app.limits.look_time }
    }

    /// Whether it is looked on. What has begun is not broken off.
    pub(crate) fn goes_on(&self) -> bool {
        self.left > 0 && self.began.elapsed() <= self.time
    }
}

/// How many runs there are of each status, as it was at most 2 s ago. Only for those who see all flows.
#[utoipa::path(get, path = "/api/v1/counts", operation_id = "count_runs", tag = "runs",
    responses((status = 200, description = "By status.", body = Counts)))]
pub(crate) async fn count_runs(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
) -> Answer<Json<Counts>> {
    see_all(&who, "the counts")?;
    app.counts.get(counted(&app)).await.map(Json)
}

async fn counted(app: &App) -> Answer<Counts> {
    let mut counts = app.engine.store().counts().await?;
    let unfinished = counts.unfinished();
    let of: BTreeMap<Status, u64> =
        Status::ALL.into_iter().map(|status| (status, *counts.of(show::status_asked(status)))).collect();
    Ok(Counts { runs: of, unfinished })
}

/// A run in short.
#[utoipa::path(get, path = "/api/v1/runs/{id}", operation_id = "get_run", tag = "runs",
    params(("id" = String, Path, description = "The run.")),
    responses((status = 200, description = "The run.", body = RunRow)))]
pub(crate) async fn get_run(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer<Json<RunRow>> {
    let row = look(&app, &who, &id).await?;
    Ok(Json(show::row(&row.id, &row.summary)))
}

/// A run to look at: its nodes with states, times, calls and errors.
#[utoipa::path(get, path = "/api/v1/runs/{id}/view", operation_id = "view_run", tag = "runs",
    params(("id" = String, Path, description = "The run."),
        ("scope" = Option<String>, Query, description = "A part of it: an item or an arm as `outer[key]`, a basin as `outer`.")),
    responses((status = 200, description = "Its nodes.", body = RunView)))]
pub(crate) async fn view_run(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer<Json<RunView>> {
    let asks = Asks::of(&uri, &["scope"])?;
    let scope = asks.text("scope").unwrap_or("");
    let (run, row) = find(&app, &who, &id).await?;
    let view = run.view_within(scope).await?;
    let is_served = !view.missing.is_empty() && is_served(&app, row.summary.started.plan).await?;
    Ok(Json(show::view(view, scope, row.summary.started.info.trace.as_deref(), is_served)))
}

/// Whether a worker that is alive has the code of a plan.
async fn is_served(app: &App, plan: PlanHash) -> Answer<bool> {
    let fleet = app.engine.store().fleet().await?;
    Ok(fleet.workers.iter().any(|worker| worker.until > fleet.now && worker.about.serves.contains(&plan)))
}

/// What is recorded of a run, from the first event on, a page at a time. What the events carried is not in it.
#[utoipa::path(get, path = "/api/v1/runs/{id}/events", operation_id = "run_events", tag = "runs",
    params(("id" = String, Path, description = "The run."),
        ("scope" = Option<String>, Query, description = "Of a part of it: an item or an arm as `outer[key]`, a basin as `outer`."),
        ("after" = Option<String>, Query, description = "What the page before gave as `next`."),
        ("limit" = Option<u32>, Query, description = "The most rows; 100 unless said, at most 1,000.")),
    responses((status = 200, description = "A page.", body = Page<EventRow>)))]
pub(crate) async fn run_events(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer<Json<Page<EventRow>>> {
    let asks = Asks::of(&uri, &["scope", "after", "limit"])?;
    let (limit, after) = (asks.limit(100, MOST)?, asks.parse::<u64>("after")?.unwrap_or(0));
    let (run, row) = find(&app, &who, &id).await?;
    if let Some(scope) = asks.text("scope").filter(|scope| !scope.is_empty()) {
        return Ok(Json(Inside::of(&app, &row, scope).await?.events(after, limit)));
    }
    let there = usize::try_from(row.len.0.saturating_sub(after)).unwrap_or(usize::MAX);
    let (mut events, mut items) = (run.events().after(Seq(after)), Vec::new());
    while items.len() < limit.min(there) {
        let Some(event) = events.next().await? else { break };
        items.push(show::event(&event));
    }
    let next = (there > items.len()).then(|| (after + items.len() as u64).to_string());
    Ok(Json(Page::new(items, next)))
}

/// A run's input, as it is.
#[utoipa::path(get, path = "/api/v1/runs/{id}/input", operation_id = "run_input", tag = "payloads",
    params(("id" = String, Path, description = "The run.")),
    responses((status = 200, description = "The input, as it is.", body = Vec<u8>, content_type = "application/octet-stream")))]
pub(crate) async fn run_input(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer<Response> {
    Ok(payload(look(&app, &who, &id).await?.summary.started.input.clone()))
}

/// A run's output, as it is, once it succeeded.
#[utoipa::path(get, path = "/api/v1/runs/{id}/output", operation_id = "run_output", tag = "payloads",
    params(("id" = String, Path, description = "The run.")),
    responses((status = 200, description = "The output, as it is.", body = Vec<u8>, content_type = "application/octet-stream")))]
pub(crate) async fn run_output(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer<Response> {
    let summary = look(&app, &who, &id).await?.summary;
    match summary.status {
        RunStatus::Succeeded => Ok(payload(summary.output.unwrap_or_else(Payload::null))),
        status => Err(Refusal::new("no-output", format!("run {id:?} has no output: it is {status}"))),
    }
}

/// Deletes a run that is over, with all there is of it. Its id is free again.
#[utoipa::path(delete, path = "/api/v1/runs/{id}", operation_id = "delete_run", tag = "runs",
    params(("id" = String, Path, description = "The run."),
        ("why" = Option<String>, Query, description = "A reason, for the audit log.")),
    responses((status = 204, description = "It is gone.")))]
pub(crate) async fn delete_run(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer<StatusCode> {
    // The guard has read it.
    Asks::of(&uri, &["why"])?;
    let row = look(&app, &who, &id).await?;
    if !row.summary.status.is_final() {
        return Err(Refusal::new("run-not-ended", format!("run {id:?} is {}; stop it first", row.summary.status)));
    }
    let pruned = app.engine.store().prune(&Prune { which: Doomed::Runs(vec![row.id]), limit: 1 }).await?;
    match pruned.runs {
        0 => Err(Refusal::new(
            "deleted-nothing",
            format!("run {id:?} is over, but parts of it are still under way; try again in a moment"),
        )),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}
