//! What calls said.

use crate::auth::Principal;
use crate::handlers::{Asks, look};
use crate::problem::{Answer, Refusal};
use crate::state::App;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::{Extension, Json};
use std::sync::Arc;
use vastflow_api::event::{LogRow, RunLogs};
use vastflow_core::{ScopeId, Seq};
use vastflow_worker::LogLine;

/// Events read at once.
const PAGE: usize = 500;
/// The most lines of a page; a call's lines stay together.
const MOST: usize = 5_000;

/// What the calls of a run said (`ctx.log`, and what they log on `tracing` where the worker keeps it), in the order in which the
/// calls ended. It is recorded with what comes of a call, so a call under way has said nothing yet.
#[utoipa::path(get, path = "/api/v1/runs/{id}/logs", operation_id = "run_logs", tag = "payloads",
    params(("id" = String, Path, description = "The run."),
        ("scope" = Option<String>, Query, description = "A scope inside: `each[3]`; the run's own unless said."),
        ("node" = Option<String>, Query, description = "Only of this node."),
        ("after" = Option<String>, Query, description = "What the page before gave as `next`."),
        ("limit" = Option<u32>, Query, description = "About how many lines; 1,000 unless said, at most 5,000.")),
    responses((status = 200, description = "A page.", body = RunLogs)))]
pub(crate) async fn run_logs(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer<Json<RunLogs>> {
    let asks = Asks::of(&uri, &["scope", "node", "after", "limit"])?;
    let limit = asks.limit(1_000, MOST)?;
    let mut read = Seq(asks.parse::<u64>("after")?.unwrap_or(0));
    let row = look(&app, &who, &id).await?;
    let at = asks.text("scope").unwrap_or("");
    let scope = ScopeId::named(row.id.clone(), at);
    let store = app.engine.store();
    let plan = store.plan(row.summary.started.plan).await?.and_then(|plan| plan.of_scope(&scope));
    let plan =
        plan.ok_or_else(|| Refusal::new("unknown-place", format!("run {id:?} has no scope {at:?}; leave it out")))?;
    let mut logs = RunLogs::default();
    loop {
        let page = store.history(&scope, read, PAGE).await?;
        for recorded in &page {
            read = read.after(1);
            let (lines, dropped) = LogLine::of(&plan, recorded);
            let is_wanted = |line: &LogLine| asks.text("node").is_none_or(|node| line.node.as_deref() == Some(node));
            let rows = lines.into_iter().filter(is_wanted).map(|line| row_of(line, recorded.at.millis()));
            let before = logs.lines.len();
            logs.lines.extend(rows);
            if logs.lines.len() > before {
                logs.dropped += u64::from(dropped);
            }
            if logs.lines.len() >= limit {
                logs.next = Some(read.0.to_string());
                logs.seen = read.0.to_string();
                return Ok(Json(logs));
            }
        }
        if page.len() < PAGE {
            logs.seen = read.0.to_string();
            return Ok(Json(logs));
        }
    }
}

fn row_of(line: LogLine, at_ms: u64) -> LogRow {
    LogRow {
        at_ms,
        node: line.node.map(|node| node.to_string()),
        attempt: line.attempt,
        after_us: u64::try_from(line.after.as_micros()).unwrap_or(u64::MAX),
        level: line.level.as_str().to_owned(),
        text: line.text.into(),
    }
}
