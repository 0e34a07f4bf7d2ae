//! What waits for a person.

use crate::auth::Principal;
use crate::handlers::inside::Inside;
use crate::handlers::runs::MOST;
use crate::handlers::{Asks, find, see};
use crate::problem::{Answer, Refusal};
use crate::state::App;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::{Extension, Json};
use std::sync::Arc;
use std::time::Duration;
use vastflow_api::Page;
use vastflow_api::fleet::{AttentionItem, Waits};
use vastflow_core::plan::NodeKind;
use vastflow_core::run::NodeStatus;
use vastflow_core::{Name, PlanHash, RunStatus, Timestamp};
use vastflow_store::{RunQuery, RunRow};
use vastflow_worker::Run;

/// How long somebody may wait for a signal before it is told.
const SIGNAL_MS: u64 = 60 * 60 * 1_000;
/// Of how many runs that go on it is looked whether they wait for a signal.
const LOOKED_AT: usize = 200;

/// Whom somebody asks about.
struct Asked<'a> {
    app: &'a App,
    who: &'a Principal,
    flow: Option<Name>,
    limit: usize,
}

/// What waits for a person: nodes that failed for good, undo actions that did, calls that took their workers down, runs whose
/// code no worker has, nodes that wait for a signal for long, and the newest runs that failed.
#[utoipa::path(get, path = "/api/v1/attention", operation_id = "list_attention", tag = "fleet",
    params(("kind" = Option<Waits>, Query, description = "Only what waits for this reason."),
        ("flow" = Option<String>, Query, description = "Only of this flow."),
        ("signal_after_ms" = Option<u64>, Query, description = "How long a node waits for a signal before it is listed; an hour unless said."),
        ("limit" = Option<u32>, Query, description = "The most runs of each kind; 100 unless said, at most 1,000.")),
    responses((status = 200, description = "What waits, the most urgent first.", body = Page<AttentionItem>)))]
pub(crate) async fn list_attention(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    uri: Uri,
) -> Answer<Json<Page<AttentionItem>>> {
    let asks = Asks::of(&uri, &["kind", "flow", "signal_after_ms", "limit"])?;
    let flow = asks.text("flow");
    flow.map_or(Ok(()), |flow| see(&who, flow))?;
    let flow = flow.map(Name::new).transpose()?;
    let asked = Asked { app: &app, who: &who, flow, limit: asks.limit(100, MOST)? };
    let mut items = for_operators(&asked).await?;
    items.extend(for_code(&asked).await?);
    items.extend(for_signals(&asked, asks.parse("signal_after_ms")?.unwrap_or(SIGNAL_MS)).await?);
    items.extend(failed(&asked).await?);
    if let Some(word) = asks.text("kind") {
        let kind: Waits = serde_json::from_value(word.into()).map_err(|_| {
            Refusal::new("bad-request", format!("nothing waits for {word:?}; /api/v1/docs lists the kinds"))
        })?;
        items.retain(|item| item.kind == kind);
    }
    Ok(Json(Page::last(items)))
}

/// What of a run waits for an operator.
#[utoipa::path(get, path = "/api/v1/runs/{id}/attention", operation_id = "run_attention", tag = "runs",
    params(("id" = String, Path, description = "The run.")),
    responses((status = 200, description = "What waits.", body = Page<AttentionItem>)))]
pub(crate) async fn run_attention(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(id): Path<String>,
) -> Answer<Json<Page<AttentionItem>>> {
    let (run, row) = find(&app, &who, &id).await?;
    let items = if row.summary.status.is_final() { Vec::new() } else { parked(&app, &run, &row).await? };
    Ok(Json(Page::last(items)))
}

impl Asked<'_> {
    async fn runs(&self, status: RunStatus, limit: usize) -> Answer<Vec<RunRow>> {
        let query = RunQuery { flow: self.flow.clone(), status: Some(status), limit, ..RunQuery::default() };
        let rows = self.app.engine.store().runs(&query).await?.rows;
        Ok(rows.into_iter().filter(|row| self.who.sees(&row.summary.started.flow)).collect())
    }
}

