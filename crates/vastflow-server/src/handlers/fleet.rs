//! Workers, queues, what waits for a person, and what was done by whom.

use crate::auth::Principal;
use crate::handlers::Asks;
use crate::handlers::runs::MOST;
use crate::problem::Answer;
use crate::state::App;
use axum::extract::State;
use axum::http::Uri;
use axum::{Extension, Json};
use std::collections::BTreeMap;
use std::sync::Arc;
use vastflow_api::Page;
use vastflow_api::access::AuditRow;
use vastflow_api::fleet::{AttentionItem, Lack, QueueRow, Waits, WorkerRow, Workers};
use vastflow_core::{PlanHash, RunStatus};
use vastflow_store::{Fleet, RunQuery};

/// The workers of the store.
#[utoipa::path(get, path = "/api/v1/workers", operation_id = "list_workers", tag = "fleet",
    responses((status = 200, description = "Those that were not given up.", body = Workers)))]
pub(crate) async fn list_workers(State(app): State<Arc<App>>) -> Answer<Json<Workers>> {
    let Fleet { now, workers, taken_over, fenced } = app.engine.store().fleet().await?;
    let row = |row: vastflow_store::WorkerRow| WorkerRow {
        id: format!("{:016x}", row.id.0),
        name: row.about.name.as_ref().map(ToString::to_string),
        host: row.about.host.to_string(),
        pid: row.about.pid,
        version: row.about.version.to_string(),
        is_alive: row.until > now,
        until_ms: row.until.millis(),
        slots: row.about.slots as u64,
        in_hand: row.in_hand as u64,
        lanes: row.about.lanes.iter().map(ToString::to_string).collect(),
        serves: row.about.serves.iter().map(ToString::to_string).collect(),
        lacks: row
            .about
            .lacks
            .iter()
            .map(|(plan, first)| Lack { plan: plan.to_string(), first: first.to_string() })
            .collect(),
    };
    Ok(Json(Workers { workers: workers.into_iter().map(row).collect(), taken_over, fenced }))
}

/// The calls that wait, become visible later or are in hand, by plan and lane.
#[utoipa::path(get, path = "/api/v1/queues", operation_id = "list_queues", tag = "fleet",
    responses((status = 200, description = "All that may be seen.", body = Page<QueueRow>)))]
pub(crate) async fn list_queues(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
) -> Answer<Json<Page<QueueRow>>> {
    let flows = flows_of_plans(&app).await?;
    let mut rows = Vec::new();
    for row in app.engine.store().queues().await? {
        let flow = flows.get(&row.plan).cloned().unwrap_or_default();
        if !who.sees(&flow) {
            continue;
        }
        rows.push(QueueRow {
            flow,
            plan: row.plan.to_string(),
            lane: row.lane.map(|lane| lane.to_string()),
            ready: row.ready as u64,
            oldest_ready_ms: row.since.map(|since| since.millis()),
            later: row.later as u64,
            in_hand: row.in_hand as u64,
            held: row.held as u64,
        });
    }
    Ok(Json(Page::last(rows)))
}

async fn flows_of_plans(app: &App) -> Answer<BTreeMap<PlanHash, String>> {
    let plans = app.engine.store().plans().await?;
    Ok(plans.into_iter().map(|plan| (plan.hash(), plan.flow().to_string())).collect())
}

/// What waits for a person: nodes that failed for good, runs whose code no worker has, and the newest runs that failed.
#[utoipa::path(get, path = "/api/v1/attention", operation_id = "list_attention", tag = "fleet",
    params(("limit" = Option<u32>, Query, description = "The most runs of each kind; 100 unless said, at most 1,000.")),
    responses((status = 200, description = "What waits, the most urgent first.", body = Page<AttentionItem>)))]
pub(crate) async fn list_attention(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Answer<Json<Page<AttentionItem>>> {
    let limit = Asks::of(&uri, &["limit"])?.limit(100, MOST)?;
    let mut items = for_operators(&app, &who, limit).await?;
    items.extend(for_code(&app, &who).await?);
    items.extend(failed(&app, &who, limit).await?);
    Ok(Json(Page::last(items)))
}

async fn for_operators(app: &App, who: &Principal, limit: usize) -> Answer<Vec<AttentionItem>> {
    let mut items = Vec::new();
    let query = RunQuery { status: Some(RunStatus::NeedsAttention), limit, ..RunQuery::default() };
    for row in app.engine.store().runs(&query).await?.rows {
        let flow = &row.summary.started.flow;
        if !who.sees(flow) {
            continue;
        }
        let run = app.engine.handle(row.id.as_str()).await?;
        for (at, why) in run.attention().await? {
            let (flow, run) = (flow.to_string(), Some(row.id.to_string()));
            items.push(AttentionItem { kind: Waits::Operator, flow, run, at: Some(at), why, runs: 1 });
        }
    }
    Ok(items)
}

/// What this program lacks, and no worker that is alive has.
async fn for_code(app: &App, who: &Principal) -> Answer<Vec<AttentionItem>> {
    let waiting = app.engine.report().await?.waiting;
    let fleet = app.engine.store().fleet().await?;
    let is_served = |plan: &PlanHash| {
        fleet.workers.iter().any(|worker| worker.until > fleet.now && worker.about.serves.contains(plan))
    };
    let items = waiting.into_iter().filter(|of| who.sees(&of.missing.flow) && !is_served(&of.missing.plan));
    Ok(items
        .map(|of| AttentionItem {
            kind: Waits::Code,
            flow: of.missing.flow.to_string(),
            run: None,
            at: None,
            why: format!("no worker that is alive has {}; start one that has", of.missing.needs.join(", ")),
            runs: of.runs as u64,
        })
        .collect())
}

async fn failed(app: &App, who: &Principal, limit: usize) -> Answer<Vec<AttentionItem>> {
    let query = RunQuery { status: Some(RunStatus::Failed), limit, ..RunQuery::default() };
    let rows = app.engine.store().runs(&query).await?.rows;
    let items = rows.into_iter().filter(|row| who.sees(&row.summary.started.flow));
    Ok(items
        .map(|row| AttentionItem {
            kind: Waits::Failed,
            flow: row.summary.started.flow.to_string(),
            run: Some(row.id.to_string()),
            at: None,
            why: row.summary.outcome.map(|outcome| outcome.to_string()).unwrap_or_default(),
            runs: 1,
        })
        .collect())
}

/// What was done by whom, the newest first: every request that was to change something, with how it was answered.
#[utoipa::path(get, path = "/api/v1/audit", operation_id = "list_audit", tag = "access",
    params(("limit" = Option<u32>, Query, description = "The most rows; 100 unless said, at most 1,000.")),
    responses((status = 200, description = "The newest rows.", body = Page<AuditRow>)))]
pub(crate) async fn list_audit(State(app): State<Arc<App>>, uri: Uri) -> Answer<Json<Page<AuditRow>>> {
    let limit = Asks::of(&uri, &["limit"])?.limit(100, MOST)?;
    Ok(Json(Page::last(app.audit.newest(limit))))
}
