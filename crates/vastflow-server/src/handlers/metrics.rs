//! What the service and its engine count.

use crate::auth::Principal;
use crate::handlers::see_all;
use crate::problem::Answer;
use crate::state::App;
use axum::Extension;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use vastflow_worker::MetricsPage;

/// What the service and its engine count, as Prometheus reads it.
///
/// Series that tell of the store are the same on every engine of it: take their `max`. Labels are bounded: flows and lanes
/// beyond the first hundred are `other`.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "service",
    responses((status = 200, description = "Prometheus' text format.", body = String, content_type = "text/plain")))]
pub(crate) async fn metrics(
    State(app): State<Arc<App>>,
    Extension(who): Extension<Principal>,
) -> Answer<impl IntoResponse> {
    see_all(&who, "the figures")?;
    Ok(([(CONTENT_TYPE, MetricsPage::CONTENT_TYPE)], page(&app).await.into_text()))
}

/// What the engine counts, and the service besides.
#[expect(clippy::cast_precision_loss, reason = "what Prometheus keeps is a float, too")]
pub(crate) async fn page(app: &App) -> MetricsPage {
    let mut page = app.engine.metrics().await;
    app.asked.show(&mut page);
    for (name, about, room) in [
        ("vastflow_http_connections", "Connections that are open.", &app.connections),
        ("vastflow_sse_clients", "Streams that somebody reads.", &app.streams),
        ("vastflow_http_requests_in_flight", "Requests under way, without those that wait for a run.", &app.requests),
        ("vastflow_http_requests_waiting", "Requests that wait for a run's end.", &app.waits),
    ] {
        page.single(name, "gauge", about, room.taken() as f64);
    }
    let name = "vastflow_http_connections_refused_total";
    page.series(name, "counter", "Connections that found no room: all places, or those of one address, were taken.");
    page.line(name, &[], app.turned_away.load(Ordering::Relaxed) as f64);
    page
}
