//! Figures of runs: over time, and node by node in the newest runs of a flow.

use crate::auth::Principal;
use crate::handlers::{Asks, see};
use crate::list::each_of;
use crate::problem::{Answer, Refusal};
use crate::show;
use crate::state::App;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::{Extension, Json};
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use vastflow_api::figures::{Figures, Grid, GridRow, NodeStats};
use vastflow_core::run::NodeStatus;
use vastflow_core::view::{NodeView, RunView};
use vastflow_core::{Name, RunStatus, ScopeId, Seq};
use vastflow_store::{RunQuery, RunRow};

/// How many of the newest runs are looked at for figures over time.
const LOOKED_AT: usize = 5_000;
const PAGE: usize = 500;
/// The most runs of a grid, and its most nodes.
const RUNS: usize = 25;
const NODES: usize = 200;
/// How much of a run's journal is read for a grid: enough for all but those with very many items.
const EVENTS: usize = 5_000;

type Asker = (State<Arc<App>>, Extension<Principal>);

/// How many runs began, and how many ended how, over time. At most the 5,000 newest runs are looked at.
#[utoipa::path(get, path = "/api/v1/figures", operation_id = "figures", tag = "runs",
    params(("minutes" = Option<u64>, Query, description = "How far back; 60 unless said, at most 44,640 (31 days)."),
        ("buckets" = Option<u64>, Query, description = "In how many steps; 60 unless said, at most 500."),
        ("flow" = Option<String>, Query, description = "Only of this flow.")),
    responses((status = 200, description = "A number for each step.", body = Figures)))]
pub(crate) async fn figures((State(app), Extension(who)): Asker, uri: Uri) -> Answer<Json<Figures>> {
    let asks = Asks::of(&uri, &["minutes", "buckets", "flow"])?;
    let minutes = asks.parse::<u64>("minutes")?.unwrap_or(60).clamp(1, 44_640);
    let buckets = asks.parse::<u64>("buckets")?.unwrap_or(60).clamp(1, 500);
    let mut query = RunQuery { limit: PAGE, ..RunQuery::default() };
    if let Some(flow) = asks.text("flow") {
        see(&who, flow)?;
        query.flow = Some(Name::new(flow)?);
    }
    let step_ms = (minutes * 60_000).div_ceil(buckets);
    let mut counted = Counted::new(step_ms, buckets, now_ms());
    loop {
        let page = app.engine.store().runs(&query).await?;
        let is_old = page.rows.last().is_none_or(|row| row.summary.started_at.millis() < counted.figures.since_ms);
        let seen = page.rows.iter().filter(|row| who.sees(&row.summary.started.flow));
        seen.for_each(|row| counted.add(row));
        query.before = page.next;
        if is_old || query.before.is_none() {
            break;
        }
        if counted.figures.looked_at >= LOOKED_AT as u64 {
            counted.figures.is_partial = true;
            break;
        }
    }
    Ok(Json(counted.figures()))
}

fn now_ms() -> u64 {
    show::millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

/// Figures on their way.
struct Counted {
    figures: Figures,
    took: Vec<Vec<Duration>>,
}

impl Counted {
    fn new(step_ms: u64, buckets: u64, now_ms: u64) -> Self {
        // Steps begin at whole multiples, so that looking again moves none of them.
        let until = now_ms - now_ms % step_ms + step_ms;
        let steps = usize::try_from(buckets).unwrap_or(1);
        let none = || vec![0; steps];
        let figures = Figures {
            since_ms: until.saturating_sub(step_ms * buckets),
            step_ms,
            started: none(),
            succeeded: none(),
            failed: none(),
            stopped: none(),
            ..Figures::default()
        };
        Counted { figures, took: vec![Vec::new(); steps] }
    }

    fn step(&self, at_ms: u64) -> Option<usize> {
        let step = usize::try_from(at_ms.checked_sub(self.figures.since_ms)? / self.figures.step_ms).ok()?;
        (step < self.took.len()).then_some(step)
    }

    fn add(&mut self, row: &RunRow) {
        self.figures.looked_at += 1;
        let summary = &row.summary;
        if let Some(step) = self.step(summary.started_at.millis()) {
            self.figures.started[step] += 1;
        }
        let Some(ended_at) = summary.ended_at else { return };
        let Some(step) = self.step(ended_at.millis()) else { return };
        match summary.status {
            RunStatus::Succeeded => self.figures.succeeded[step] += 1,
            RunStatus::Failed => self.figures.failed[step] += 1,
            _ => self.figures.stopped[step] += 1,
        }
        self.took[step].push(ended_at.since(summary.started_at));
    }

    fn figures(mut self) -> Figures {
        for took in &mut self.took {
            took.sort_unstable();
        }
        self.figures.p50_ms = self.took.iter().map(|took| share(took, 50)).collect();
        self.figures.p95_ms = self.took.iter().map(|took| share(took, 95)).collect();
        self.figures
    }
}

/// The smallest of sorted times that so many of a hundred do not exceed.
pub(crate) fn share(sorted: &[Duration], of_hundred: usize) -> Option<u64> {
    let at = (sorted.len() * of_hundred).div_ceil(100);
    sorted.get(at.checked_sub(1)?).copied().map(show::millis)
}

/// The newest runs of a flow with where each of their nodes stands, so that one sees at a glance where it breaks.
#[utoipa::path(get, path = "/api/v1/flows/{name}/grid", operation_id = "flow_grid", tag = "flows",
    params(("name" = String, Path, description = "The flow."),
        ("limit" = Option<u32>, Query, description = "How many runs; 25 unless said, and at most.")),
    responses((status = 200, description = "Runs and nodes.", body = Grid)))]
