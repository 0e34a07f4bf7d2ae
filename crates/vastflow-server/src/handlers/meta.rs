//! The service about itself.

use crate::openapi;
use crate::problem::{Answer, Refusal};
use crate::state::App;
use axum::Json;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{Html, IntoResponse};
use std::sync::Arc;
use std::time::Duration;
use vastflow_api::fleet::Health;
use vastflow_core::RunId;

/// How long the store may take to answer.
const STORE: Duration = Duration::from_secs(5);

fn ok(app: &App) -> Json<Health> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Json(Health { status: "ok".to_owned(), version, insecure_no_auth: app.is_insecure })
}

/// Whether the service is there.
#[utoipa::path(get, path = "/health", operation_id = "health", tag = "service",
    responses((status = 200, description = "It is.", body = Health)))]
pub(crate) async fn health(State(app): State<Arc<App>>) -> Json<Health> {
    ok(&app)
}

/// Whether the service can do something: its store answers, and it is not about to end.
#[utoipa::path(get, path = "/ready", operation_id = "ready", tag = "service",
    responses((status = 200, description = "It can.", body = Health)))]
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Answer<Json<Health>> {
    if app.closing.is_cancelled() {
        return Err(Refusal::new("shutting-down", "the service is about to end"));
    }
    // It takes no place and no token: however many ask, the store is asked once in a while.
    app.answers.get(answers(&app)).await?;
    Ok(ok(&app))
}

/// Whether the store answers.
async fn answers(app: &App) -> Answer<()> {
    let asked = RunId::new("ready")?;
    match tokio::time::timeout(STORE, app.engine.store().run(&asked)).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(Refusal::new("store-unavailable", "the store did not answer in time")),
    }
}

/// What can be asked, as OpenAPI.
#[utoipa::path(get, path = "/api/v1/openapi.json", operation_id = "openapi", tag = "service",
    responses((status = 200, description = "The document.", body = serde_json::Value)))]
pub(crate) async fn document() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], openapi::json())
}

/// What can be asked, to read.
#[utoipa::path(get, path = "/api/v1/docs", operation_id = "docs", tag = "service",
    responses((status = 200, description = "A page.", body = String, content_type = "text/html")))]
pub(crate) async fn docs() -> Html<&'static str> {
    Html(openapi::page())
}

/// How that page looks.
#[utoipa::path(get, path = "/api/v1/docs/style.css", operation_id = "docs_style", tag = "service",
    responses((status = 200, description = "A style sheet.", body = String, content_type = "text/css")))]
pub(crate) async fn docs_style() -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], openapi::STYLE)
}
