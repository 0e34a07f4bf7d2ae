//! Flows: what is stored of them, what they take, and how their runs go.

use crate::auth::Principal;
use crate::handlers::figures::{nodes_of, share};
use crate::handlers::{Asks, see};
use crate::list::each_of;
use crate::problem::{Answer, Refusal};
use crate::show;
use crate::state::App;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use vastflow_api::Page;
use vastflow_api::flow::{FlowRow, FlowStats, FlowView};
use vastflow_core::plan::{NodeKind, PlanSpec, Schema, Source};
use vastflow_core::{Name, Plan, PlanHash, RunStatus};
use vastflow_store::{Fleet, RunQuery, RunRow};

/// How many of a flow's newest runs its figures are of.
const LOOKED_AT: usize = 200;

/// What is known of the flows of a store.
struct Known {
    plans: BTreeMap<Name, Vec<Arc<Plan>>>,
    fleet: Fleet,
    own: BTreeSet<Name>,
}

impl Known {
    async fn of(app: &App) -> Answer<Self> {
        let mut plans: BTreeMap<Name, Vec<Arc<Plan>>> = BTreeMap::new();
        for plan in app.engine.store().plans().await? {
            plans.entry(plan.flow().clone()).or_default().push(plan);
        }
        let own = app.engine.report().await?.flows.into_iter().collect();
        Ok(Known { plans, fleet: app.engine.store().fleet().await?, own })
    }

    async fn row(&self, app: &App, name: &Name) -> FlowRow {
        let plans = self.plans.get(name).map_or(&[][..], Vec::as_slice);
        let current = app.engine.plan_of(name).await.ok();
        let plan = current.and_then(|hash| plans.iter().find(|plan| plan.hash() == hash));
        let alive = self.fleet.workers.iter().filter(|worker| worker.until > self.fleet.now);
        let serves = |hash: PlanHash| {
            alive.filter(|worker| worker.about.slots > 0 && worker.about.serves.contains(&hash)).count()
        };
        FlowRow {
            name: name.to_string(),
            plan: current.map(|hash| hash.to_string()),
            plans: plans.iter().map(|plan| plan.hash().to_string()).collect(),
            nodes: plan.map(|plan| plan.len() as u64),
            has_code: self.own.contains(name),
            workers: current.map_or(0, |hash| serves(hash) as u64),
        }
    }
}

/// The flows that the store knows.
#[utoipa::path(get, path = "/api/v1/flows", operation_id = "list_flows", tag = "flows",
    responses((status = 200, description = "All that may be seen.", body = Page<FlowRow>)))]
pub(crate) async fn list_flows(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
) -> Answer<Json<Page<FlowRow>>> {
    let known = Known::of(&app).await?;
    let mut rows = Vec::new();
    for name in known.plans.keys().filter(|name| who.sees(name)) {
        rows.push(known.row(&app, name).await);
    }
    Ok(Json(Page::last(rows)))
}

/// A flow: its plans, what it takes, the signals that it waits for.
#[utoipa::path(get, path = "/api/v1/flows/{name}", operation_id = "get_flow", tag = "flows",
    params(("name" = String, Path, description = "The flow.")),
    responses((status = 200, description = "The flow.", body = FlowView)))]
pub(crate) async fn get_flow(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
) -> Answer<Json<FlowView>> {
    see(&who, &name)?;
    let known = Known::of(&app).await?;
    let (name, plans) = known.plans.get_key_value(&*name).ok_or_else(|| Refusal::no_flow(&name))?;
    let flow = known.row(&app, name).await;
    let plan = plans.iter().find(|plan| Some(plan.hash().to_string()) == flow.plan).or(plans.last());
    let mut signals = BTreeSet::new();
    plan.iter().for_each(|plan| gather(plan.spec(), &mut signals));
    let input_schema = show::json_schema(&plan.map_or(Schema::Any, |plan| input_of(plan)));
    let signals = signals.into_iter().map(|name| name.to_string()).collect();
    Ok(Json(FlowView { flow, input_schema, signals }))
}