pub(crate) async fn flow_grid(
    (State(app), Extension(who)): Asker,
    Path(name): Path<String>,
    uri: Uri,
) -> Answer<Json<Grid>> {
    let limit = Asks::of(&uri, &["limit"])?.limit(RUNS, RUNS)?;
    see(&who, &name)?;
    let views = newest(&app, &name, limit).await?;
    if views.is_empty() {
        app.engine.plan_of(&name).await?;
    }
    let (mut nodes, mut known): (Vec<String>, FxHashSet<&str>) = Default::default();
    for node in views.iter().flat_map(|(_, view)| &view.nodes) {
        if known.insert(node.name.as_str()) {
            nodes.push(node.name.to_string());
        }
        // One more than is shown tells that there are more.
        if nodes.len() > NODES {
            break;
        }
    }
    let cut = nodes.len() > NODES;
    nodes.truncate(NODES);
    let row = |(row, view): &(RunRow, RunView)| {
        let states: FxHashMap<&str, NodeStatus> =
            view.nodes.iter().map(|node| (node.name.as_str(), node.status)).collect();
        let states = nodes.iter().map(|name| states.get(name.as_str()).map(ToString::to_string)).collect();
        GridRow { run: show::row(&row.id, &row.summary), states }
    };
    Ok(Json(Grid { runs: views.iter().map(row).collect(), nodes, cut }))
}

/// The newest runs of a flow, each as far as its first events tell.
async fn newest(app: &App, flow: &str, limit: usize) -> Answer<Vec<(RunRow, RunView)>> {
    let store = app.engine.store();
    let query = RunQuery { flow: Some(Name::new(flow)?), ..RunQuery::default() };
    let (mut rows, mut views) = (Vec::new(), Vec::new());
    each_of(&**store, query, limit, |row| rows.push(row)).await?;
    for row in rows {
        let Some(plan) = store.plan(row.summary.started.plan).await? else { continue };
        let history = store.history(&ScopeId::root(row.id.clone()), Seq::ZERO, EVENTS).await?;
        let view = RunView::fold(row.id.clone(), &plan, &history).map_err(|error| {
            tracing::error!(run = %row.id, "a journal cannot be read: {error}");
            Refusal::new("corrupt", "something is wrong with a run's journal; the service's log says what")
        })?;
        views.push((row, view));
    }
    Ok(views)
}

/// How the nodes of a flow went in its newest runs, in the order of the newest run's plan.
pub(crate) async fn nodes_of(app: &App, flow: &str) -> Answer<Vec<NodeStats>> {
    let views = newest(app, flow, RUNS).await?;
    Ok(stats_of(views.iter().flat_map(|(_, view)| &view.nodes)))
}

/// How nodes of one name went, in the order in which names come first.
fn stats_of<'a>(nodes: impl Iterator<Item = &'a NodeView>) -> Vec<NodeStats> {
    let mut all: Vec<(NodeStats, Vec<Duration>)> = Vec::new();
    let mut places: FxHashMap<&str, usize> = FxHashMap::default();
    for node in nodes {
        let at = *places.entry(node.name.as_str()).or_insert_with(|| {
            all.push((NodeStats { name: node.name.to_string(), ..NodeStats::default() }, Vec::new()));
            all.len() - 1
        });
        if node.calls == 0 {
            continue;
        }
        let (stats, took) = &mut all[at];
        stats.runs += 1;
        stats.calls += u64::from(node.calls);
        stats.failed += u64::from(matches!(node.status, NodeStatus::Failed | NodeStatus::Parked));
        took.push(node.busy);
    }
    let done = |(mut stats, mut took): (NodeStats, Vec<Duration>)| {
        took.sort_unstable();
        (stats.p50_ms, stats.p95_ms) = (share(&took, 50), share(&took, 95));
        stats
    };
    all.into_iter().take(NODES).map(done).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares() {
        let times: Vec<Duration> = (1..=20).map(Duration::from_millis).collect();
        assert_eq!((share(&times, 50), share(&times, 95)), (Some(10), Some(19)));
        assert_eq!((share(&times[..1], 50), share(&times[..1], 95)), (Some(1), Some(1)));
        assert_eq!(share(&[], 50), None);
    }

    #[test]
    fn steps_stay_where_they_are() {
        let counted = Counted::new(1_000, 5, 10_300);
        assert_eq!(counted.figures.since_ms, 6_000);
        assert_eq!(Counted::new(1_000, 5, 10_999).figures.since_ms, 6_000);
        assert_eq!((counted.step(5_999), counted.step(6_000), counted.step(10_300)), (None, Some(0), Some(4)));
        assert_eq!(counted.step(11_000), None);
    }

    /// 200,000 nodes of 40,000 names, as a flow drawn anew for each run has them: each is looked up, not searched for.
    #[test]
    fn nodes_are_counted_by_name_in_the_order_in_which_they_come() {
        let node = |name: String| NodeView {
            name: Name::new(name).unwrap(),
            status: NodeStatus::Failed,
            began_at: None,
            calls: 2,
            busy: Duration::from_millis(3),
            ended_at: None,
            said: None,
            attempts: Vec::new(),
            phases: Vec::new(),
            inner: None,
            waits_for: None,
            worker: None,
        };
        let nodes: Vec<NodeView> = (0..200_000).map(|at| node(format!("n{}", at % 40_000))).collect();
        let began = std::time::Instant::now();
        let stats = stats_of(nodes.iter());
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        assert_eq!(stats.len(), NODES);
        assert_eq!((stats[1].name.as_str(), stats[1].runs, stats[1].calls, stats[1].failed), ("n1", 5, 10, 5));
        assert_eq!(stats[1].p95_ms, Some(3));
    }
}
