//! Which path is answered by what. Every request passes the guard first.

use crate::guard::guard;
use crate::handlers::{
    access, attention, bulk, call, control, figures, fleet, flows, goflow, inside, meta, metrics, runs, session,
    streams,
};
use crate::problem::Refusal;
use crate::state::App;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};
use std::sync::Arc;

pub(crate) fn router(app: Arc<App>) -> Router {
    #[cfg(feature = "dashboard")]
    let rest = match app.has_dashboard {
        true => all().fallback(crate::dashboard::page),
        false => all().fallback(nothing),
    };
    #[cfg(not(feature = "dashboard"))]
    let rest = all().fallback(nothing);
    let inside = guarded(rest, &app);
    match app.base_path.as_str() {
        "" => inside,
        base => guarded(Router::new().fallback(nothing), &app).nest_service(base, inside),
    }
}

fn guarded(routes: Router<Arc<App>>, app: &Arc<App>) -> Router {
    routes
        // The guard has read the body, within its own limits.
        .layer(DefaultBodyLimit::disable())
        .layer(from_fn_with_state(Arc::clone(app), guard))
        .with_state(Arc::clone(app))
}

async fn nothing() -> Refusal {
    Refusal::new("not-found", "there is nothing at this path")
}

fn all() -> Router<Arc<App>> {
    Router::new()
        .route("/health", get(meta::health))
        .route("/ready", get(meta::ready))
        .route("/metrics", get(metrics::metrics))
        .route("/flow/{name}", post(call::call_flow))
        .route("/flow/{name}/request/{word}", get(goflow::goflow_look).post(goflow::goflow_control))
        .route("/flow/{name}/request/{word}/{id}", get(goflow::goflow_look_at).post(goflow::goflow_control_of))
        .merge(of_runs())
        .merge(of_the_rest())
}

fn of_runs() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/runs", get(runs::list_runs).post(call::start_run))
        .route("/api/v1/runs/bulk", post(bulk::bulk))
        .route("/api/v1/runs/{id}", get(runs::get_run).delete(runs::delete_run))
        .route("/api/v1/runs/{id}/view", get(runs::view_run))
        .route("/api/v1/runs/{id}/events", get(runs::run_events))
        .route("/api/v1/runs/{id}/stream", get(streams::stream_run))
        .route("/api/v1/runs/{id}/input", get(runs::run_input))
        .route("/api/v1/runs/{id}/output", get(runs::run_output))
        .route("/api/v1/runs/{id}/nodes/input", get(inside::node_input))
        .route("/api/v1/runs/{id}/nodes/output", get(inside::node_output))
        .route("/api/v1/runs/{id}/context", get(inside::run_context))
        .route("/api/v1/runs/{id}/scopes", get(inside::run_scopes))
        .route("/api/v1/runs/{id}/attention", get(attention::run_attention))
        .route("/api/v1/runs/{id}/pause", post(control::pause_run))
        .route("/api/v1/runs/{id}/resume", post(control::resume_run))
        .route("/api/v1/runs/{id}/stop", post(control::stop_run))
        .route("/api/v1/runs/{id}/kill", post(control::kill_run))
        .route("/api/v1/runs/{id}/signals/{name}", post(control::signal_run))
        .route("/api/v1/runs/{id}/retry", post(control::retry_run))
        .route("/api/v1/runs/{id}/rerun", post(control::rerun_run))
        .route("/api/v1/runs/{id}/fork", post(control::fork_run))
        .route("/api/v1/runs/{id}/resolve", post(control::resolve_run))
}

fn of_the_rest() -> Router<Arc<App>> {
    Router::new()
        .route("/api/v1/openapi.json", get(meta::document))
        .route("/api/v1/docs", get(meta::docs))
        .route("/api/v1/docs/style.css", get(meta::docs_style))
        .route("/api/v1/me", get(access::me))
        .route("/api/v1/session", post(session::begin_session).delete(session::end_session))
        .route("/api/v1/counts", get(runs::count_runs))
        .route("/api/v1/stream", get(streams::stream_runs))
        .route("/api/v1/flows", get(flows::list_flows))
        .route("/api/v1/flows/{name}", get(flows::get_flow))
        .route("/api/v1/flows/{name}/plan", get(flows::flow_plan))
        .route("/api/v1/flows/{name}/stats", get(flows::flow_stats))
        .route("/api/v1/flows/{name}/grid", get(figures::flow_grid))
        .route("/api/v1/figures", get(figures::figures))
        .route("/api/v1/workers", get(fleet::list_workers))
        .route("/api/v1/queues", get(fleet::list_queues))
        .route("/api/v1/attention", get(attention::list_attention))
        .route("/api/v1/audit", get(fleet::list_audit))
        .route("/api/v1/tokens", get(access::list_tokens).post(access::make_token))
        .route("/api/v1/tokens/{id}", delete(access::revoke_token))
}