/// What a flow takes: what a node reads that gets the run's input and nothing else.
fn input_of(plan: &Plan) -> Schema {
    let takes = |node: &&vastflow_core::plan::NodeSpec| {
        let mut data = node.inputs.iter().filter(|edge| !edge.order_only);
        // With what a foreach by pages takes comes the place where a page begins.
        let is_paged = matches!((&node.kind, &node.takes), (NodeKind::ForEach(_), Schema::Tuple(_)));
        let is_only = matches!((data.next(), data.next()), (Some(edge), None) if edge.from == Source::Input);
        is_only && !is_paged && !node.takes.is_any()
    };
    plan.spec().nodes.iter().find(takes).map_or(Schema::Any, |node| node.takes.clone())
}

fn gather(spec: &PlanSpec, signals: &mut BTreeSet<Name>) {
    for node in &spec.nodes {
        if let NodeKind::Signal { name } = &node.kind {
            signals.insert(name.clone());
        }
        node.bodies().into_iter().for_each(|body| gather(body, signals));
    }
}

/// The plan of a flow: as it is stored (`json`), described node by node as goflow did (`definition`), or drawn (`dot`,
/// `mermaid`).
#[utoipa::path(get, path = "/api/v1/flows/{name}/plan", operation_id = "flow_plan", tag = "flows",
    params(("name" = String, Path, description = "The flow."),
        ("format" = Option<String>, Query, description = "`json` unless said, `definition`, `dot` or `mermaid`."),
        ("plan" = Option<String>, Query, description = "Another plan of the flow than new runs follow, by its hash.")),
    responses((status = 200, description = "The plan.", body = serde_json::Value)))]
pub(crate) async fn flow_plan(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
    uri: Uri,
) -> Answer<Response> {
    let asks = Asks::of(&uri, &["format", "plan"])?;
    see(&who, &name)?;
    let plan = match asks.text("plan") {
        Some(hash) => {
            let all = app.engine.store().plans().await?;
            let found = all.into_iter().find(|plan| **plan.flow() == *name && plan.hash().to_string() == hash);
            found.ok_or_else(|| Refusal::new("unknown-flow", format!("no plan {hash:?} of flow {name:?} is stored")))?
        }
        None => {
            let hash = app.engine.plan_of(&name).await?;
            app.engine.store().plan(hash).await?.ok_or_else(|| Refusal::no_flow(&name))?
        }
    };
    let (kind, text) = match asks.text("format").unwrap_or("json") {
        "json" => ("application/json", plan.to_json()),
        "definition" => ("application/json", plan.definition().to_json()),
        "dot" => ("text/vnd.graphviz; charset=utf-8", plan.to_dot()),
        "mermaid" => ("text/plain; charset=utf-8", plan.to_mermaid()),
        other => {
            return Err(Refusal::new(
                "bad-request",
                format!("{other:?} is no format of a plan; there are json, definition, dot and mermaid"),
            ));
        }
    };
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}

/// How the newest runs of a flow went: at most 200 are looked at, and of 25 their nodes.
#[utoipa::path(get, path = "/api/v1/flows/{name}/stats", operation_id = "flow_stats", tag = "flows",
    params(("name" = String, Path, description = "The flow.")),
    responses((status = 200, description = "The figures.", body = FlowStats)))]
pub(crate) async fn flow_stats(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
    Path(name): Path<String>,
) -> Answer<Json<FlowStats>> {
    see(&who, &name)?;
    let query = RunQuery { flow: Some(Name::new(&name)?), ..RunQuery::default() };
    let (mut stats, mut took) = (FlowStats::default(), Vec::new());
    let look = |row: RunRow| {
        stats.runs += 1;
        match row.summary.status {
            RunStatus::Succeeded => stats.succeeded += 1,
            RunStatus::Failed => stats.failed += 1,
            RunStatus::Stopped => stats.stopped += 1,
            _ => stats.unfinished += 1,
        }
        took.extend(row.summary.ended_at.map(|ended| ended.since(row.summary.started_at)));
    };
    each_of(&**app.engine.store(), query, LOOKED_AT, look).await?;
    if stats.runs == 0 {
        app.engine.plan_of(&name).await?;
    }
    took.sort_unstable();
    (stats.p50_ms, stats.p95_ms) = (share(&took, 50), share(&took, 95));
    stats.nodes = nodes_of(&app, &name).await?;
    Ok(Json(stats))
}
