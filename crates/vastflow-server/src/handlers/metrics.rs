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
    let streams = app.limits.streams.saturating_sub(app.streams.available_permits());
    page.single("vastflow_sse_clients", "gauge", "Streams that somebody reads.", streams as f64);
    let requests = app.limits.requests.saturating_sub(app.requests.available_permits());
    page.single("vastflow_http_requests_in_flight", "gauge", "Requests under way.", requests as f64);
    page
}