/// An item about a run.
fn about(row: &RunRow, kind: Waits, why: String) -> AttentionItem {
    let (flow, run) = (row.summary.started.flow.to_string(), Some(row.id.to_string()));
    AttentionItem { kind, flow, run, at: None, signal: None, since_ms: None, why, runs: 1 }
}

async fn for_operators(asked: &Asked<'_>) -> Answer<Vec<AttentionItem>> {
    let mut items = Vec::new();
    for row in asked.runs(RunStatus::NeedsAttention, asked.limit).await? {
        let run = asked.app.engine.handle(row.id.as_str()).await?;
        items.extend(parked(asked.app, &run, &row).await?);
    }
    Ok(items)
}

async fn parked(app: &App, run: &Run, row: &RunRow) -> Answer<Vec<AttentionItem>> {
    let mut items = Vec::new();
    for (at, why) in run.attention().await? {
        let (scope, node) = at.rsplit_once('/').unwrap_or(("", &at));
        let (kind, since) = Inside::of(app, row, scope).await?.waits(node);
        let since_ms = since.map(Timestamp::millis);
        items.push(AttentionItem { at: Some(at), since_ms, ..about(row, kind, why) });
    }
    Ok(items)
}

/// What this program lacks, and no worker that is alive has.
async fn for_code(asked: &Asked<'_>) -> Answer<Vec<AttentionItem>> {
    let waiting = asked.app.engine.report().await?.waiting;
    let fleet = asked.app.engine.store().fleet().await?;
    let is_served = |plan: &PlanHash| {
        fleet.workers.iter().any(|worker| worker.until > fleet.now && worker.about.serves.contains(plan))
    };
    let is_asked = |flow: &str| asked.who.sees(flow) && asked.flow.as_ref().is_none_or(|own| **own == *flow);
    let items = waiting.into_iter().filter(|of| is_asked(&of.missing.flow) && !is_served(&of.missing.plan));
    Ok(items
        .map(|of| AttentionItem {
            kind: Waits::Code,
            flow: of.missing.flow.to_string(),
            run: None,
            at: None,
            signal: None,
            since_ms: None,
            why: format!("no worker that is alive has {}; start one that has", of.missing.needs.join(", ")),
            runs: of.runs as u64,
        })
        .collect())
}

/// Nodes that wait for a signal for long, in the newest runs that go on.
async fn for_signals(asked: &Asked<'_>, after_ms: u64) -> Answer<Vec<AttentionItem>> {
    let now = asked.app.engine.store().fleet().await?.now;
    let is_long = |since: Timestamp| now.since(since) >= Duration::from_millis(after_ms);
    let mut items = Vec::new();
    for row in asked.runs(RunStatus::Running, LOOKED_AT).await? {
        if !is_long(row.summary.started_at) {
            continue;
        }
        let run = asked.app.engine.handle(row.id.as_str()).await?;
        let plan = asked.app.engine.store().plan(row.summary.started.plan).await?;
        for node in run.view().await?.nodes {
            let since = node.began_at.filter(|_| node.status == NodeStatus::Listening);
            let Some(since) = since.filter(|since| is_long(*since)) else { continue };
            let spec = plan.as_ref().and_then(|plan| plan.node(plan.find(&node.name)?));
            let Some(NodeKind::Signal { name }) = spec.map(|spec| &spec.kind) else { continue };
            let item = about(&row, Waits::Signal, format!("it waits for the signal {:?}", name.as_str()));
            let (at, since_ms) = (Some(node.name.to_string()), Some(since.millis()));
            items.push(AttentionItem { at, signal: Some(name.to_string()), since_ms, ..item });
        }
    }
    items.truncate(asked.limit);
    Ok(items)
}

async fn failed(asked: &Asked<'_>) -> Answer<Vec<AttentionItem>> {
    let item = |row: RunRow| {
        let why = row.summary.outcome.as_ref().map(ToString::to_string).unwrap_or_default();
        AttentionItem { since_ms: row.summary.ended_at.map(Timestamp::millis), ..about(&row, Waits::Failed, why) }
    };
    Ok(asked.runs(RunStatus::Failed, asked.limit).await?.into_iter().map(item).collect())
}
