//! Workers, queues, and what was done by whom.

use crate::auth::Principal;
use crate::handlers::runs::MOST;
use crate::handlers::{Asks, see_all};
use crate::problem::Answer;
use crate::show;
use crate::state::App;
use axum::extract::State;
use axum::http::Uri;
use axum::{Extension, Json};
use std::collections::BTreeMap;
use std::sync::Arc;
use vastflow_api::Page;
use vastflow_api::access::AuditRow;
use vastflow_api::fleet::{Lack, QueueRow, WorkerRow, Workers};
use vastflow_core::{PlanHash, Timestamp};
use vastflow_store::Fleet;

/// The workers of the store.
#[utoipa::path(get, path = "/api/v1/workers", operation_id = "list_workers", tag = "fleet",
    responses((status = 200, description = "Those that were not given up.", body = Workers)))]
pub(crate) async fn list_workers(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
) -> Answer<Json<Workers>> {
    let Fleet { now, workers, taken_over, fenced } = app.engine.store().fleet().await?;
    let row = |row: vastflow_store::WorkerRow| WorkerRow {
        id: show::worker(row.id.0),
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
        // What is missing names nodes of flows, which may not be theirs to see.
        lacks: if who.sees_all() { lacks(&row.about.lacks) } else { Vec::new() },
    };
    Ok(Json(Workers { workers: workers.into_iter().map(row).collect(), taken_over, fenced }))
}

fn lacks(of: &[(PlanHash, Box<str>)]) -> Vec<Lack> {
    of.iter().map(|(plan, first)| Lack { plan: plan.to_string(), first: first.to_string() }).collect()
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
            // What was there when the store was opened has been ready since nobody knows when.
            oldest_ready_ms: row.since.filter(|since| *since > Timestamp::ZERO).map(Timestamp::millis),
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

/// What was done by whom, the newest first: every request that was to change something, with how it was answered. The newest
/// 1,000 are known.
#[utoipa::path(get, path = "/api/v1/audit", operation_id = "list_audit", tag = "access",
    params(("who" = Option<String>, Query, description = "Only what they did."),
        ("operation" = Option<String>, Query, description = "Only this: an `operationId` of this document."),
        ("run" = Option<String>, Query, description = "Only what was about this run."),
        ("before" = Option<String>, Query, description = "What the page before gave as `next`."),
        ("limit" = Option<u32>, Query, description = "The most rows; 100 unless said, at most 1,000.")),
    responses((status = 200, description = "A page.", body = Page<AuditRow>)))]
pub(crate) async fn list_audit(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Answer<Json<Page<AuditRow>>> {
    see_all(&who, "the rows of the audit log")?;
    let asks = Asks::of(&uri, &["who", "operation", "run", "before", "limit"])?;
    let (limit, before) = (asks.limit(100, MOST)?, asks.parse::<u64>("before")?.unwrap_or(u64::MAX));
    let is_asked = |word: &str, own: Option<&str>| asks.text(word).is_none_or(|asked| own == Some(asked));
    let rows = app.audit.newest().into_iter().filter(|(at, row)| {
        *at < before
            && is_asked("who", row.who.as_deref())
            && is_asked("operation", Some(&row.operation))
            && is_asked("run", row.run.as_deref())
    });
    let mut rows = rows.peekable();
    let page: Vec<_> = rows.by_ref().take(limit).collect();
    let next = rows.peek().and(page.last()).map(|(at, _)| at.to_string());
    Ok(Json(Page::new(page.into_iter().map(|(_, row)| row).collect(), next)))
}
