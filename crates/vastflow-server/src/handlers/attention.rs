//! What waits for a person.

use crate::auth::Principal;
use crate::handlers::inside::Inside;
use crate::handlers::runs::{Effort, MOST};
use crate::handlers::{Asks, find, see};
use crate::list::each_of;
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
use vastflow_worker::{Run, Waiting};

/// How long somebody may wait for a signal before it is told.
const SIGNAL_MS: u64 = 60 * 60 * 1_000;
/// Of how many runs that go on it is looked whether they wait for a signal.
const LOOKED_AT: usize = 200;

/// What somebody asks about, and how much of it was looked at.
struct Asked<'a> {
    app: &'a App,
    who: &'a Principal,
    flow: Option<Name>,
    kind: Option<Waits>,
    limit: usize,
    effort: Effort,
    items: Vec<AttentionItem>,
    /// Whether not all was looked at.
    partial: bool,
}

/// What waits for a person: nodes that failed for good, undo actions that did, calls that took their workers down, runs whose
/// code no worker has, nodes that wait for a signal for long, and the newest runs that failed. A call that runs alone, because it
/// was under way when its process died, is told of, too. It is looked for some 2 s, at no more runs of each kind than `limit`, and
/// at the 200 newest runs that go on: when there are more, the page is `partial`.
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
    let kind = asks.text("kind").map(|word| {
        serde_json::from_value(word.into()).map_err(|_| {
            Refusal::new("bad-request", format!("nothing waits for {word:?}; /api/v1/docs lists the kinds"))
        })
    });
    let (kind, limit, effort) = (kind.transpose()?, asks.limit(100, MOST)?, Effort::of(&app));
    let mut asked = Asked { app: &app, who: &who, flow, kind, limit, effort, items: Vec::new(), partial: false };
    // What takes one question is asked first, and always: the time is for what is looked for run by run.
    asked.failed().await?;
    asked.suspect().await?;
    asked.for_code().await?;
    asked.for_operators().await?;
    asked.for_signals(asks.parse("signal_after_ms")?.unwrap_or(SIGNAL_MS)).await?;
    let Asked { mut items, partial, .. } = asked;
    items.retain(|item| kind.is_none_or(|kind| item.kind == kind));
    items.sort_by_key(|item| urgency(item.kind));
    Ok(Json(Page { partial, ..Page::last(items) }))
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
    /// Whether somebody asks for one of these kinds.
    fn wants(&self, kinds: &[Waits]) -> bool {
        self.kind.is_none_or(|kind| kinds.contains(&kind))
    }

    /// Whether it was looked for long enough.
    fn is_over(&mut self) -> bool {
        let is_over = !self.effort.goes_on();
        self.partial |= is_over;
        is_over
    }

    async fn runs(&mut self, status: RunStatus, limit: usize) -> Answer<Vec<RunRow>> {
        let query = RunQuery { flow: self.flow.clone(), status: Some(status), ..RunQuery::default() };
        let mut seen = Vec::new();
        let look = |row: RunRow| {
            if self.who.sees(&row.summary.started.flow) {
                seen.push(row.without_payloads());
            }
        };
        self.partial |= each_of(&**self.app.engine.store(), query, limit, look).await?;
        Ok(seen)
    }

    async fn for_operators(&mut self) -> Answer<()> {
        if !self.wants(&[Waits::Operator, Waits::Undo, Waits::Quarantined]) {
            return Ok(());
        }
        for row in self.runs(RunStatus::NeedsAttention, self.limit).await? {
            if self.is_over() {
                break;
            }
            let run = self.app.engine.handle(row.id.as_str()).await?;
            self.items.extend(parked(self.app, &run, &row).await?);
        }
        Ok(())
    }

    /// The call that runs alone in this process.
    async fn suspect(&mut self) -> Answer<()> {
        let Some((scope, task)) = self.app.engine.suspect().filter(|_| self.wants(&[Waits::Suspect])) else {
            return Ok(());
        };
        let store = self.app.engine.store();
        let Some(row) = store.run(scope.run()).await?.filter(|row| self.who.sees(&row.summary.started.flow)) else {
            return Ok(());
        };
        let is_asked = |flow: &Name| self.flow.as_ref().is_none_or(|own| own == flow);
        if is_asked(&row.summary.started.flow) {
            let plan = store.plan(row.summary.started.plan).await?.and_then(|plan| plan.of_scope(&scope));
            let node = task.node().and_then(|node| Some(plan.as_ref()?.node(node)?.name.to_string()));
            let node = node.unwrap_or_else(|| "a hook".to_owned());
            let place = if scope.is_root() { node } else { format!("{}/{node}", scope.path()) };
            let why = format!(
                "its process ended whenever {place:?} was under way (a kill from outside looks the same): it runs alone now, and \
                 nothing else is called here meanwhile"
            );
            self.items.push(about(&row, Waits::Suspect, why));
        }
        Ok(())
    }

    /// What this program lacks, and no worker that is alive has.
    async fn for_code(&mut self) -> Answer<()> {
        if !self.wants(&[Waits::Code]) {
            return Ok(());
        }
        let report = self.app.engine.report().await?;
        self.partial |= report.is_partial;
        let fleet = self.app.engine.store().fleet().await?;
        let is_served = |plan: &PlanHash| {
            fleet.workers.iter().any(|worker| worker.until > fleet.now && worker.about.serves.contains(plan))
        };
        let is_asked = |flow: &str| self.who.sees(flow) && self.flow.as_ref().is_none_or(|own| **own == *flow);
        let items = report.waiting.into_iter().filter(|of| is_asked(&of.missing.flow) && !is_served(&of.missing.plan));
        let items: Vec<_> = items.map(lacks).collect();
        self.items.extend(items);
        Ok(())
    }

    /// Nodes that wait for a signal for long, in the newest runs that go on.
    async fn for_signals(&mut self, after_ms: u64) -> Answer<()> {
        if !self.wants(&[Waits::Signal]) || self.is_over() {
            return Ok(());
        }
        let now = self.app.engine.store().fleet().await?.now;
        let is_long = |since: Timestamp| now.since(since) >= Duration::from_millis(after_ms);
        let before = self.items.len();
        for row in self.runs(RunStatus::Running, LOOKED_AT).await? {
            if !is_long(row.summary.started_at) {
                continue;
            }
            if self.is_over() {
                break;
            }
            let run = self.app.engine.handle(row.id.as_str()).await?;
            let plan = self.app.engine.store().plan(row.summary.started.plan).await?;
            for node in run.view().await?.nodes {
                let since = node.began_at.filter(|_| node.status == NodeStatus::Listening);
                let Some(since) = since.filter(|since| is_long(*since)) else { continue };
                let spec = plan.as_ref().and_then(|plan| plan.node(plan.find(&node.name)?));
                let Some(NodeKind::Signal { name }) = spec.map(|spec| &spec.kind) else { continue };
                let item = about(&row, Waits::Signal, format!("it waits for the signal {:?}", name.as_str()));
                let (at, since_ms) = (Some(node.name.to_string()), Some(since.millis()));
                self.items.push(AttentionItem { at, signal: Some(name.to_string()), since_ms, ..item });
            }
        }
        self.partial |= self.items.len() > before + self.limit;
        self.items.truncate(before + self.limit);
        Ok(())
    }

    async fn failed(&mut self) -> Answer<()> {
        if !self.wants(&[Waits::Failed]) {
            return Ok(());
        }
        let rows = self.runs(RunStatus::Failed, self.limit).await?;
        self.items.extend(rows.into_iter().map(|row| {
            let why = row.summary.outcome.as_ref().map(ToString::to_string).unwrap_or_default();
            AttentionItem { since_ms: row.summary.ended_at.map(Timestamp::millis), ..about(&row, Waits::Failed, why) }
        }));
        Ok(())
    }
}

/// What comes first: who waits for an operator holds up a run, what failed holds up nobody.
const fn urgency(kind: Waits) -> u8 {
    match kind {
        Waits::Operator | Waits::Undo | Waits::Quarantined => 0,
        Waits::Code => 1,
        Waits::Signal => 2,
        Waits::Suspect => 3,
        _ => 4,
    }
}

/// An item about a run.
fn about(row: &RunRow, kind: Waits, why: String) -> AttentionItem {
    let (flow, run) = (row.summary.started.flow.to_string(), Some(row.id.to_string()));
    AttentionItem { kind, flow, run, at: None, signal: None, since_ms: None, why, runs: 1 }
}

/// An item about runs that lack code.
fn lacks(of: Waiting) -> AttentionItem {
    AttentionItem {
        kind: Waits::Code,
        flow: of.missing.flow.to_string(),
        run: None,
        at: None,
        signal: None,
        since_ms: None,
        why: format!("no worker that is alive has {}; start one that has", of.missing.needs.join(", ")),
        runs: of.runs as u64,
    }
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
